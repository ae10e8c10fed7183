"""The compiled evaluator and its Python twin answer alike: whole documents, random inputs. The ring `conformance` asks
the real OPA, too, and thousands of them."""

import collections
import random

import orjson
import pytest
from randompolicies import document

from connector.policy.engine import WasmEngine
from connector.policy.release import load
from vocab.odrl import twin
from vocab.profile import OPERATORS

RELEASE = load(None)
ENGINE = WasmEngine(RELEASE.module, RELEASE.data)
ENTRY = ("dure/odrl/decision",)


@pytest.mark.parametrize("seed", range(3))
def test_both_evaluators_give_the_same_document(seed):
    rng = random.Random(f"twin-{seed}")
    for number in range(200):
        given = document(rng)
        [answer] = ENGINE.evaluate(ENTRY, orjson.dumps(given))
        assert answer == twin.decide(given), f"seed {seed}, input {number}: {orjson.dumps(given).decode()}"


def test_the_random_inputs_reach_every_state_and_both_answers():
    """A comparison of refusals with refusals would prove nothing."""
    rng, seen = random.Random("coverage"), collections.Counter()
    for _ in range(4000):
        given = document(rng)
        answer = twin.decide(given)
        duties = [*answer["obligations"], *(one for rule in answer["report"] for one in rule.get("duties", ()))]
        seen.update(("duty", one["state"], one["blocks"]) for one in duties)
        seen.update(("consequence", other["state"]) for one in duties for other in one["consequences"])
        seen.update(("operator", op, state) for rule in answer["report"] for op, state in compared(rule["constraints"]))
        seen[answer["allow"]] += 1
        for rule in answer["report"]:
            seen[rule["kind"], rule["state"]] += 1
            seen.update((clause.get("logic", "atom"), clause["state"]) for clause in rule["constraints"])
        seen.update(reason["code"] for reason in answer["reasons"])
    for kind in ("permission", "prohibition"):
        for state in ("satisfied", "unsatisfied", "unknown", "later", "inapplicable"):
            assert seen[kind, state] > 10, (kind, state)
    for word in ("atom", "and", "or", "xone", "andSequence"):
        for state in ("satisfied", "unsatisfied", "unknown", "later"):
            assert seen[word, state] > 3, (word, state)
    for op in {one for operators in OPERATORS.values() for one in operators}:
        for state in ("satisfied", "unsatisfied", "unknown"):
            assert seen["operator", op, state], (op, state)
    for state in ("due", "pending", "fulfilled", "overdue", "violated", "inactive", "unknown"):
        assert seen["duty", state, True] + seen["duty", state, False], state
        assert state == "due" or seen["consequence", state], state
    assert seen[True] > 100
    assert seen[False] > 100
    assert {"odrl-prohibited", "odrl-conflict", "odrl-duty"} <= seen.keys()
    assert {"odrl-unsatisfied", "odrl-unknown", "purpose-outside-offer", "job-limit"} <= seen.keys()


def compared(clauses):
    """The operator and state of every comparison."""
    for one in clauses:
        yield from compared(one["of"]) if "of" in one else [(one["operator"], one["state"])]


@pytest.mark.parametrize(
    "broken", ["x", 7, None, [], {"kind": "Agreement"}, {"kind": "Agreement", "permissions": [{}]}]
)
def test_a_policy_that_cannot_be_read_is_a_no(broken):
    given = document(random.Random(1)) | {"policy": broken}
    [answer] = ENGINE.evaluate(ENTRY, orjson.dumps(given))
    assert answer["allow"] is False
    assert answer["reasons"][0]["code"] == "odrl-unknown"


@pytest.mark.parametrize("junk", ["x", 7, None, [], [[]]])
def test_a_constraint_that_cannot_be_read_never_disappears(junk):
    """The trap of every Rego evaluator: a comprehension drops what is undefined, and the permission becomes broader."""
    rng = random.Random("junk")
    for _ in range(200):
        given = document(rng)
        if not given["policy"] or not given["policy"]["permissions"]:
            continue
        for rule in given["policy"]["permissions"]:
            rule["constraints"].insert(0, junk)
        [answer] = ENGINE.evaluate(ENTRY, orjson.dumps(given))
        assert answer["allow"] is False
