"""Policies in the shapes that others write: understood as what they say, or refused by name, never weakened."""

import copy
import json

import pytest
from odrlcases import cases
from studyfacts import AGREED, DATASET, OFFER, OFFERED

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.contexts import contexts
from vocab.odrl.expand import _full, expanded
from vocab.odrl.inherit import merged
from vocab.odrl.model import Atom, Logic, Policy
from vocab.odrl.normalise import MAX_CONSTRAINTS, normalise, read
from vocab.odrl.write import written

W3C = "http://www.w3.org/ns/odrl.jsonld"
EDC = "https://w3id.org/edc/connector/management/v2"
SPATIAL = {"leftOperand": "spatial", "operator": "eq", "rightOperand": "KR"}


def policy(rule=None, /, **parts):
    return {"@context": W3C, "@type": "Set", "uid": "urn:p", "permission": [rule or permission()], **parts}


def permission(*constraints, **parts):
    found = {"target": "urn:d", "assignee": "urn:a", "action": "use", **parts}
    return {**found, "constraint": list(constraints)} if constraints else found


def code(doc):
    with pytest.raises(Refusal) as refused:
        read(doc)
    return refused.value.code


ONE = read(policy(permission(SPATIAL)))
#: One meaning: spatial eq KR, for urn:a, on urn:d.
SHAPES = {
    "under the profile's own context": {**policy(permission(SPATIAL)), "@context": terms.MED_CONTEXT},
    "without a context": {name: value for name, value in policy(permission(SPATIAL)).items() if name != "@context"},
    "prefixed": {
        "@context": {"odrl": "http://www.w3.org/ns/odrl/2/"},
        "@type": "odrl:Set",
        "@id": "urn:p",
        "odrl:permission": {
            "odrl:target": {"@id": "urn:d"},
            "odrl:assignee": {"@id": "urn:a"},
            "odrl:action": {"@id": "odrl:use"},
            "odrl:constraint": {
                "odrl:leftOperand": {"@id": "odrl:spatial"},
                "odrl:operator": {"@id": "odrl:eq"},
                "odrl:rightOperand": "KR",
            },
        },
        "odrl:prohibition": [],
        "odrl:obligation": [],
    },
    "EDC's first versions": {
        "@context": {"odrl": "http://www.w3.org/ns/odrl/2/"},
        "@type": "odrl:Set",
        "@id": "urn:p",
        "odrl:permission": {
            "odrl:target": "urn:d",
            "odrl:assignee": "urn:a",
            "odrl:action": {"odrl:type": "USE"},
            "odrl:constraint": {
                "odrl:leftOperand": "odrl:spatial",
                "odrl:operator": {"@id": "odrl:eq"},
                "odrl:rightOperand": "KR",
            },
        },
    },
    "EDC's management API": {
        "@context": [EDC],
        "@type": "PolicyDefinition",
        "@id": "definition",
        "policy": {**policy(permission(SPATIAL)), "@id": "urn:p"},
    },
    "head once for all rules": policy(
        {"action": "use", "constraint": SPATIAL}, target="urn:d", assignee={"@type": "Party", "uid": "urn:a"}
    ),
    "words of its own": {
        "@context": [W3C, {"o": "http://www.w3.org/ns/odrl/2/", "place": {"@id": "o:leftOperand", "@type": "@vocab"}}],
        "@type": "Set",
        "@id": "urn:p",
        "permission": permission({"place": "o:spatial", "operator": "eq", "rightOperand": {"@value": "KR"}}),
    },
    "a datatype": policy(permission({**SPATIAL, "rightOperand": {"@value": "KR", "@type": "xsd:string"}})),
    "what describes and decides nothing": policy(permission(SPATIAL), **{"dct:title": "offer", "dct:creator": "H01"}),
}
del SHAPES["EDC's management API"]["policy"]["@context"], SHAPES["EDC's management API"]["policy"]["uid"]


@pytest.mark.parametrize("name", SHAPES)
def test_one_meaning_has_one_digest_in_every_shape(name):
    found = read(SHAPES[name])
    assert found.rules == ONE.rules
    assert [found.kind, found.id] == ["Set", "urn:p"]


