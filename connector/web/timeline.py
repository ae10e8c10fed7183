"""What a page shows, without HTML: figures, tables, flows, refusals and events as plain frozen values.

A role's `pages.py` builds a `Timeline` from its own records; `timeline.html` draws it. Each kind of panel is one class
here and one file `templates/panels/<kind>.html`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from connector.web.cells import Cell, Outcome
from connector.web.forms import Form, Writing
from connector.web.policies import Policy
from vocab.words.values import At, AtSecond, Both, Lasting, Said, Share, Value


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or was refused: `words_key` with `values` says it, `code` and below say why not."""

    at_ms: int
    kind: str
    outcome: Outcome
    words_key: str
    values: Mapping[str, object] = field(default_factory=dict)
    code: str | None = None
    rule: str | None = None
    needed: object = None
    seen: object = None
    link: str | None = None
    by: Value = None

    @property
    def at(self) -> AtSecond:
        """When, to the second: much happens within a minute."""
        return AtSecond(self.at_ms)


@dataclass(frozen=True, slots=True)
class Figure:
    """A label and its value."""

    label_key: str
    value: Cell
    note: Value = None


@dataclass(frozen=True, slots=True)
class Figures:
    """A few numbers that matter."""

    kind: ClassVar[str] = "figures"
    items: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers (word keys). The first cell of a row names it. A column of numbers stands to the right."""

    kind: ClassVar[str] = "table"
    caption: Value
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headers):
                raise ValueError(f"{len(row)} cells under {len(self.headers)} headers")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column: are its values numbers?"""
        filled = [[row[at] for row in self.rows if row[at] is not None] for at in range(len(self.headers))]
        return tuple(bool(cells) and all(_number(cell) for cell in cells) for cells in filled)


@dataclass(frozen=True, slots=True)
class Rung:
    """One choice of generalisation: what it would have cost, and whether it was taken, could be, or costs too much."""

    what: Value
    suppressed: Share
    classes: int | None
    verdict: Literal["chosen", "affordable", "refused"]


@dataclass(frozen=True, slots=True)
class Lattice:
    """The de-identification choices that were tried, the chosen one and the refused ones."""

    kind: ClassVar[str] = "lattice"
    k: int
    rungs: tuple[Rung, ...]

    @property
    def widest(self) -> float:
        """The largest share: the bars are drawn relative to it."""
        return max((float(rung.suppressed) for rung in self.rungs), default=0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """A column of one patient before and after; `after` is none where the column does not leave at all."""

    column: Value
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """One synthetic patient, before and after de-identification."""

    kind: ClassVar[str] = "before_after"
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """What went where, how much of it."""

    what: Value
    to: Value
    amount: Value
    note: Value = None


@dataclass(frozen=True, slots=True)
class Flow:
    """What left the house."""

    kind: ClassVar[str] = "flow"
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A deletion certificate: what it states, who signed, and in plain words what it cannot show."""

    kind: ClassVar[str] = "certificate"
    outcome: Outcome
    state: Said
    items: tuple[Figure, ...]
    limits: tuple[Said | Both, ...]
    signatures: tuple[tuple[Value, At | None], ...] = ()
    link: str | None = None

    def __post_init__(self) -> None:
        if not self.limits:
            raise ValueError("a certificate without limits claims too much")


@dataclass(frozen=True, slots=True)
class Card:
    """A model card: intended use, warnings, figures, and a table by group."""

    kind: ClassVar[str] = "card"
    use: Value
    warnings: tuple[Said, ...]
    figures: Figures
    groups: Table


@dataclass(frozen=True, slots=True)
class Refusals:
    """Everything that was refused, with rule, value needed, value seen and what to do."""

    kind: ClassVar[str] = "refusals"
    items: tuple[Event, ...]

    def __post_init__(self) -> None:
        if any(item.code is None for item in self.items):
            raise ValueError("a refusal without a code")


@dataclass(frozen=True, slots=True)
class Waits:
    """Something that is not done yet: on whom it waits, and since when."""

    what: Value
    whom: Value
    since: At
    attempts: int = 0
    why: Value = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the outbox still has to do."""

    kind: ClassVar[str] = "waiting"
    items: tuple[Waits, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do here, asked twice: a button that opens what it means, and one that does it.

    `ask`: what the person has to write first.
    """

    kind: ClassVar[str] = "action"
    label_key: str
    warning: Said
    confirm_key: str
    url: str
    fields: Mapping[str, str] = field(default_factory=dict)
    danger: bool = True
    ask: tuple[Writing, ...] = ()


Data: TypeAlias = (
    Figures | Table | Lattice | BeforeAfter | Flow | Certificate | Card | Refusals | Waiting | Action | Form | Policy
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One sheet of a page. `wide` takes the whole width."""

    title_key: str
    data: Data
    note: Value = None
    wide: bool = False

    @property
    def kind(self) -> str:
        """Which file draws it."""
        return self.data.kind


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page: its facts (clock, price), its panels, and what happened, oldest first. `events_url` makes it live."""

    title: Value
    now_ms: int
    refresh_url: str
    study: str | None = None
    facts: tuple[Figure, ...] = ()
    panels: tuple[Panel, ...] = ()
    events: tuple[Event, ...] | None = None
    events_url: str | None = None
    older_url: str | None = None

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)


def clock(label_key: str, ends_ms: int, now_ms: int) -> Figure:
    """A deadline with what is left of it."""
    left = ends_ms - now_ms
    note = Said("time-left", {"span": Lasting(left)}) if left > 0 else Said("time-over", {"span": Lasting(-left)})
    return Figure(label_key, At(ends_ms), note)


def _number(cell: Cell) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, (bool, At, AtSecond))
