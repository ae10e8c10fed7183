"""A no says why in both languages, and one change that would be enough; what people must review is never coached."""

import json

import pytest

from connector.policy.asking import answer
from connector.policy.service import Policies
from vocab import terms

POLICIES = Policies()
HEAD = {"@context": terms.MED_CONTEXT, "@type": "Agreement", "uid": "urn:p", "target": "urn:d", "assignee": "urn:a"}
QUESTION = {"action": "use", "target": "urn:d", "assignee": "urn:a", "now": "2026-11-24T00:00:00Z"}


def clause(left, operator, right, **more):
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


def ask(rule, /, prohibition=(), obligation=(), **question):
    parts = {
        "permission": [{"action": "use", **rule}],
        "prohibition": list(prohibition),
        "obligation": list(obligation),
    }
    document = {**HEAD, **{name: rules for name, rules in parts.items() if rules}}
    return answer(POLICIES, json.dumps(document).encode(), {**QUESTION, **question})


def changes(found):
    return [(one.get("operand", one.get("duty")), one["value"]) for one in found["sufficient"]["change"]]


COUNT, SPATIAL, PAY = terms.iri("odrl:count"), terms.SPATIAL, terms.iri("odrl:payAmount")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ask({"constraint": [clause("count", "lt", 5)]}, facts={"count": 7}), [(COUNT, 4)]),
        (ask({"constraint": [clause("count", "gt", 5)]}), [(COUNT, 6)]),
        (
            ask({"constraint": [clause("count", "lteq", 5), clause("spatial", "eq", "KR")]}, facts={"spatial": "US"}),
            [(COUNT, 5), (SPATIAL, "KR")],
        ),
        (ask({"duty": [{"uid": "urn:pay", "action": "compensate"}]}), [("urn:pay", "fulfilled")]),
        (
            ask({"constraint": [clause("payAmount", "gteq", 5, unit="urn:eur")]}, facts={"payAmount": 9}),
            [(PAY, 5_000_000)],
        ),
        (
            ask({"constraint": [clause("dateTime", "gteq", "2027-01-01T00:00:00Z")]}),
            [(terms.DATE_TIME, 1_798_761_600_000)],
        ),
        (
            ask({}, prohibition=[{"action": "use", "constraint": [clause("count", "gt", 5)]}], facts={"count": 9}),
            [(COUNT, 5)],
        ),
        (
            ask({}, obligation=[{"uid": "urn:o", "action": "delete"}], duties={"urn:o": "violated"}),
            [("urn:o", "fulfilled")],
        ),
        (
            ask({"constraint": [clause("language", "isAllOf", ["ko", "en"])]}, facts={"language": "ko"}),
            [(terms.iri("odrl:language"), ("en", "ko"))],
        ),
    ],
)
def test_one_sufficient_change_is_found(found, expected):
    assert found["allow"] is False
    assert changes(found) == expected


def test_what_is_suggested_is_enough():
    first = ask({"constraint": [clause("count", "lt", 5)]}, facts={"count": 7})
    again = ask({"constraint": [clause("count", "lt", 5)]}, facts={"count": changes(first)[0][1]})
    assert again["allow"] is True
    assert "sufficient" not in again


@pytest.mark.parametrize(
    "reviewed",
    [
        clause("purpose", "isA", "dpv:ResearchAndDevelopment"),
        clause("med:legalPurpose", "eq", "kr:scientificResearch"),
        clause("med:irbDecision", "eq", "approved"),
        clause("med:drbApproval", "eq", "approved"),
        clause("med:consentScope", "eq", "broad"),
    ],
)
def test_what_people_must_review_is_never_coached(reviewed):
    assert ask({"constraint": [reviewed]})["sufficient"] == {"found": "review"}
    assert ask({"constraint": [reviewed, clause("count", "lt", 5)]})["sufficient"] == {"found": "review"}


@pytest.mark.parametrize(
    "found",
    [
        ask({"constraint": [clause("dateTime", "lt", "2026-01-01T00:00:00Z")]}),
        ask({"constraint": [clause("elapsedTime", "lteq", "P1D")]}, agreed_at="2026-01-01T00:00:00Z"),
        ask({"constraint": [clause("count", "lt", 5), clause("spatial", "eq", "KR"), clause("language", "eq", "ko")]}),
        ask({}, target="urn:e"),
        ask({}, prohibition=[{"action": "use"}]),
        answer(POLICIES, b"{}", QUESTION),
    ],
)
def test_where_none_is_found_it_says_so(found):
    assert found["sufficient"] == {"found": "none"}


def test_each_reason_is_said_in_both_languages():
    found = ask({"constraint": [clause("spatial", "eq", "KR")]}, facts={"spatial": "US"})
    [reason] = found["reasons"]
    assert "KR" in reason["text"]["ko"]
    assert "US" in reason["text"]["en"]
    assert reason["text"]["ko"] != reason["text"]["en"]
    assert answer(POLICIES, b"{}", QUESTION)["reasons"][0]["text"].keys() == {"ko", "en"}