def test_the_offer_of_the_study_reads_alike_through_the_full_algorithm():
    for context in (terms.DSP_CONTEXT, W3C, terms.MED_CONTEXT):
        assert read({"@context": [context, {"x": "urn:x:"}], **OFFER}, target=DATASET) == OFFERED
        assert read({"@context": context, **OFFER}, target=DATASET) == OFFERED


@pytest.mark.parametrize("name", [name for name, doc in SHAPES.items() if isinstance(doc.get("@context"), str | list)])
def test_the_table_and_the_full_algorithm_give_the_same_node(name):
    doc = SHAPES[name]
    listed = doc["@context"] if isinstance(doc["@context"], list) else [doc["@context"]]
    body = {key: value for key, value in doc.items() if key != "@context"}
    assert json.dumps(expanded(doc, ()), sort_keys=True) == json.dumps(_full(listed, body), sort_keys=True)


WHOLE = policy(
    permission(
        {"or": {"@list": [SPATIAL, {"and": [SPATIAL, {**SPATIAL, "operator": "neq", "rightOperand": "US"}]}]}},
        {"leftOperand": "payAmount", "operator": "lteq", "rightOperand": "12.50", "unit": "urn:iso:4217:KRW"},
        action={"rdf:value": {"@id": "odrl:print"}, "refinement": [{**SPATIAL, "operator": "isAnyOf"}]},
        target={"@type": "AssetCollection", "source": "urn:c", "refinement": [SPATIAL]},
        assignee={"@type": "PartyCollection", "source": "urn:g"},
        duty=[
            {
                "uid": "urn:pay",
                "action": "compensate",
                "compensatedParty": "urn:h",
                "consequence": [{"action": "inform", "uid": "urn:tell"}],
            }
        ],
    ),
    prohibition=[permission(action="distribute", remedy=[{"action": "delete", "uid": "urn:gone"}])],
    obligation=[{"action": "delete", "med:phase": "post", "uid": "urn:end"}],
    conflict="prohibit",
    inheritFrom=["urn:parent"],
    **{"@context": [W3C, {"med": terms.PREFIXES["med"]}]},
)


def test_everything_of_odrl_that_is_decided_has_its_place():
    found = read(WHOLE)
    [rule], [forbidden], [duty] = found.permissions, found.prohibitions, found.obligations
    spatial = Atom(terms.SPATIAL, "eq", "KR")
    assert rule.constraints == (
        Logic("or", (spatial, Logic("and", (spatial, Atom(terms.SPATIAL, "neq", "US"))))),
        Atom(terms.iri("odrl:payAmount"), "lteq", 12_500_000, "urn:iso:4217:KRW"),
    )
    assert rule.refinements == (Atom(terms.SPATIAL, "isAnyOf", ("KR",)), spatial)
    assert [rule.action, rule.target, rule.assignee] == [terms.iri("odrl:print"), "urn:c", "urn:g"]
    assert [(one.uid, one.parties) for one in rule.duties] == [("urn:pay", (("compensatedParty", "urn:h"),))]
    assert [one.uid for one in rule.duties[0].consequences] == ["urn:tell"]
    assert [one.uid for one in forbidden.remedies] == ["urn:gone"]
    assert [duty.phase, found.conflict, found.inherits] == ["post", "prohibit", ("urn:parent",)]
    assert Policy.from_json(json.loads(json.dumps(found.to_json()))) == found


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


#: What says nothing that is decided: where it is taken away, the rest means the same.
SILENT = {"@type", "uid", "@context"}


@pytest.mark.parametrize("path", [path for path in places(WHOLE) if path and path[-1] not in SILENT], ids=str)
def test_nothing_can_be_taken_away_unseen(path):
    doc = copy.deepcopy(WHOLE)
    node = doc
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    try:
        found = read(doc)
    except Refusal:
        return
    assert found != read(WHOLE)


