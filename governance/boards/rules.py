"""The board's fixed rules `kr-2025-12`, pure: who has a conflict of interest, whose vote counts, what the numbers say.

The arithmetic itself is `vocab.records.decision`, so that whoever holds a decision can count again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vocab.errors import Refusal
from vocab.records.decision import KR_2025_12, Arithmetic, RuleSet, demand_seats, tally

RULES: Final[RuleSet] = KR_2025_12

#: Working time of each phase (ms). When it passes, people are told; nothing is ever allowed by silence.
PRE_SCREEN_MS: Final = 10 * 24 * 3600 * 1000
DELIBERATION_MS: Final = 30 * 24 * 3600 * 1000
#: Tasks that one permit covers.
MAX_JOBS: Final = 20


@dataclass(frozen=True, slots=True)
class Seat:
    """A seated member."""

    member: str
    organisation: str
    external: bool


def conflicts(seats: Sequence[Seat], interested: Collection[str], declared: Collection[str]) -> dict[str, str]:
    """Who is recused, and why: declared by the member, or derived from being of an interested organisation."""
    derived = {seat.member: "same-organisation" for seat in seats if seat.organisation in interested}
    seated = {seat.member for seat in seats}
    return derived | dict.fromkeys(seated.intersection(declared), "declared")


def demand_vote(seats: Sequence[Seat], recused: Mapping[str, str], voted: Collection[str], member: str) -> None:
    """Raises unless `member` may vote now: `not-seated`, `recused`, `voted-already`."""
    if member not in {seat.member for seat in seats}:
        raise Refusal("not-seated", seen=member)
    if member in recused:
        raise Refusal("recused", rule="conflict-of-interest", seen=member, why=recused[member])
    if member in voted:
        raise Refusal("voted-already", seen=member)


def counted(seats: Sequence[Seat], recused: Collection[str], votes: Mapping[str, str]) -> Arithmetic:
    """The numbers. A vote of a member who was recused after voting is not counted."""
    by_member = {seat.member: seat.external for seat in seats}
    return tally(by_member, recused, {member: vote for member, vote in votes.items() if member not in recused})


def demand_quorum(seats: Sequence[Seat], numbers: Arithmetic) -> None:
    """Raises `board-incomplete` when the seats are not as the rules ask, `board-quorum-missing` without a quorum."""
    demand_seats(RULES, {seat.member: seat.external for seat in seats})
    if not numbers.quorate:
        raise Refusal("board-quorum-missing", rule=RULES.id, needed=numbers.quorum, seen=numbers.present)
