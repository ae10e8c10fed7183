"""A settlement run: lines, totals and everything that they were computed from, under one digest."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from vocab.money.facts import Facts
from vocab.money.lines import Line, lines
from vocab.money.tariff import Tariff
from vocab.records.envelope import digest

#: Names the way of computing; another way has another name.
FORMULA: Final = "dure-settlement-1"


@dataclass(frozen=True, slots=True)
class Range:
    """The part of the log that a run was computed from: its first `size` entries, under `root` (hex)."""

    origin: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a study. `body` is plain JSON with integers only: whoever computes the same gets the same digest."""

    body: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical body: what the log shows of the run."""
        return digest(self.body)

    @property
    def id(self) -> str:
        """The run's name: it follows from what it says."""
        return f"run-{self.digest[:32]}"


def settle(facts: Facts, tariff: Tariff, log: Range, *, settled: Collection[str] = (), code: str) -> Run:
    """The run over these facts. `settled`: receipts that earlier runs paid. `code`: digest of what computes it."""
    found = lines(facts, tariff, settled)
    body = {
        "formula": FORMULA,
        "code": code,
        "study": facts.study,
        "operator": facts.operator,
        "log": {"origin": log.origin, "size": log.size, "root": log.root},
        "tariff": tariff.to_json(),
        "settled": sorted(settled),
        "lines": [line.to_json() for line in found],
        "held": [{**held.source.to_json(), "why": held.why} for held in facts.held],
        "totals": totals(found),
    }
    return Run(body, found)


def totals(found: Iterable[Line]) -> dict[str, dict[str, int]]:
    """What each party owes and is owed, by its id. The two sums over all parties are equal."""
    sums: dict[str, dict[str, int]] = {}
    for line in found:
        for party, side in ((line.payer, "payable_won"), (line.payee, "receivable_won")):
            sums.setdefault(party, {"payable_won": 0, "receivable_won": 0})[side] += line.won
    return dict(sorted(sums.items()))


@cache
def code_digest() -> str:
    """Names the code that computes: SHA-256 over the names and bytes of this package's modules."""
    found = hashlib.sha256()
    for file in sorted(files("vocab.money").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".py"):
            data = file.read_bytes()
            found.update(f"{file.name} {len(data)}\n".encode() + data)
    return found.hexdigest()