CX = {"cx-policy": "https://w3id.org/catenax/policy/"}
NESTED = {"or": [{"and": [{"or": [SPATIAL, SPATIAL]}, SPATIAL]}, SPATIAL]}


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (policy(permission({**SPATIAL, "leftOperand": "cx-policy:FrameworkAgreement"}), **{"@context": [W3C, CX]}),
         "operand-without-gate"),
        (policy(permission({**SPATIAL, "leftOperand": "https://w3id.org/edc/v0.0.1/ns/inForceDate"})),
         "operand-without-gate"),
        (policy(permission(action="cx-policy:access"), **{"@context": [W3C, CX]}), "policy-not-understood"),
        (policy(profile="cx-policy:profile2405", **{"@context": [W3C, CX]}), "policy-not-understood"),
        (policy(**{"@context": "https://example.org/remote.jsonld"}), "context-not-understood"),
        (policy(**{"@context": [W3C, {"x": {"@id": "urn:x", "@context": "https://example.org/x"}}], "x": {"y": 1}}),
         "context-not-understood"),
        (policy(**{"@context": [{"permission": None}, W3C][::-1]}), "policy-not-understood"),
        (policy(permission({**SPATIAL, "status": "KR"})), "policy-not-understood"),
        (policy(permission({"leftOperand": "spatial", "operator": "eq", "rightOperandReference": "urn:x"})),
         "policy-not-understood"),
        (policy(permission({"uid": "urn:elsewhere"})), "policy-not-understood"),
        (policy(permission("urn:elsewhere")), "policy-not-understood"),
        (policy(permission(NESTED)), "policy-not-understood"),
        (policy(permission({"or": [SPATIAL], "xone": [SPATIAL]})), "policy-not-understood"),
        (policy(permission({**SPATIAL, "operator": "lt"})), "policy-not-understood"),
        (policy(permission({**SPATIAL, "operator": "odrl:includes"})), "policy-not-understood"),
        (policy(permission({**SPATIAL, "rightOperand": ["KR", "US"]})), "policy-not-understood"),
        (policy(permission({**SPATIAL, "rightOperand": "К\u0420"})), "policy-not-understood"),
        (policy(permission(target="urn:dаta")), "policy-not-understood"),
        (policy(permission({"leftOperand": "count", "operator": "lteq", "rightOperand": 1e308})),
         "policy-not-understood"),
        (policy(permission({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00"})),
         "policy-not-understood"),
        (policy(permission({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01"})),
         "policy-not-understood"),
        (policy(permission(action=[])), "policy-not-understood"),
        (policy(permission(constraint=[])), "policy-not-understood"),
        (policy(permission(target={"@type": "AssetCollection", "refinement": [SPATIAL]})), "policy-not-understood"),
        (policy(permission(target={"@type": "Asset", "uid": "urn:d", "refinement": [SPATIAL]})),
         "policy-not-understood"),
        (policy(permission(remedy=[{"action": "delete"}])), "policy-not-understood"),
        (policy(permission(relation="urn:x")), "policy-not-understood"),
        (policy(permission(output="urn:x")), "policy-not-understood"),
        (policy(**{"@type": "Ticket"}), "policy-not-understood"),
        (policy(**{"@type": ["Offer", "Agreement"]}), "policy-not-understood"),
        (policy(conflict="odrl:random"), "policy-not-understood"),
        (policy(**{"@index": "x"}), "policy-not-understood"),
        (policy(permission=None), "policy-not-understood"),
        (policy(permission(*[SPATIAL] * (MAX_CONSTRAINTS + 1))), "policy-too-large"),
        (policy(permission(*[SPATIAL] * 10_000)), "policy-too-large"),
        (policy(permission(action=["use"] * 7, target=[f"urn:{n}" for n in range(7)])), "policy-too-large"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(doc, expected):
    assert code(doc) == expected


def test_under_the_context_of_the_protocol_nothing_vanishes():
    """That context does not define these: a JSON-LD processor would drop them, and the permission would be broader."""
    for name in ("refinement", "conflict", "inheritFrom", "remedy", "consequence", "unit"):
        for context in ([terms.DSP_CONTEXT], [terms.DSP_CONTEXT, {"x": "urn:x:"}]):
            rule = permission({**SPATIAL, "leftOperand": "odrl:spatial"})
            assert code({**policy(rule, **{name: "urn:x"}), "@context": context}) == "policy-not-understood"
            assert code({**policy({**rule, name: "urn:x"}), "@context": context}) == "policy-not-understood"


def test_a_rule_about_several_things_is_a_rule_about_each():
    doc = policy(permission(SPATIAL, action=["use", "odrl:write"], target=["urn:d", "urn:e"]))
    assert [(one.id, one.action.rpartition("/")[2], one.target) for one in read(doc).permissions] == [
        ("permission-1", "use", "urn:d"),
        ("permission-2", "use", "urn:e"),
        ("permission-3", "modify", "urn:d"),
        ("permission-4", "modify", "urn:e"),
    ]


@pytest.mark.parametrize(
    "rule",
    [
        permission({"andSequence": [SPATIAL, SPATIAL]}),
        permission({"or": [{"and": [SPATIAL, SPATIAL]}, SPATIAL]}),
        permission(SPATIAL, duty=[{"action": "compensate"}]),
        permission(SPATIAL, action="print"),
        permission({"leftOperand": "count", "operator": "lteq", "rightOperand": 5}),
        permission({**SPATIAL, "operator": "neq"}),
        permission({**SPATIAL, "unit": "urn:x"}),
        permission(SPATIAL, target="urn:e"),
    ],
)
def test_what_no_gate_decides_is_read_but_not_published(rule):
    doc = {**policy(rule, target="urn:d", assignee="urn:a"), "@type": "Offer"}
    assert read(doc).rules
    with pytest.raises(Refusal):
        normalise(doc)
    plain = {**policy(permission(SPATIAL), target="urn:d", assignee="urn:a"), "@type": "Offer"}
    assert normalise(plain).permissions[0].constraints == (Atom(terms.SPATIAL, "eq", "KR"),)


def test_every_bundled_context_is_served_and_no_other():
    for address in contexts():
        doc = {"@context": [address, {"odrl": "http://www.w3.org/ns/odrl/2/"}], "@type": "odrl:Set", "@id": "urn:p"}
        rule = {"odrl:action": {"@id": "odrl:use"}, "odrl:target": {"@id": "urn:d"}}
        assert read({**doc, "odrl:permission": rule}).permissions[0].action == terms.USE


def child(**parts):
    return read(policy(permission(SPATIAL), inheritFrom="urn:q", **parts))


def test_a_child_has_every_rule_of_its_parents():
    parent = read({**policy(permission(action="print", target="urn:e")), "uid": "urn:q", "inheritFrom": "urn:r"})
    grandparent = read(
        {"@context": W3C, "uid": "urn:r", "prohibition": {"action": "sell"}, "obligation": {"action": "delete"}}
    )
    whole = merged(child(), {"urn:q": parent, "urn:r": grandparent})
    assert [(one.id, one.target, one.assignee) for one in whole.rules] == [
        ("permission-1", "urn:d", "urn:a"),
        ("parent-1.permission-1", "urn:e", "urn:a"),
        ("parent-1.parent-1.prohibition-1", None, None),
        ("parent-1.parent-1.obligation-1", None, None),
    ]
    assert whole.inherits == ()


def test_an_inheritance_that_is_not_whole_is_refused():
    parent = {**policy(permission()), "uid": "urn:q"}
    for parents, doc in (
        ({}, child()),
        ({"urn:q": read({**parent, "inheritFrom": "urn:q"})}, child()),
        ({"urn:q": read({**parent, "inheritFrom": "urn:p"})}, child()),
        ({"urn:q": read({**parent, "conflict": "perm"})}, child(conflict="prohibit")),
    ):
        with pytest.raises(Refusal) as refused:
            merged(doc, parents)
        assert refused.value.code == "policy-inherits"


def test_a_child_cannot_let_its_permission_win_over_a_parent_that_is_silent():
    parent = read({**policy(permission()), "uid": "urn:q"})
    assert merged(child(conflict="perm"), {"urn:q": parent}).conflict == "invalid"


@pytest.mark.parametrize("name", [*SHAPES, "whole"])
def test_what_is_written_again_reads_as_the_same_policy(name):
    found = read(WHOLE if name == "whole" else SHAPES[name])
    assert read(written(found)).digest == found.digest


def test_every_case_and_the_study_survive_being_written_again():
    for case in cases():
        read_here = case.given is not None and not case.name.startswith("raw")
        if read_here and "parent-1" not in json.dumps(case.given["policy"]):
            found = Policy.from_json(case.given["policy"])
            assert read(written(found)).digest == found.digest, case.name
    for found in (OFFERED, AGREED):
        assert read(written(found)).digest == found.digest


def test_a_rule_about_too_many_things_is_refused_before_it_becomes_many():
    many = {"action": ["use"] * 90, "target": [f"u:{n}" for n in range(90)], "assignee": [f"v:{n}" for n in range(90)]}
    assert code(policy(permission(**many))) == "policy-too-large"
