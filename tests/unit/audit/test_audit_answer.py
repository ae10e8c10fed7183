"""The answer follows from the entries alone: each condition of a right, and what is no basis of one."""

import itertools
from typing import Any

import pytest

from tests.unit.audit.audit_leaves import (
    A02,
    BEGINS,
    ENDS,
    H01,
    H03,
    HOUR,
    ON,
    OP,
    agreement,
    closing,
    decision,
    task,
)
from vocab.errors import Refusal
from vocab.records.use import DAY, Leaf, answer, day, leaves_of

STORY = [decision(), agreement(), task(), closing()]


def ask(leaves: list[Leaf], dataset: str = "D-H01-DM", on: str = ON) -> dict[str, Any]:
    return answer(leaves, OP, dataset, on)


def test_a_right_names_its_rule_its_time_and_what_was_done_under_it() -> None:
    found = ask(STORY)
    (right,) = found["could"]
    assert (right["applicant"], right["permit"], right["rule_set"]) == (A02, "permit-1", "kr-2025-12")
    assert (right["from"], right["until"]) == (BEGINS + HOUR, BEGINS + 3 * HOUR)
    assert (right["offer"], right["policy"], right["provider"]) == ("7" * 64, "6" * 64, H01)
    assert [one["task"] for one in right["did"]] == ["task-2"]
    assert leaves_of(found) == [0, 1, 2, 3]
    assert found["could_not"] == found["did_without"] == []


def test_the_order_in_which_entries_are_given_does_not_matter() -> None:
    assert all(ask(list(order)) == ask(STORY) for order in itertools.permutations(STORY))


@pytest.mark.parametrize(
    ("leaves", "why"),
    [
        ([decision()], "no-agreement"),
        ([decision(), agreement(whole=False)], "one-sided"),
        ([decision(), agreement(at=ENDS)], "not-that-day"),
        ([decision(until=BEGINS - 1), agreement()], "not-that-day"),
        ([decision(**{"from": ENDS}), agreement()], "not-that-day"),
        ([decision(), agreement(), closing(at=BEGINS)], "not-that-day"),
    ],
)
def test_a_right_with_a_condition_missing_is_none(leaves: list[Leaf], why: str) -> None:
    found = ask(leaves)
    assert found["could"] == []
    assert [one["why"] for one in found["could_not"]] == [why]


@pytest.mark.parametrize(
    "leaves",
    [
        [decision(author=A02), agreement()],
        [decision(datasets=["D-H03-DM"]), agreement()],
        [decision(datasets="D-H01-DM"), agreement()],
        [decision(permit=None), agreement()],
        [agreement(), task()],
    ],
)
def test_what_the_operator_did_not_decide_for_this_dataset_gives_no_right(leaves: list[Leaf]) -> None:
    found = ask(leaves)
    assert found["could"] == found["could_not"] == []


@pytest.mark.parametrize(
    "changed", [{"other": H03}, {"permit": "permit-2"}, {"dataset": "D-H03-DM", "author": H03}, {"policy": 5}]
)
def test_an_agreement_under_another_permit_or_with_another_party_gives_no_right(changed: dict[str, Any]) -> None:
    found = ask([decision(), agreement(**changed)])
    assert found["could"] == []
    assert [one["why"] for one in found["could_not"]] == ["no-agreement"]


def test_a_task_outside_every_right_is_named() -> None:
    late = task(started=BEGINS + 4 * HOUR)
    found = ask([decision(), agreement(), closing(), late])
    assert found["could"][0]["did"] == []
    assert [one["task"] for one in found["did_without"]] == ["task-2"]
    early = task(started=BEGINS + 1)
    assert ask([decision(), agreement(), early])["did_without"][0]["started"] == BEGINS + 1


def test_a_closing_that_the_provider_did_not_countersign_ends_nothing() -> None:
    for nothing in (closing(whole=False), closing(provider=H03)):
        assert ask([decision(), agreement(), nothing])["could"][0]["until"] == ENDS


def test_a_task_of_another_day_is_not_of_this_one() -> None:
    found = ask([decision(), agreement(), task(started=ENDS + 1)])
    assert found["could"][0]["did"] == found["did_without"] == []
    following = ask([decision(), agreement(), task(started=ENDS + 1)], on="2026-11-24")
    assert [one["task"] for one in following["could"][0]["did"]] == ["task-2"]


def test_a_task_on_two_hospitals_is_under_both_rights() -> None:
    two = [decision(), agreement(), agreement(4, "D-H03-DM", H03), task(5, ("agreement-1", "agreement-4"))]
    for dataset in ("D-H01-DM", "D-H03-DM"):
        assert [one["task"] for one in ask(two, dataset)["could"][0]["did"]] == ["task-5"]


def test_a_day_is_twenty_four_hours_of_korea() -> None:
    begins, ends = day("2026-11-23")
    assert (begins, ends - begins) == (1_795_359_600_000, DAY)
    for wrong in ("2026-02-30", "23.11.2026", "2026-1-1", "20261123", "", "2026-11-23T00"):
        with pytest.raises(Refusal, match="day-malformed"):
            day(wrong)
