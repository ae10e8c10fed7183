"""The tables of a task and of a study's end, pair by pair."""

import itertools

import pytest

from compute.deletion import states as study
from compute.tasks import states as task
from vocab.errors import Refusal

TASK = list(itertools.product(task.State, task.Event))
STUDY = list(itertools.product(study.State, study.Event))


@pytest.mark.parametrize(("state", "event"), [pair for pair in TASK if pair not in task.TRANSITIONS])
def test_what_a_tasks_table_does_not_name_is_refused(state: task.State, event: task.Event) -> None:
    with pytest.raises(Refusal):
        task.after(state, event)


@pytest.mark.parametrize(("state", "event"), [pair for pair in STUDY if pair not in study.TRANSITIONS])
def test_what_a_studys_table_does_not_name_is_refused(state: study.State, event: study.Event) -> None:
    with pytest.raises(Refusal):
        study.after(state, event)


def test_whatever_had_walls_ends_only_through_shredding() -> None:
    before_end = {state for (state, _), leads in task.TRANSITIONS.items() if leads is task.State.ENDED}
    assert before_end == {*task.UNTOUCHED, task.State.SHREDDING}


def test_every_state_that_has_walls_can_fail() -> None:
    walls = set(task.State) - task.UNTOUCHED - {task.State.SHREDDING, task.State.ENDED}
    assert {state for state, event in task.TRANSITIONS if event is task.Event.FAIL} == walls


def test_an_ended_task_and_a_closed_study_move_no_more() -> None:
    assert not [pair for pair in task.TRANSITIONS if pair[0] is task.State.ENDED]
    assert not [pair for pair in study.TRANSITIONS if pair[0] is study.State.CLOSED]


def test_every_state_that_waits_has_a_deadline() -> None:
    assert set(task.State) - set(task.DEADLINES) == {task.State.RUNNING, task.State.ENDED}


@pytest.mark.parametrize("state", [one for one in task.State if one is not task.State.ENDED])
def test_tes_says_complete_only_at_the_end(state: task.State) -> None:
    assert task.tes(state, task.Outcome.COMPLETE, False) in ("QUEUED", "INITIALIZING", "RUNNING")
    assert task.tes(state, None, True) == "CANCELING"
    assert task.tes(task.State.ENDED, task.Outcome.COMPLETE, True) == "COMPLETE"
