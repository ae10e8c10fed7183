"""The compiled evaluator and its Python twin answer alike: whole documents, thousands of random inputs."""

import collections
import random

import orjson
import pytest
from randompolicies import document

from connector.policy.engine import WasmEngine
from connector.policy.release import load
from vocab.odrl import twin

RELEASE = load(None)
ENGINE = WasmEngine(RELEASE.module, RELEASE.data)
ENTRY = ("dure/odrl/decision",)


@pytest.mark.parametrize("seed", range(8))
def test_both_evaluators_give_the_same_document(seed):
    rng = random.Random(f"twin-{seed}")
    for number in range(500):
        given = document(rng)
        [answer] = ENGINE.evaluate(ENTRY, orjson.dumps(given))
        assert answer == twin.decide(given), f"seed {seed}, input {number}: {orjson.dumps(given).decode()}"


def test_the_random_inputs_reach_every_state_and_both_answers():
    """A comparison of refusals with refusals would prove nothing."""
    rng, seen = random.Random("coverage"), collections.Counter()
    for _ in range(1500):
        answer = twin.decide(document(rng))
        seen[answer["allow"]] += 1
        for rule in answer["report"]:
            seen[rule["kind"], rule["state"]] += 1
            seen.update((clause.get("logic", "atom"), clause["state"]) for clause in rule["constraints"])
        seen.update(reason["code"] for reason in answer["reasons"])
    for kind in ("permission", "prohibition"):
        for state in ("satisfied", "unsatisfied", "unknown", "later", "inapplicable"):
            assert seen[kind, state] > 10, (kind, state)
    for word in ("atom", "and", "or", "xone"):
        for state in ("satisfied", "unsatisfied", "unknown", "later"):
            assert seen[word, state] > 3, (word, state)
    assert seen[True] > 100
    assert seen[False] > 100
    assert {"odrl-prohibited", "odrl-unsatisfied", "odrl-unknown", "purpose-outside-offer", "job-limit"} <= seen.keys()


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
