"""`dure policy decide` and `dure policy vocabulary`: a question outside the gates, as scripts ask it."""

import json

import pytest

from connector.cli.main import main
from connector.policy.asking import answer, asked_of
from connector.policy.service import Policies
from vocab import terms
from vocab.profile import actions, concepts, operands

POLICIES = Policies()
POLICY = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Agreement",
    "uid": "urn:p",
    "target": "urn:d",
    "assignee": "urn:a",
    "permission": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:ResearchAndDevelopment"}],
        }
    ],
}
QUESTION = {
    "action": "med:train",
    "target": "urn:d",
    "assignee": "urn:a",
    "now": "2026-11-24T09:00:00+09:00",
    "facts": {"odrl:purpose": "dpv:NonCommercialResearch"},
}


def ask(tmp_path, capsys, policy, question):
    """Exit status and what was printed."""
    files = []
    for name, content in (("policy.jsonld", policy), ("request.json", question)):
        files.append(tmp_path / name)
        files[-1].write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["policy", "decide", *map(str, files), "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_an_allowed_question_ends_with_0(tmp_path, capsys):
    status, found = ask(tmp_path, capsys, POLICY, QUESTION)
    assert [status, found["allow"], found["reasons"]] == [0, True, []]
    assert found["revision"] == POLICIES.revision
    assert found["report"][0]["constraints"][0]["needed"] == terms.iri("dpv:ResearchAndDevelopment")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"facts": {}}, "odrl-unknown"),
        ({"facts": {"odrl:purpose": "urn:unheard"}}, "odrl-unknown"),
        ({"target": "urn:e"}, "odrl-unsatisfied"),
        ({"assignee": "urn:b"}, "odrl-unsatisfied"),
        ({"action": "odrl:sell"}, "odrl-unsatisfied"),
        ({"action": "med:unheard"}, "odrl-unsatisfied"),
    ],
)
def test_what_is_not_allowed_ends_with_1_and_its_reason(tmp_path, capsys, change, code):
    status, found = ask(tmp_path, capsys, POLICY, {**QUESTION, **change})
    assert [status, found["allow"], found["reasons"][0]["code"]] == [1, False, code]


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({**POLICY, "@context": "https://example.org/x"}, "context-not-understood"),
        ({**POLICY, "profile": "urn:x"}, "policy-not-understood"),
        ({**POLICY, "inheritFrom": "urn:q"}, "policy-inherits"),
        ("{", "message-malformed"),
        ('{"@type": "Set", "@type": "Offer"}', "message-malformed"),
        ([], "message-malformed"),
        ('{"x":' * 60 + "1" + "}" * 60, "message-malformed"),
        ({**POLICY, "permission": [POLICY["permission"][0]] * 10_000}, "message-too-large"),
    ],
)
def test_a_policy_that_cannot_be_read_is_a_no_with_its_code(tmp_path, capsys, policy, code):
    status, found = ask(tmp_path, capsys, policy, QUESTION)
    assert [status, found["allow"], found["reasons"][0]["code"]] == [1, False, code]


@pytest.mark.parametrize(
    "question",
    [
        "{",
        "[]",
        {},
        {name: value for name, value in QUESTION.items() if name != "now"},
        {**QUESTION, "now": "2026-11-24T09:00:00"},
        {**QUESTION, "now": 5},
        {**QUESTION, "target": ["urn:d"]},
        {**QUESTION, "target": "urn:dаta"},
        {**QUESTION, "facts": []},
        {**QUESTION, "duties": {"urn:x": "done"}},
        {**QUESTION, "part_of": {"urn:d": "urn:c"}},
        {**QUESTION, "policies": []},
        {**QUESTION, "agreed_at": "yesterday"},
        {**QUESTION, "fact": {}},
    ],
)
def test_a_malformed_question_ends_with_2(tmp_path, capsys, question):
    status, found = ask(tmp_path, capsys, POLICY, question)
    assert [status, found["code"]] == [2, "question-malformed"]


def test_a_file_that_is_not_there_is_a_malformed_question(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["policy", "decide", str(tmp_path / "no"), str(tmp_path / "no"), "--json"])
    assert [ended.value.code, json.loads(capsys.readouterr().out)["code"]] == [2, "question-malformed"]


def test_an_inherited_rule_counts(tmp_path, capsys):
    parent = {**POLICY, "uid": "urn:q", "permission": [], "prohibition": [{"action": "med:train"}]}
    child = {**POLICY, "inheritFrom": "urn:q"}
    status, found = ask(tmp_path, capsys, child, {**QUESTION, "policies": {"urn:q": parent}})
    assert [status, found["reasons"][0]["code"]] == [1, "odrl-prohibited"]
    status, _ = ask(tmp_path, capsys, child, {**QUESTION, "action": "use", "policies": {"urn:q": parent}})
    assert status == 0


def test_an_offer_grants_nothing_and_says_that_its_answer_is_hypothetical():
    found = answer(POLICIES, json.dumps({**POLICY, "@type": "Offer"}).encode(), QUESTION)
    assert [found["allow"], found["hypothetical"]] == [False, True]
    assert [one["needed"] for one in found["reasons"]] == ["Agreement"]


def test_our_clock_is_asked_and_no_fact_replaces_it():
    world = asked_of({**QUESTION, "facts": {"odrl:dateTime": "2020-01-01T00:00:00Z"}})["world"]
    assert world[terms.DATE_TIME] == 1_795_478_400_000


def test_collections_of_collections_are_collections():
    asked = asked_of({**QUESTION, "part_of": {"urn:d": ["urn:c"], "urn:c": ["urn:b"], "urn:b": ["urn:c"]}})
    assert asked["part_of"]["urn:d"] == ["urn:b", "urn:c"]


def test_a_failing_engine_is_a_no(monkeypatch):
    for broken in ([{}], [{"allow": True, "reasons": [{}]}], [None], [{"allow": 1, "reasons": []}]):
        policies = Policies()
        monkeypatch.setattr(policies._engine, "evaluate", lambda *_, broken=broken: broken)
        found = answer(policies, json.dumps(POLICY).encode(), QUESTION)
        assert [found["allow"], found["reasons"][0]["code"]] == [False, "engine-unavailable"]


def test_the_vocabulary_names_every_word(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["policy", "vocabulary", "--json"])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["namespace"] == terms.PREFIXES["med"]
    assert operands().keys() <= found["operands"].keys()
    assert actions().keys() <= found["actions"].keys()
    assert {one for scheme in found["hierarchies"].values() for one in scheme} == concepts().keys()
