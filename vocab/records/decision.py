"""The arithmetic of a board's decision, so that whoever holds the decision can count again.

The rule set `kr-2025-12` is this space's reading of the shared-board guideline: 5 seated, at least 2 of them external,
quorum is the majority of the seated, the recused are neither present nor voting, more than half of the votes cast.
An abstention is a vote cast that is not a yes.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from vocab.errors import Refusal

VOTES: Final = ("yes", "no", "abstain")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The numbers of one version of the rules."""

    id: str
    seats: int
    external: int


KR_2025_12: Final = RuleSet("kr-2025-12", seats=5, external=2)
RULE_SETS: Final[Mapping[str, RuleSet]] = {KR_2025_12.id: KR_2025_12}


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The numbers that a decision rests on. `quorum` and `needed` are the least that suffices."""

    seated: int
    external: int
    recused: int
    present: int
    quorum: int
    cast: int
    yes: int
    no: int
    abstain: int
    needed: int

    @property
    def quorate(self) -> bool:
        """Enough members were present."""
        return self.present >= self.quorum

    @property
    def carried(self) -> bool:
        """Quorate, and more than half of the votes cast say yes."""
        return self.quorate and self.yes >= self.needed

    def to_json(self) -> dict[str, int]:
        """As it stands in the decision."""
        return asdict(self)


def tally(seats: Mapping[str, bool], recused: Collection[str], votes: Mapping[str, str]) -> Arithmetic:
    """Counts. `seats`: member -> external; `votes`: member -> vote, of seated members that are not recused.

    Raises `Refusal("decision-invalid")` for a vote that may not be counted.
    """
    for member, vote in votes.items():
        if member not in seats or member in recused or vote not in VOTES:
            raise Refusal("decision-invalid", why=f"vote of {member}")
    if set(recused) - seats.keys():
        raise Refusal("decision-invalid", why="recused")
    cast = list(votes.values())
    return Arithmetic(
        seated=len(seats),
        external=sum(seats.values()),
        recused=len(set(recused)),
        present=len(votes),
        quorum=len(seats) // 2 + 1,
        cast=len(cast),
        yes=cast.count("yes"),
        no=cast.count("no"),
        abstain=cast.count("abstain"),
        needed=len(cast) // 2 + 1,
    )


def demand_seats(rules: RuleSet, seats: Mapping[str, bool]) -> None:
    """Raises `Refusal("board-incomplete")` unless the board is seated as the rules ask."""
    if len(seats) != rules.seats or sum(seats.values()) < rules.external:
        raise Refusal(
            "board-incomplete",
            rule=rules.id,
            needed=f"{rules.seats} seated, {rules.external} external",
            seen=f"{len(seats)} seated, {sum(seats.values())} external",
        )


def recounted(body: Mapping[str, Any]) -> Arithmetic:
    """The arithmetic of a decision's body, counted again from its seats, recusals and votes.

    Raises `Refusal("decision-invalid")` when the body says other numbers, or an approval that did not carry.
    """
    try:
        rules = RULE_SETS[body["rule_set"]]
        seats = {seat["member"]: seat["external"] is True for seat in body["seated"]}
        votes = {vote["member"]: vote["vote"] for vote in body["votes"]}
        recused = [one["member"] for one in body["recused"]]
        stated, outcome = body["arithmetic"], body["outcome"]
    except (KeyError, TypeError):
        raise Refusal("decision-invalid", why="shape") from None
    if len(seats) != len(body["seated"]) or len(votes) != len(body["votes"]):
        raise Refusal("decision-invalid", why="counted twice")
    demand_seats(rules, seats)
    found = tally(seats, recused, votes)
    if found.to_json() != stated or not found.quorate or (outcome == "approved" and not found.carried):
        raise Refusal("decision-invalid", why="arithmetic", needed=found.to_json(), seen=stated)
    return found
