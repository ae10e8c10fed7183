"""Policies are read once, wholly or not at all."""

import copy
import functools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studyfacts import A02, AGREED, DATASET, H01, NOW, OFFER, OFFERED, P01

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.compare import compare
from vocab.odrl.explain import explain
from vocab.odrl.model import Atom, Logic, Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import agreement, any_of, clause, duty, with_target
from vocab.odrl.satisfiable import demand, problems
from vocab.profile import Gate, operands


def offer(*constraints, **parts):
    return {"@id": "o", "@type": "Offer", "permission": [{"action": "use", "constraint": list(constraints)}], **parts}


def code(doc, **options):
    with pytest.raises(Refusal) as refused:
        normalise(doc, **options)
    return refused.value.code


K = clause(terms.K_ANONYMITY, "gteq", "5")


def test_the_studys_offer_becomes_integers_and_absolute_iris():
    permission = OFFERED.permissions[0]
    assert permission.action == terms.USE
    assert permission.target == DATASET
    assert Atom(terms.K_ANONYMITY, "gteq", 5) in permission.constraints
    assert Atom(terms.ELAPSED_TIME, "lteq", 90 * 86_400_000) in permission.constraints
    either = Logic("or", tuple(Atom(terms.IRB_DECISION, "eq", one) for one in ("approved", "exempt")))
    assert either in permission.constraints
    assert [rule.action for rule in OFFERED.prohibitions] == [
        terms.REIDENTIFY,
        terms.LINK_ACROSS_PROVIDERS,
        terms.EXPORT_RECORDS,
        terms.DISTRIBUTE,
    ]


def test_an_agreement_names_its_parties_on_every_rule():
    assert {(rule.target, rule.assignee) for rule in AGREED.rules} == {(DATASET, A02)}
    assert AGREED.timestamp == NOW


def test_the_stored_form_reads_back():
    for policy in (OFFERED, AGREED):
        again = Policy.from_json(json.loads(json.dumps(policy.to_json())))
        assert again == policy
        assert again.digest == policy.digest


