"""Won: whole numbers and nothing else. What is divided is what is handed out, to the won."""

from collections.abc import Mapping
from typing import Final

from vocab.errors import Refusal

#: One part in this many is a basis point.
PARTS: Final = 10_000
#: Beyond this JSON readers disagree about a number (RFC 8785 3.2.2.3).
MOST: Final = (1 << 53) - 1


def whole(value: object, where: str) -> int:
    """`value`, an integer from 0 on. Raises `Refusal("money-not-integer")` for anything else, a float above all."""
    if type(value) is not int or not 0 <= value <= MOST:
        raise Refusal("money-not-integer", rule=where, needed="integer", seen=repr(value)[:50], where=where)
    return value


def fee(amount: int, basis_points: int) -> int:
    """That many ten-thousandths of `amount`, rounded down."""
    return amount * basis_points // PARTS


def split(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """`amount` divided by weight (largest remainder; equal remainders by id). The shares sum to `amount` exactly.

    Whoever comes under two names gets at most one won more: only what rounding moves. Without weight nobody gets any.
    """
    total = sum(weights.values())
    if total == 0:
        return dict.fromkeys(weights, 0)
    shares = {party: amount * weight // total for party, weight in weights.items()}
    rest = amount - sum(shares.values())
    for party in sorted(weights, key=lambda one: (-(amount * weights[one] % total), one))[:rest]:
        shares[party] += 1
    return shares
