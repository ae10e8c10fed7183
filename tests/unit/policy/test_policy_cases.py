"""The evaluator's own cases, run by the compiled release and by the twin: the expected answer, the same document."""

import orjson
import pytest
from odrlcases import cases, verdict

from connector.policy.engine import WasmEngine
from connector.policy.release import load
from vocab.odrl import twin

RELEASE = load(None)
ENGINE = WasmEngine(RELEASE.module, RELEASE.data)
CASES = list(cases())


@pytest.mark.parametrize("title", sorted({case.name.partition(" ")[0] for case in CASES}))
def test_each_case_has_its_answer_from_both_evaluators(title):
    wrong = []
    for case in (one for one in CASES if one.name.startswith(title + " ")):
        if case.given is None:
            seen = case.refused
        else:
            [found] = ENGINE.evaluate(("dure/odrl/decision",), orjson.dumps(case.given))
            assert found == twin.decide(case.given), case.name
            seen = verdict(found)
        if seen != case.expect:
            wrong.append(f"{case.name}: expected {case.expect}, seen {seen}")
    assert wrong == []


def test_there_are_cases_enough_and_they_say_yes_as_well_as_no():
    expected = [case.expect for case in CASES]
    assert len(CASES) >= 300
    assert expected.count("allowed") >= 100
    assert len(CASES) - expected.count("allowed") >= 100
