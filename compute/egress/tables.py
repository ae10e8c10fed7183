"""Aggregate tables: what one is, and its cells as conditions with a count, so that tables can be compared.

A table is CSV without quotes: a header; up to three dimension columns, each a column of the permit, `hospital` or
`part`; one `count` of patients; optional `n_...` columns, each the count of those patients to whom something more
applies. A dimension's value may be `all` (전체): then the row is a margin. Each row is one cell; `n_x` is that cell
with "x" added.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .findings import Finding

COUNT: Final = "count"
MARGINS: Final = frozenset({"all", "전체", "합계"})
MAX_DIMENSIONS: Final = 3
MAX_ROWS: Final = 500
MAX_COLUMNS: Final = 8
#: Dimensions that are no column of a snapshot.
OWN: Final = frozenset({"hospital", "part"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")
#: A value of a dimension: a category or a band, one or two short words.
_VALUE: Final = re.compile(r"[<>]?=?[0-9A-Za-z가-힣.+≥≤-]{1,16}(?: [0-9A-Za-z가-힣.+-]{1,16})?")
#: Names and values that stand for one person.
_PERSON: Final = re.compile(r"(?:^|_)(?:pseudonym|patient|subject|person|record|row|id|uid|mrn|name)(?:$|_)")
_TOKEN: Final = re.compile(r"[0-9a-fA-F-]{16,}|[A-Za-z0-9_+/-]{20,}={0,2}|[0-9]{7,}|[0-9]{3,6}-[0-9-]{6,}")

Where = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cell:
    """How many patients meet a set of conditions, and where that was said."""

    where: Where
    count: int
    source: str

    def to_json(self) -> Mapping[str, Any]:
        """As the release ledger keeps it."""
        return {"where": dict(sorted(self.where)), "count": self.count, "source": self.source}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Cell":
        """The cell that the ledger kept."""
        return cls(frozenset(value["where"].items()), value["count"], value["source"])


def read(name: str, raw: bytes, columns: Collection[str]) -> tuple[list[Cell], list[Finding]]:
    """The cells of a table, or the reasons why it is none."""
    lines = raw.decode("utf-8").removesuffix("\n").split("\n")
    rows = [line.removesuffix("\r").split(",") for line in lines[: MAX_ROWS + 2]]
    header, body = rows[0], rows[1:]
    found = list(_shape(name, header, body, columns))
    if found:
        return [], found
    cells = [cell for place, row in enumerate(body, start=2) for cell in _cells(f"{name}:{place}", header, row)]
    if len({cell.where for cell in cells}) < len(cells):
        return [], [Finding("record-level", name, "each row another group", "one group in several rows")]
    if not cells or 2 * sum(cell.count == 1 for cell in cells) > len(cells):
        return [], [Finding("record-level", name, "counts of patients", "rows of single patients")]
    return cells, []


def _shape(name: str, header: list[str], body: list[list[str]], columns: Collection[str]) -> Iterator[Finding]:
    """Everything that keeps a CSV from being a table; the first kind found is the one that says most."""
    values = {value for row in body for value in row}
    if any(_PERSON.search(title) for title in header) or any(_TOKEN.fullmatch(value) for value in values):
        yield Finding("record-level", name, "an aggregate table", "a column that names persons")
        return
    if COUNT not in header:
        yield Finding("record-level", name, f"a column {COUNT}", f"{len(body)} rows without counts")
        return
    wrong = _malformed(header, body, columns)
    if wrong:
        yield Finding("table-shape", name, *wrong)
        return
    dimensions = _dimensions(header)
    for place, row in enumerate(body, start=2):
        cells = dict(zip(header, row, strict=True))
        if any(not _VALUE.fullmatch(cells[title]) for title in dimensions):
            yield Finding("text-in-table", name, "a category or a band", f"row {place}")
        if any(not _NUMBER.fullmatch(value) for title, value in cells.items() if title not in dimensions):
            yield Finding("table-shape", name, "whole numbers", f"row {place}")


def _malformed(header: list[str], body: list[list[str]], columns: Collection[str]) -> tuple[str, str] | None:
    """What is needed and what is seen, or None."""
    dimensions = _dimensions(header)
    foreign = [title for title in dimensions if title not in columns and title not in OWN]
    rules = (
        (len(header) <= MAX_COLUMNS, f"<= {MAX_COLUMNS} columns", f"{len(header)}"),
        (
            all(map(_NAME.fullmatch, header)) and len(set(header)) == len(header),
            "plain column names, each once",
            "header",
        ),
        (len(dimensions) <= MAX_DIMENSIONS, f"<= {MAX_DIMENSIONS} dimensions", f"{len(dimensions)}"),
        (not foreign, "dimensions of the permit", f"{len(foreign)} others"),
        (len(body) <= MAX_ROWS, f"<= {MAX_ROWS} rows", "more"),
        (all(len(row) == len(header) for row in body), f"{len(header)} values a row", "another number"),
    )
    return next(((needed, seen) for holds, needed, seen in rules if not holds), None)


def _dimensions(header: list[str]) -> list[str]:
    return [title for title in header if title != COUNT and not title.startswith("n_")]


def _cells(source: str, header: list[str], row: list[str]) -> Iterator[Cell]:
    values = dict(zip(header, row, strict=True))
    where = frozenset((title, values[title]) for title in _dimensions(header) if values[title] not in MARGINS)
    yield Cell(where, int(values[COUNT]), source)
    for title in header:
        if title.startswith("n_"):
            yield Cell(where | {(title, "yes")}, int(values[title]), source)
