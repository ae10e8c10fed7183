"""What the board's page shows: an application, the seats with their votes, and the arithmetic of the decision."""

from dataclasses import dataclass
from typing import Literal

from connector.web.cells import Outcome
from connector.web.timeline import Figure, Panel, Table
from vocab.words.values import At, AtSecond, Said, Value

Choice = Literal["yes", "no", "abstain"]


@dataclass(frozen=True, slots=True)
class Seat:
    """One member: outside the operator or not, recused with a reason or not, and the vote if cast."""

    name: str
    external: bool
    recused: Value = None
    vote: Choice | None = None
    reason: str | None = None
    at: At | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the arithmetic: what the rule asks, what there is, and whether that is enough."""

    rule: Said
    needed: Value
    seen: Value
    holds: bool


@dataclass(frozen=True, slots=True)
class BoardCase:
    """A case before the board. `vote_url` is given to members who may vote now, and to nobody else;
    `more`: what else this person can do, and what came of the case."""

    title: Value
    case: str
    now_ms: int
    refresh_url: str
    state: Said
    outcome: Outcome
    facts: tuple[Figure, ...]
    application: Table
    seats: tuple[Seat, ...]
    arithmetic: tuple[Line, ...]
    vote_url: str | None = None
    why_no_vote: Said | None = None
    more: tuple[Panel, ...] = ()

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)
