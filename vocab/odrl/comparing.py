"""When one value stands in a relation to another, by type: the ground that the evaluator and its checks share."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vocab.profile import NUMBERS, ancestors, concepts

#: Operators whose right side is a list.
SETS: Final = frozenset({"isAnyOf", "isAllOf", "isNoneOf"})
#: Operators that a list of values meets as a whole: what it must contain may be spread over its members.
WHOLE: Final = frozenset({"isAllOf", "hasPart"})


def typed(kind: str, value: Any) -> bool:
    """Whether `value` is of the operand type; a concept must be one that the profile knows."""
    if kind in NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) and (kind != "concept" or value in concepts())


def fits(kind: str, op: str, right: Any) -> bool:
    """Whether `right` can stand to the right of `op`."""
    if op in SETS:
        return isinstance(right, list | tuple) and bool(right) and all(typed(kind, one) for one in right)
    return typed(kind, right)


def holds(op: str, value: Any, right: Any) -> bool:
    """Whether `value op right`, for values that are `typed` and `fits`."""
    return _HOLDS[op](value, right)


def whole_holds(op: str, values: list[Any], right: Any) -> bool:
    """Whether a list of values meets one of the `WHOLE` operators."""
    if op == "isAllOf":
        return all(one in values for one in right)
    return any(_within(right, one) for one in values)


def _within(value: Any, broad: Any) -> bool:
    return value == broad or (isinstance(value, str) and broad in ancestors(value))


_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, right: value == right,
    "neq": lambda value, right: value != right,
    "lt": lambda value, right: value < right,
    "lteq": lambda value, right: value <= right,
    "gt": lambda value, right: value > right,
    "gteq": lambda value, right: value >= right,
    "isA": _within,
    "isPartOf": _within,
    "isAnyOf": lambda value, right: value in right,
    "isNoneOf": lambda value, right: not any(_within(value, one) for one in right),
}
