"""Lists of DUO codes become clauses that are decided here, or are refused by the code that has none."""

import pytest

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.model import Atom, Logic
from vocab.odrl.normalise import read

HEAD = {"uid": "urn:p", "target": "urn:d", "assignee": "urn:a"}
KR = {"id": "DUO:0000022", "modifiers": [{"id": "KR"}]}
DISEASE = {"id": "DUO:0000007", "modifiers": [{"id": "kcd:E11"}, "kcd:N18"]}


def duo(*codes):
    return read({**HEAD, "duoDataUse": list(codes)})


def test_a_list_says_what_its_codes_say():
    policy = duo(DISEASE, "DUO:0000021", KR, {"id": "DUO:0000019", "label": "publication required"})
    [rule], [duty] = policy.permissions, policy.obligations
    assert rule.constraints == (
        Atom(terms.PURPOSE, "isA", terms.iri("ehds:HealthcareScientificResearch")),
        Logic("or", tuple(Atom(terms.DISEASE, "isA", terms.kcd(one)) for one in ("E11", "N18"))),
        Atom(terms.IRB_DECISION, "isAnyOf", ("approved", "exempt")),
        Atom(terms.SPATIAL, "eq", "KR"),
    )
    assert [rule.action, rule.target, rule.assignee] == [terms.USE, "urn:d", "urn:a"]
    assert duty.action == terms.PUBLISH_RESULTS


@pytest.mark.parametrize("code", ["DUO:0000042", "obo:DUO_0000042", "http://purl.obolibrary.org/obo/DUO_0000042"])
def test_a_code_is_the_same_in_each_spelling(code):
    assert duo(code).permissions[0].constraints == (
        Atom(terms.PURPOSE, "isA", terms.iri("dpv:ResearchAndDevelopment")),
    )


@pytest.mark.parametrize("number", [4, 11, 12, 15, 16, 18, 20, 24, 26, 27, 28, 29, 43, 44, 45, 46, 99])
def test_a_code_without_a_clause_is_refused_by_its_number(number):
    with pytest.raises(Refusal) as refused:
        duo("DUO:0000042", f"DUO:{number:07}")
    assert [refused.value.code, refused.value.values["operand"]] == ["operand-without-gate", f"DUO:{number:07}"]


@pytest.mark.parametrize(
    "codes",
    [
        [],
        ["DUO:0000021"],
        ["DUO:0000042", "DUO:0000006"],
        ["DUO:0000007"],
        ["DUO:0000042", "DUO:0000022"],
        ["DUO:0000042", {"id": "DUO:0000025", "modifiers": ["2027-01-01"]}],
        ["DUO:0000042", {"id": "DUO:0000021", "modifiers": ["x"]}],
        [{"id": "DUO:0000042", "note": "x"}],
        [{"id": "DUO:0000007", "modifiers": [5]}],
        [{"id": "DUO:0000007", "modifiers": ["MONDO:0005148"]}],
        ["DUO:42"],
        [None],
        [[]],
    ],
)
def test_a_list_that_is_not_clear_is_refused(codes):
    with pytest.raises(Refusal) as refused:
        duo(*codes)
    assert refused.value.code == "policy-not-understood"


def test_nothing_may_stand_beside_the_list():
    with pytest.raises(Refusal):
        read({**HEAD, "duoDataUse": ["DUO:0000042"], "permission": [{"action": "use"}]})
    with pytest.raises(Refusal):
        read({**HEAD, "duoDataUse": "DUO:0000042"})