def test_everything_on_the_wire_is_text_so_that_no_peer_drops_it():
    def leaves(value):
        if isinstance(value, dict):
            return [leaf for one in value.values() for leaf in leaves(one)]
        return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]

    assert all(isinstance(leaf, str) for leaf in leaves(OFFER))
    lefts = [one["leftOperand"] for one in OFFER["permission"][0]["constraint"] if "leftOperand" in one]
    assert all(left.startswith("http") for left in lefts)
    assert "target" not in OFFER


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (None, "policy-not-understood"),
        ([], "policy-not-understood"),
        ({}, "policy-not-understood"),
        ({"@id": "o", "@type": "Set", "permission": [{"action": "use"}]}, "policy-not-understood"),
        ({"@type": "Offer", "permission": [{"action": "use"}]}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer"}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "permission": []}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "permission": "use"}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "obligation": [duty(terms.DELETE, 5)]}, "policy-not-understood"),
        ({"@id": "a", "@type": "Agreement", "permission": [{"action": "use"}]}, "policy-not-understood"),
        (offer(K, conflict="perm"), "policy-not-understood"),
        (offer(K, inheritFrom="urn:x"), "policy-not-understood"),
        (offer(K, **{"@context": ["https://example.org/evil.jsonld"]}), "context-not-understood"),
        (offer({**K, "unit": "percent"}), "policy-not-understood"),
        (offer({**K, "@context": {"gteq": "odrl:lteq"}}), "policy-not-understood"),
        (offer({"or": [K], "and": [K]}), "policy-not-understood"),
        (offer({"andSequence": [K]}), "policy-not-understood"),
        (offer({"or": []}), "policy-not-understood"),
        (offer({"or": [{"or": [K]}]}), "policy-not-understood"),
        (offer(clause(terms.K_ANONYMITY, "lteq", "5")), "policy-not-understood"),
        (offer({**K, "rightOperand": 5.5}), "policy-not-understood"),
        (offer({**K, "rightOperand": True}), "policy-not-understood"),
        (offer({**K, "rightOperand": 1e308}), "policy-not-understood"),
        (offer({**K, "rightOperand": "5.0"}), "policy-not-understood"),
        (offer({**K, "rightOperand": "-5"}), "policy-not-understood"),
        (offer({**K, "rightOperand": ["5", "6"]}), "policy-not-understood"),
        (offer({**K, "rightOperand": {"@value": "5", "@type": "xsd:string"}}), "policy-not-understood"),
        (offer({**K, "rightOperand": {"@value": "5", "@language": "ko"}}), "policy-not-understood"),
        (offer(clause(terms.DISEASE, "isA", terms.kcd("Z99"))), "policy-not-understood"),
        (offer(clause(terms.DISEASE, "isA", terms.MEDICAL_DEVICE_AI)), "policy-not-understood"),
        (offer(clause(terms.DISEASE, "isA", "E11")), "policy-not-understood"),
        (offer(clause(terms.DISEASE, "isA", "kcd:E11")), "term-unknown"),
        (offer(clause(terms.IRB_DECISION, "eq", "perhaps")), "policy-not-understood"),
        (offer(clause(terms.DATE_TIME, "lteq", "2027-01-01")), "policy-not-understood"),
        (offer(clause(terms.DATE_TIME, "lteq", "2027-01-01T24:00:00Z")), "policy-not-understood"),
        (offer(clause(terms.DATE_TIME, "lteq", "2027-01-01T00:00:00")), "policy-not-understood"),
        (offer(clause(terms.ELAPSED_TIME, "lteq", "P18M")), "policy-not-understood"),
        (offer(clause(terms.ELAPSED_TIME, "lteq", "PT")), "policy-not-understood"),
        (offer(clause(terms.DELAY_AFTER_END, "lteq", "P5D")), "policy-not-understood"),
        (offer(clause("count", "lteq", "5")), "operand-without-gate"),
        (offer(clause("sp\u0430tial", "eq", "KR")), "term-unknown"),
        (offer(clause("med:disease", "isA", terms.kcd("E11"))), "term-unknown"),
        (offer(), "policy-not-understood"),
        (offer(clause("urn:x:unheard", "eq", "KR")), "operand-without-gate"),
        (offer(clause(terms.iri("med:consentScope"), "eq", "broad")), "operand-without-gate"),
        (offer(clause(terms.iri("med:pseudonymisationLevel"), "gteq", "2")), "operand-without-gate"),
        (offer(K, prohibition=[{"action": terms.DELETE}]), "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "permission": [{"action": terms.REIDENTIFY}]}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "permission": [{"action": "read"}]}, "policy-not-understood"),
        ({"@id": "o", "@type": "Offer", "permission": [{"action": {"value": "use"}}]}, "policy-not-understood"),
        (offer(K, obligation=[{"action": terms.DELETE}]), "policy-not-understood"),
        (offer(*[K] * 65), "policy-too-large"),
        (offer(K, prohibition=[{"action": terms.DISTRIBUTE}] * 33), "policy-too-large"),
        (offer(any_of(terms.SPATIAL, ["KR" * 30] * 400)), "policy-too-large"),
    ],
)
def test_what_is_not_understood_is_refused(doc, expected):
    assert code(doc) == expected


def test_a_message_about_another_dataset_is_refused():
    assert code(with_target(OFFER, "urn:other"), target=DATASET) == "policy-not-understood"


def test_deep_nesting_is_refused():
    deep = "x"
    for _ in range(5000):
        deep = [deep]
    assert code(offer(clause(terms.SPATIAL, "eq", deep))) in ("not-canonical", "policy-not-understood")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T09:00:00+09:00", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("2026-09-01T00:00:00Z", 1_788_220_800_000),
    ],
)
def test_times_become_utc_milliseconds(text, ms):
    policy = normalise(offer(clause(terms.DATE_TIME, "lteq", text)))
    assert policy.permissions[0].constraints == (Atom(terms.DATE_TIME, "lteq", ms),)


