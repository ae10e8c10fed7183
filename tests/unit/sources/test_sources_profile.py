"""What a profile may say, and what a study may ask for."""

from typing import Any

import pytest

from connector.sources.profile import COLUMNS, KR_MED_1, Profile, Role, chosen, read
from vocab import words
from vocab.errors import Refusal, render

GOOD = KR_MED_1.document()


def refused(document: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(document)
    return caught.value


def test_a_profile_reads_back_as_itself() -> None:
    assert read(GOOD) == KR_MED_1


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("profile-without-k", {"k": None}),
    ("profile-without-k", {"k": "5"}),
    ("profile-without-k", {"k": True}),
    ("k-too-low", {"k": 4}),
    ("plain-hash", {"pseudonym": "sha256"}),
    ("plain-hash", {"pseudonym": None}),
    ("free-text", {"rungs": GOOD["rungs"] | {"note": "as-is"}}),
    ("direct-identifier", {"rungs": GOOD["rungs"] | {"name": "as-is"}}),
    ("column-after-index", {"rungs": GOOD["rungs"] | {"egfr_followup": "5"}}),
    ("column-unknown", {"rungs": GOOD["rungs"] | {"shoe_size": "as-is"}}),
    ("profile-malformed", {"rungs": GOOD["rungs"] | {"age": "age; DROP TABLE raw"}}),
    ("profile-malformed", {"rungs": GOOD["rungs"] | {"age": ["exact"]}}),
    ("profile-malformed", {"rungs": {}}),
    ("profile-malformed", {"version": "1"}),
    ("profile-malformed", {"suppress": False}),
]


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_a_bad_profile_is_refused_for_its_reason(code: str, change: dict[str, Any]) -> None:
    refusal = refused(GOOD | change)
    assert refusal.code == code
    assert render(refusal, "ko").what != render(refusal, "en").what


def test_a_profile_that_does_not_mention_k_has_none() -> None:
    assert refused({name: value for name, value in GOOD.items() if name != "k"}).code == "profile-without-k"


def test_a_hospital_may_raise_k() -> None:
    assert read(GOOD | {"k": 10}).k == 10


def test_no_column_dated_after_the_index_date_has_a_way_out_but_the_outcome() -> None:
    late = {name for name, column in COLUMNS.items() if column.window[1] > 0}
    assert late & set(KR_MED_1.columns) == {"outcome"}
    assert {name for name in late if COLUMNS[name].role is Role.OUTCOME} == {"outcome"}


ASKED = [
    ("column-outside-permit", ("age", "ldl"), ("age", "outcome")),
    ("column-after-index", ("age", "egfr_followup"), ("age", "egfr_followup")),
    ("column-after-index", ("age", "egfr_followup"), ("age",)),
    ("direct-identifier", ("phone",), ("phone",)),
    ("free-text", ("note",), ("note",)),
    ("column-unknown", ("shoe_size",), ("shoe_size",)),
    ("column-unknown", (), ("age",)),
]


@pytest.mark.parametrize(("code", "columns", "permitted"), ASKED)
def test_a_column_that_may_not_leave_is_refused(
    code: str, columns: tuple[str, ...], permitted: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal) as caught:
        chosen(KR_MED_1, columns, permitted)
    assert caught.value.code == code


def test_columns_leave_in_the_profiles_order() -> None:
    assert chosen(KR_MED_1, ["outcome", "age"], KR_MED_1.columns) == ("age", "outcome")


def test_every_column_has_a_name_in_both_languages() -> None:
    for column in COLUMNS:
        assert words.word(f"column-{column}", "ko") != words.word(f"column-{column}", "en")


def test_quasi_identifiers_are_those_that_leave() -> None:
    profile: Profile = KR_MED_1
    assert profile.quasi_identifiers(("sex", "age", "bmi")) == ("age", "sex")
