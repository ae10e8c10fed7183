"""The twin, the compiled module on wasmtime and the real OPA answer alike, document for document: the evaluator's own
cases, and 15,000 random policies and questions, the gates among them.
"""

import os
import random
import shutil
import sys
from pathlib import Path

import orjson
import pytest

from connector.policy.engine import WasmEngine
from connector.policy.release import load
from tests.tools.realopa import by_opa
from vocab.odrl import twin

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "unit" / "policy"))
from odrlcases import cases, verdict  # noqa: E402
from randompolicies import STRANGE, document  # noqa: E402
from studyfacts import NOW, REQUESTS, facts  # noqa: E402

INSTALL = "sh tests/tools/install-opa /usr/local/bin"
BATCH, BATCHES = 1_000, 15
RELEASE = load(None)
ENGINE = WasmEngine(RELEASE.module, RELEASE.data)


@pytest.fixture(scope="module")
def opa() -> str:
    found = shutil.which("opa")
    if found is None:
        if os.environ.get("DURE_CI"):
            pytest.fail(f"opa is missing: {INSTALL}")
        pytest.skip(f"opa is missing: {INSTALL}")
    return found


def by_wasm(given):
    return [ENGINE.evaluate(("dure/odrl/decision",), orjson.dumps(one))[0] for one in given]


def changed(rng):
    """A gate's input: the study in order, but for some facts that are strange, absent or of another time."""
    gate = rng.choice(list(REQUESTS))
    known = facts()
    for name in rng.sample(list(known), rng.choice([0, 0, 1, 2, 4])):
        if isinstance(known[name], dict) and known[name] and rng.random() < 0.8:
            field = rng.choice(list(known[name]))
            known[name][field] = rng.choice([*STRANGE, known[name][field], "full", 5])
        else:
            known[name] = rng.choice(STRANGE)
    step = {"step": rng.choice(["check", "review", "release", None])} if gate == "egress" else {}
    stage = {"stage": rng.choice(["negotiate", "transfer", "submit", "egress", "x"])} if gate == "hold" else {}
    now = rng.choice([NOW, NOW, 0, NOW * 2])
    return {"gate": gate.value, "now": now, "facts": known, "request": {**REQUESTS[gate], **step, **stage}}


def test_the_cases_have_their_answers_from_the_real_opa(opa, tmp_path):
    asked = [case for case in cases() if case.given is not None]
    answers = by_opa(opa, tmp_path, [case.given for case in asked])
    assert [case.name for case, answer in zip(asked, answers, strict=True) if verdict(answer) != case.expect] == []
    assert answers == by_wasm([case.given for case in asked]) == [twin.decide(case.given) for case in asked]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_random_question_is_answered_differently(opa, tmp_path, batch):
    rng = random.Random(f"engines-{batch}")
    given = [document(rng) for _ in range(BATCH)]
    answers = by_opa(opa, tmp_path, given)
    for one, answer, compiled in zip(given, answers, by_wasm(given), strict=True):
        assert answer == compiled == twin.decide(one), orjson.dumps(one).decode()


@pytest.mark.timeout(120)
def test_no_gate_answers_differently(opa, tmp_path):
    rng = random.Random("gates")
    given = [changed(rng) for _ in range(2 * BATCH)]
    answers = by_opa(opa, tmp_path, given, "gates")
    for one, answer in zip(given, answers, strict=True):
        [compiled] = ENGINE.evaluate((f"dure/gates/{one['gate']}/decision",), orjson.dumps(one))
        assert answer == compiled, orjson.dumps(one).decode()
    assert sum(answer["allow"] for answer in answers) > BATCH / 10
