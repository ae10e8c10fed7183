"""The register that PIPA 28-4(3) asks for: what was pseudonymised, for what, for whom, how long, when destroyed.

Rows are kept three years beyond destruction. Pure: the service stores them, this renders them.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

_KEPT_YEARS: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. Times are milliseconds UTC; the days shown are Korean days."""

    study: str
    dataset: str
    purpose: str
    legal_basis: str
    items: tuple[str, ...]
    patients: int
    recipient: str
    place: str
    begins_at: int
    ends_at: int
    use: str
    processed_by: str
    accepted_by: str
    processed_at: int
    destroyed_at: int | None

    @property
    def keep_until(self) -> date | None:
        """Until when this row must be kept; open as long as the data are not destroyed."""
        if self.destroyed_at is None:
            return None
        destroyed = _day(self.destroyed_at)
        try:
            return destroyed.replace(year=destroyed.year + _KEPT_YEARS)
        except ValueError:  # 29 February has no third anniversary: the day after it counts
            return date(destroyed.year + _KEPT_YEARS, 3, 1)


#: Headers of the CSV, in the law's words, and what stands under them.
HEADERS: Final = (
    "연구 번호",
    "데이터셋",
    "처리 목적",
    "법적 근거",
    "가명처리한 개인정보 항목",
    "정보주체 수",
    "제공받는 자",
    "처리 장소",
    "처리 시작일",
    "처리 종료일",
    "이용 내역",
    "처리자",
    "적정성 검토자",
    "가명처리일",
    "파기일",
    "기록 보존 기한",
)


def render(entries: Iterable[Entry]) -> str:
    """The register as CSV with Korean headers, safe to open in a spreadsheet (begin the file with a BOM for Excel)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADERS)
    for entry in entries:
        writer.writerow([_cell(value) for value in _row(entry)])
    return text.getvalue()


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        *(entry.study, entry.dataset, entry.purpose, entry.legal_basis),
        ", ".join(entry.items),
        *(entry.patients, entry.recipient, entry.place),
        *(_day(entry.begins_at), _day(entry.ends_at)),
        *(entry.use, entry.processed_by, entry.accepted_by),
        _day(entry.processed_at),
        _day(entry.destroyed_at) if entry.destroyed_at is not None else None,
        entry.keep_until,
    )


def _cell(value: object) -> str:
    """A spreadsheet must not take a cell for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


#: Korean time has had no summer time since 1988.
_KST_MS: Final = 9 * 60 * 60 * 1000


def _day(at: int) -> date:
    return datetime.fromtimestamp((at + _KST_MS) / 1000, UTC).date()