def test_the_ways_of_writing_one_value_mean_one_thing():
    ways = ["5", 5, ["5"], {"@value": "5"}, {"@value": 5}, {"@value": "5", "@type": "xsd:integer"}]
    ways += [{"@value": "5", "@type": "http://www.w3.org/2001/XMLSchema#integer"}, {"@set": ["5"]}]
    assert len({normalise(offer({**K, "rightOperand": way})).digest for way in ways}) == 1
    one, other = (clause(terms.SPATIAL, "isAnyOf", values) for values in (["KR", "JP"], ["JP", "KR", "KR"]))
    assert normalise(offer(one)).digest == normalise(offer(other)).digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    """The path of every node."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@settings(max_examples=400, deadline=None)
@given(place=st.sampled_from([path for path in places(OFFER) if path]), junk=JSON, drop=st.booleans())
def test_a_changed_offer_reads_as_something_else_or_not_at_all(place, junk, drop):
    """No change of any node may read as the same policy: what says nothing else must have been understood as that."""
    doc = copy.deepcopy(OFFER)
    node = doc
    for key in place[:-1]:
        node = node[key]
    before = node[place[-1]]
    if drop:
        del node[place[-1]]
    else:
        node[place[-1]] = junk
    try:
        policy = normalise(doc, target=DATASET)
    except Refusal:
        return
    if not drop and str(junk) == before:  # 5 says what "5" says
        assert policy == OFFERED
    else:
        assert policy != OFFERED


@settings(max_examples=300, deadline=None)
@given(doc=JSON)
def test_any_json_is_read_or_refused(doc):
    with pytest.raises(Refusal):
        normalise(doc)


def test_an_honest_echo_has_no_differences():
    reordered = copy.deepcopy(OFFER)
    reordered["permission"][0]["constraint"].reverse()
    reordered["prohibition"].reverse()
    assert compare(OFFERED, normalise(reordered, target=DATASET)) == []
    assert compare(OFFERED, AGREED) == []


def change(path, value):
    doc = copy.deepcopy(OFFER)
    doc["permission"][0]["constraint"][path]["rightOperand"] = value
    return normalise(doc, target=DATASET)


def test_a_changed_clause_is_named_with_both_sides():
    [difference] = compare(OFFERED, change(7, "3"))
    assert difference.to_json() == {
        "path": "permission-1.med:kAnonymity",
        "was": "med:kAnonymity gteq 5",
        "is": "med:kAnonymity gteq 3",
    }


def test_removed_and_added_clauses_are_named():
    less, more = copy.deepcopy(OFFER), copy.deepcopy(OFFER)
    del less["prohibition"][2]
    more["permission"][0]["constraint"].append(clause(terms.DATE_TIME, "lteq", "2030-01-01T00:00:00Z"))
    [gone] = compare(OFFERED, normalise(less, target=DATASET))
    [new] = compare(OFFERED, normalise(more, target=DATASET))
    assert (gone.path, gone.was, gone.now) == ("prohibition-3", "med:exportRecords", None)
    assert (new.path, new.was) == ("permission-1.odrl:dateTime", None)


def test_a_changed_duty_and_another_dataset_are_differences():
    doc = copy.deepcopy(OFFER)
    doc["obligation"][0] = duty(terms.DELETE, 50)
    assert [one.path for one in compare(OFFERED, normalise(doc, target=DATASET))] == ["obligation-1.med:delayAfterEnd"]
    assert [one.path for one in compare(OFFERED, normalise(OFFER, target="urn:other"))] == ["target"]


@pytest.mark.parametrize("index", range(len(OFFER["permission"][0]["constraint"])))
def test_no_clause_can_be_left_out_unseen(index):
    doc = copy.deepcopy(OFFER)
    del doc["permission"][0]["constraint"][index]
    assert compare(OFFERED, normalise(doc, target=DATASET))
    assert compare(normalise(doc, target=DATASET), OFFERED)


def test_the_studys_offer_can_be_satisfied():
    assert problems(OFFERED, NOW) == []
    assert problems(AGREED, NOW) == []


def about(operand):
    return functools.partial(clause, operand)


disease, date, spatial, irb = map(about, (terms.DISEASE, terms.DATE_TIME, terms.SPATIAL, terms.IRB_DECISION))


@pytest.mark.parametrize(
    ("constraints", "path"),
    [
        ([disease("isA", terms.kcd("E10-E14")), disease("isA", terms.kcd("I44-I49"))], "disease"),
        ([disease("isA", terms.kcd("E11")), disease("isNoneOf", [terms.kcd("E10-E14")])], "disease"),
        ([date("lt", "2026-08-31T23:59:59Z")], "dateTime"),
        ([date("lt", "2026-09-01T00:00:00Z")], "dateTime"),
        ([date("gt", "2028-01-01T00:00:00Z"), date("lt", "2027-01-01T00:00:00Z")], "dateTime"),
        ([clause(terms.JOB_COUNT, "lteq", "0")], "jobCount"),
        ([clause(terms.ELAPSED_TIME, "lt", "PT0S")], "elapsedTime"),
        ([spatial("eq", "KR"), spatial("eq", "JP")], "spatial"),
        ([irb("eq", "approved"), irb("eq", "exempt")], "irbDecision"),
        ([{"and": [spatial("eq", "KR"), spatial("eq", "JP")]}], "spatial"),
        ([{"xone": [K, K]}], "kAnonymity"),
    ],
)
def test_an_offer_that_no_one_could_satisfy_is_named(constraints, path):
    policy = normalise(offer(*constraints))
    assert [problem.path for problem in problems(policy, NOW)] == [f"permission-1.{path}"]
    with pytest.raises(Refusal) as refused:
        demand(policy, NOW)
    assert refused.value.code == "offer-unsatisfiable"


@pytest.mark.parametrize(
    "constraints",
    [
        [clause(terms.DATE_TIME, "lteq", "2026-09-01T00:00:00Z")],
        [{"or": [clause(terms.JOB_COUNT, "lteq", "0"), clause(terms.JOB_COUNT, "lteq", "1")]}],
        [{"xone": [clause(terms.SPATIAL, "eq", "KR"), clause(terms.SPATIAL, "eq", "JP")]}],
        [clause(terms.DISEASE, "isA", terms.kcd("E10-E14")), clause(terms.DISEASE, "isNoneOf", [terms.kcd("E11")])],
        [clause(terms.JOB_COUNT, "lt", "2")],
    ],
)
def test_an_offer_that_someone_could_satisfy_is_let_through(constraints):
    assert problems(normalise(offer(*constraints)), NOW) == []


def test_a_permission_that_a_prohibition_takes_back_is_named():
    policy = normalise(offer(K, prohibition=[{"action": "use"}]))
    assert [problem.why for problem in problems(policy, NOW)] == ["prohibition-1 prohibits use"]


def test_an_offer_with_prohibitions_alone_permits_nothing():
    policy = normalise({"@id": "o", "@type": "Offer", "prohibition": [{"action": terms.DISTRIBUTE}]})
    assert [problem.path for problem in problems(policy, NOW)] == ["permission"]


def test_a_search_that_would_take_too_long_is_refused():
    # Two operands of three alternatives, nine times: 3^18 ways.
    many = [any_of(terms.SPATIAL, ["KR", "JP", f"X{n}"]) for n in range(18)]
    [problem] = problems(normalise(offer(*many)), NOW)
    assert problem.why == "too many alternatives"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_clause_has_a_sentence_that_says_what_is_made_of_it(language):
    clauses = explain(OFFERED, language)
    rules = sum(1 + len(rule.constraints) for rule in OFFERED.rules)
    assert len(clauses) == rules
    assert {one.force for one in clauses} == {"enforced", "recorded", "legal"}
    assert all("policy-" not in one.text and "{" not in one.text for one in clauses)


def test_sentences_read_as_people_write():
    korean = {one.path: one.text for one in explain(OFFERED, "ko")}
    english = {one.path: one.text for one in explain(OFFERED, "en")}
    assert korean["permission-1.4"] == "IRB 결정: 승인 또는 면제"
    assert english["permission-1.4"] == "IRB decision: approved or exempt"
    assert english["permission-1.8"] == "k-anonymity: at least 5"
    assert korean["prohibition-1"] == "금지: 재식별"


def test_every_operator_of_the_profile_has_its_words():
    for operand in operands().values():
        if operand.gate in [gate.value for gate in Gate]:
            for op in operand.operators:
                right = {
                    "concept": terms.kcd("E11"),
                    "party": P01,
                    "count": "5",
                    "time": "2027-01-01T00:00:00Z",
                    "duration": "P1D",
                }
                value = right.get(operand.type, (operand.values or ("KR",))[0])
                if operand.type == "concept" and operand.name != "disease":
                    value = {"purpose": terms.MEDICAL_DEVICE_AI, "legalPurpose": terms.SCIENTIFIC_RESEARCH}[
                        operand.name
                    ]
                policy = normalise(offer(clause(operand.iri, op, value)))
                for language in ("ko", "en"):
                    assert explain(policy, language)[1].text


def test_an_agreement_leaves_the_rules_untouched():
    made = agreement(OFFER, "a", target=DATASET, assigner=H01, assignee=A02, at=NOW + 999)
    for name in ("permission", "prohibition", "obligation"):
        assert made[name] == OFFER[name]
    assert made["timestamp"] == "2026-09-01T00:00:00Z"
