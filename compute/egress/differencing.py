"""What tables say together: no group that nobody published may be found, small, by subtracting published ones.

Every margin is the sum of its parts and a rest. From the published counts, bounds go through these sums until nothing
moves (the "shuttle" of Buzzigoli and Giusti, 1999); an unpublished group that is bounded below the smallest cell is a
finding. Bounds found this way are sound but not always the tightest: a linear programme could know more.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from .tables import Cell, Where

ROUNDS: Final = 30
MAX_CELLS: Final = 1_000
#: Conditions of an `n_...` column have one part, "yes": their rest is everyone else.
YES: Final = "yes"

#: A group: the cell with these conditions; or, with a dimension's name, the rest of that cell beyond its known parts.
Group = tuple[Where, str | None]


@dataclass(frozen=True, slots=True)
class Revealed:
    """A group that the tables give away, and the places that do it."""

    group: Group
    sources: tuple[str, ...]


@dataclass(slots=True)
class _Bounds:
    """What is known of every group so far, and which published cells said it."""

    low: dict[Group, float] = field(default_factory=lambda: defaultdict(float))
    high: dict[Group, float] = field(default_factory=lambda: defaultdict(lambda: math.inf))
    by: dict[Group, tuple[str, ...]] = field(default_factory=dict)
    moved: bool = True

    def narrow(self, group: Group, low: float, high: float, by: tuple[str, ...]) -> None:
        """Keep the tighter bound."""
        if low > self.low[group]:
            self.low[group], self.moved = low, True
        if high < self.high[group]:
            self.high[group], self.moved, self.by[group] = high, True, by


def revealed(published: Sequence[Cell], smallest: int) -> list[Revealed]:
    """Every group below `smallest` that follows from the published cells without being one of them."""
    known = {cell.where: cell for cell in published}
    sums = _sums(known)
    bounds = _Bounds()
    for cell in published:
        bounds.narrow((cell.where, None), cell.count, cell.count, (cell.source,))
    for _ in range(ROUNDS):
        if not bounds.moved:
            break
        bounds.moved = False
        for parent, children, rest in sums:
            _through(bounds, known, parent, children, rest)
        _inherit(bounds, sums)
    groups = [
        group for group, high in list(bounds.high.items()) if high < smallest and not _harmless(group, high, known)
    ]
    return [Revealed(group, bounds.by[group]) for group in groups]


def contradictions(published: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Pairs of cells that cannot both be of this study's patients: one group counted twice, or more than its whole.

    Two counts of one group are two populations, and their difference may be one patient.
    """
    first: dict[Where, Cell] = {}
    found = []
    for cell in published:
        other = first.setdefault(cell.where, cell)
        if other.count != cell.count:
            found.append((other, cell))
    for pair in combinations(first.values(), 2):
        for whole, part in (pair, pair[::-1]):
            if whole.where < part.where and whole.count < part.count:
                found.append((whole, part))
    return found


def overlaps(published: Iterable[Cell]) -> list[tuple[str, str, str]]:
    """Bands of one dimension that overlap without being equal, as (dimension, band, other band)."""
    values: dict[str, set[str]] = defaultdict(set)
    for cell in published:
        for dimension, value in cell.where:
            values[dimension].add(value)
    found = []
    for dimension, bands in sorted(values.items()):
        ranges = {band: span for band in bands if (span := _span(band))}
        for (one, a), (other, b) in combinations(sorted(ranges.items()), 2):
            if a[0] < b[1] and b[0] < a[1]:
                found.append((dimension, one, other))
    return found


def _sums(known: Mapping[Where, Cell]) -> list[tuple[Group, list[Group], Group]]:
    """Every margin with its parts by one more dimension, wherever some table goes into that dimension."""
    values: dict[str, set[str]] = defaultdict(set)
    families: set[frozenset[str]] = set()
    margins: set[Where] = set()
    for where in known:
        families.add(frozenset(dimension for dimension, _ in where))
        for size in range(len(where) + 1):
            margins.update(map(frozenset, combinations(sorted(where), size)))
        for dimension, value in where:
            values[dimension].add(value)
    families |= {
        frozenset(part) for family in families for size in range(len(family)) for part in combinations(family, size)
    }
    found: list[tuple[Group, list[Group], Group]] = []
    for margin in sorted(margins, key=sorted):
        own = frozenset(dimension for dimension, _ in margin)
        for dimension in sorted(values.keys() - own):
            if own | {dimension} in families:
                parts: list[Group] = [(margin | {(dimension, value)}, None) for value in sorted(values[dimension])]
                found.append(((margin, None), parts, (margin, dimension)))
    return found


def _through(bounds: _Bounds, known: Mapping[Where, Cell], whole: Group, parts: list[Group], rest: Group) -> None:
    """Bounds through one sum: whole = parts + rest, nothing below zero."""
    terms = [*parts, rest]
    lows = sum(bounds.low[term] for term in terms)
    highs = [bounds.high[term] for term in terms]
    open_ended = highs.count(math.inf)
    finite = sum(high for high in highs if high < math.inf)
    by = tuple(known[group[0]].source for group in [whole, *parts] if group[1] is None and group[0] in known)
    bounds.narrow(whole, lows, math.inf if open_ended else finite, by)
    for term, high in zip(terms, highs, strict=True):
        unbounded = open_ended > (high == math.inf)
        others = math.inf if unbounded else finite - (0 if high == math.inf else high)
        bounds.narrow(term, bounds.low[whole] - others, bounds.high[whole] - (lows - bounds.low[term]), by)


def _inherit(bounds: _Bounds, sums: list[tuple[Group, list[Group], Group]]) -> None:
    """The rest of a part is no larger than the rest of its whole."""
    for _, _, (margin, dimension) in sums:
        for condition in margin:
            wider = (margin - {condition}, dimension)
            if bounds.high[wider] < bounds.high[margin, dimension]:
                bounds.narrow((margin, dimension), 0, bounds.high[wider], bounds.by[wider])


def _harmless(group: Group, high: float, known: Mapping[Where, Cell]) -> bool:
    """Published cells are judged on their own. An empty rest says only that the parts are all there are,
    except beside an `n_...` column, where it says that the thing applies to everyone."""
    where, dimension = group
    if dimension is None:
        return where in known
    return high == 0 and not dimension.startswith("n_")


def _span(band: str) -> tuple[float, float] | None:
    """The half-open range of whole numbers or measured values that a band names; None for a category."""
    match = re.fullmatch(r"(<=|>=|<|>|≤|≥)?(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?)|(\+))?", band)
    if match is None:
        return None
    sign, first, last, plus = match.groups()
    low = float(first)
    if sign in ("<", "<=", "≤"):
        return -math.inf, low + (0 if sign == "<" else 1e-9)
    if sign or plus:
        return low + (1e-9 if sign == ">" else 0), math.inf
    return low, (float(last) if last else low) + 1e-9
