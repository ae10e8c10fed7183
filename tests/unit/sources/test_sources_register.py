"""The 28-4 register as a file."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

from connector.sources.register import HEADERS, Entry, render


def at(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


ENTRY = Entry(
    study="urn:uuid:1",
    dataset="D-H01-DM",
    purpose="당뇨 환자의 만성콩팥병 예측",
    legal_basis="과학적 연구 (PIPA 28-2)",
    items=("age", "sex"),
    patients=19_308,
    recipient="프리딕트",
    place="P01",
    begins_at=at(2026, 11, 23),
    ends_at=at(2027, 2, 21),
    use="모델 학습",
    processed_by="steward",
    accepted_by="second",
    processed_at=at(2026, 11, 23, 16),
    destroyed_at=None,
)


def rows(*entries: Entry) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(entries))))


def test_the_register_says_what_the_law_asks_for_in_its_words() -> None:
    [row] = rows(ENTRY)
    assert tuple(row) == HEADERS
    assert row["처리 목적"] == ENTRY.purpose
    assert row["가명처리한 개인정보 항목"] == "age, sex"
    assert row["제공받는 자"] == "프리딕트"
    assert (row["처리 시작일"], row["처리 종료일"]) == ("2026-11-23", "2027-02-21")
    assert row["파기일"] == row["기록 보존 기한"] == ""


def test_days_are_korean_days() -> None:
    assert rows(ENTRY)[0]["가명처리일"] == "2026-11-24"


def test_a_row_is_kept_three_years_beyond_destruction() -> None:
    assert replace(ENTRY, destroyed_at=at(2027, 2, 22)).keep_until == date(2030, 2, 22)
    assert replace(ENTRY, destroyed_at=at(2028, 2, 29)).keep_until == date(2031, 3, 1)


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    assert rows(replace(ENTRY, purpose="=1+1"))[0]["처리 목적"] == "'=1+1"
