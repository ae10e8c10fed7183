"""The automatic checks of what wants to leave the zone: one set of files, against what this study released before.

Pure: bytes in, findings out. Nothing a stranger wrote is opened by more than the standard library, and nothing found is
quoted. research/compute.md 2.1-2.3; thresholds are the board's table.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from .differencing import MAX_CELLS, contradictions, overlaps, revealed
from .findings import Finding
from .formats import Form, form
from .strict import NotStrict, either, fields, named, number, parse, text
from .tables import Cell, read

MAX_FILES: Final = 50
#: The most bytes of each form. A model's capacity is bounded apart; these keep a checker from being drowned.
MAX_BYTES: Final[Mapping[Form, int]] = {Form.ONNX: 32_000_000, Form.JSON: 64_000, Form.CSV: 64_000}
KINDS: Final[Mapping[Form, str]] = {Form.ONNX: "model", Form.JSON: "metric", Form.CSV: "aggregate"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,119}")
_WORD: Final = r"[a-z][a-z0-9_]{0,39}"
_DIGITS: Final = 6

#: The metrics file: a format, and numbers by name, at most one level of groups. No text, no lists.
METRICS: Final = fields(
    format=text("dure-metrics-1"),
    metrics=named(_WORD, either(number(), named(_WORD, number(), 40)), 100),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks say of one file. `kind` is what it is, not what its author calls it."""

    name: str
    kind: str
    form: str
    bytes: int
    sha256: str
    findings: tuple[Finding, ...]

    def facts(self) -> Mapping[str, Any]:
        """What the egress gate is told of this file."""
        return {
            "name": self.name,
            "kind": self.kind,
            "format": self.form,
            "structural_ok": self.form != "other",
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """All files, and the cells that enter the ledger once they are released."""

    files: tuple[Checked, ...]
    cells: Mapping[str, tuple[Cell, ...]]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, file by file."""
        return tuple(finding for file in self.files for finding in file.findings)


def check(
    files: Mapping[str, bytes],
    *,
    smallest: int,
    columns: Collection[str],
    ledger: Sequence[Cell],
    reencoded: Collection[str],
) -> Outcome:
    """The files of one request.

    `smallest` is the board's smallest cell, `columns` are the permit's, `ledger` holds the cells that this study has
    released, `reencoded` the sha256 of each model that the zone's own code wrote.
    """
    if len(files) > MAX_FILES:
        names = [Finding("too-large", name, f"<= {MAX_FILES} files", f"{len(files)}") for name in files]
        return Outcome(tuple(_checked(item.file, files[item.file], None, [item]) for item in names), {})
    found: dict[str, list[Finding]] = {name: [] for name in files}
    forms = {name: _form(name, raw, reencoded, found[name]) for name, raw in files.items()}
    cells: dict[str, tuple[Cell, ...]] = {}
    for name, seen in forms.items():
        if seen is Form.JSON:
            found[name] += _metrics(name, files[name], smallest)
        elif seen is Form.CSV:
            table, wrong = read(name, files[name], columns)
            found[name] += wrong or _small(name, table, smallest)
            cells[name] = tuple(table)
    for finding in _together(cells, ledger, smallest):
        found[finding.file].append(finding)
    return Outcome(tuple(_checked(name, files[name], forms[name], found[name]) for name in files), cells)


def _form(name: str, raw: bytes, reencoded: Collection[str], found: list[Finding]) -> Form | None:
    if not _NAME.fullmatch(name):
        found.append(Finding("format-refused", "?", "a plain name", "a name with other characters"))
    seen, what = form(raw, reencoded)
    if seen is None:
        found.append(Finding("format-refused", name, "onnx, json or csv", what))
    elif len(raw) > MAX_BYTES[seen]:
        found.append(Finding("too-large", name, f"<= {MAX_BYTES[seen]} bytes", f"{len(raw)}"))
        return None
    return seen


def _checked(name: str, raw: bytes, seen: Form | None, findings: list[Finding]) -> Checked:
    persons = any(finding.code == "record-level" for finding in findings)
    kind = "record" if persons else KINDS[seen] if seen else "other"
    return Checked(name, kind, seen or "other", len(raw), sha256(raw).hexdigest(), tuple(findings))


def _metrics(name: str, raw: bytes, smallest: int) -> Iterator[Finding]:
    """A metrics file holds no text, no lists, no counts of few, and no number fine enough to carry something else."""
    try:
        value = parse(raw, MAX_BYTES[Form.JSON])
    except NotStrict as wrong:
        yield Finding("format-refused", name, "plain JSON", wrong.where)
        return
    misfit = METRICS(value, "$")
    if misfit is not None:
        yield Finding("metrics-shape", name, "numbers by name", misfit if len(misfit) < 80 else "$")
        return
    for where, item in _numbers(value["metrics"], "$"):
        if isinstance(item, int) and abs(item) < smallest:
            yield Finding("small-cell", name, f">= {smallest}", where)
        if isinstance(item, float) and float(f"{item:.{_DIGITS}g}") != item:
            yield Finding("too-precise", name, f"<= {_DIGITS} digits", where)


def _numbers(value: Mapping[str, Any], where: str) -> Iterator[tuple[str, int | float]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _numbers(item, f"{where}.{name}")
        else:
            yield f"{where}.{name}", item


def _small(name: str, cells: Sequence[Cell], smallest: int) -> list[Finding]:
    places = dict.fromkeys(cell.source.rpartition(":")[2] for cell in cells if cell.count < smallest)
    return [Finding("small-cell", name, f">= {smallest}", f"row {place}") for place in places]


def _together(cells: Mapping[str, tuple[Cell, ...]], ledger: Sequence[Cell], smallest: int) -> Iterator[Finding]:
    """What the new tables say with each other and with those already out."""
    new = [cell for table in cells.values() for cell in table]
    every = [*ledger, *new]
    if not new:
        return
    if len(every) > MAX_CELLS:
        yield from (Finding("too-large", name, f"<= {MAX_CELLS} cells a study", f"{len(every)}") for name in cells)
        return
    before = {item.group for item in revealed(ledger, smallest)}
    marks = [(item.sources, f">= {smallest}", " - ") for item in revealed(every, smallest) if item.group not in before]
    marks += [((one.source, other.source), "=", " != ") for one, other in contradictions(every)]
    seen: set[tuple[str, str]] = set()
    for sources, needed, sign in marks:
        places = sign.join(dict.fromkeys(sources))[:200]
        involved = [name for name in cells if any(source.rpartition(":")[0] == name for source in sources)]
        for name in involved or cells:
            if (name, places) not in seen:
                seen.add((name, places))
                yield Finding("differencing", name, needed, places)
    for dimension, band, other in overlaps(every):
        for name, table in cells.items():
            if any(dimension in dict(cell.where) for cell in table):
                yield Finding("differencing", name, "=", f"{dimension}: {band} / {other}")
