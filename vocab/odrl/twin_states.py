"""The twin's clauses: the state of a comparison, and how states join (`policies/odrl/clauses.rego`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vocab.odrl.comparing import WHOLE, fits, holds, typed, whole_holds
from vocab.profile import BEYOND, OPERATORS, ORDER, Operand, words

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What an evaluation leans on."""

    gate: str
    rank: int
    action: Any
    target: Any
    targets: tuple[Any, ...]
    party: Any
    parties: tuple[Any, ...]
    end: Any
    agreed: Any
    duties: Json
    units: Json
    world: Json


def all_of(states: Sequence[str]) -> str:
    """All together: the worst of them."""
    return next((state for state in ("unsatisfied", "unknown", "later") if state in states), "satisfied")


def _any(states: list[str]) -> str:
    return next((state for state in ("satisfied", "later", "unknown") if state in states), "unsatisfied")


def _one(states: list[str]) -> str:
    if states.count("satisfied") > 1:
        return "unsatisfied"
    undecided = next((state for state in ("unknown", "later") if state in states), None)
    return undecided or ("satisfied" if "satisfied" in states else "unsatisfied")


_JOINED: Final = {"and": all_of, "andSequence": all_of, "or": _any, "xone": _one}


def report_all(given: Sequence[Json], path: str, kind: str, context: Context) -> list[dict[str, Any]]:
    """Each constraint with its state."""
    return [_report(one, f"{path}.{place}", kind, context, 2) for place, one in enumerate(given, start=1)]


def _report(one: Json, path: str, kind: str, context: Context, depth: int) -> dict[str, Any]:
    inside = one.get("of")
    if not depth or one.get("logic") not in _JOINED or not inside or not all(isinstance(part, dict) for part in inside):
        return _atom(one, path, kind, context)
    parts = [_report(part, f"{path}.{place}", kind, context, depth - 1) for place, part in enumerate(inside, start=1)]
    return {
        "path": path,
        "logic": one["logic"],
        "code": parts[0]["code"],
        "needed": [part["needed"] for part in parts],
        "seen": parts[0]["seen"],
        "state": _JOINED[one["logic"]]([part["state"] for part in parts]),
        "of": parts,
    }


def _atom(one: Json, path: str, kind: str, context: Context) -> dict[str, Any]:
    left, op, right = one.get("left"), one.get("op"), one.get("right")
    operand = words().get(left) if isinstance(left, str) else None
    seen = context.world.get(left) if isinstance(left, str) else None
    same_unit = one.get("unit") == (context.units.get(left) if isinstance(left, str) else None)
    one_suffices = kind == "duty" or (kind == "permission") == (context.gate == "catalog")
    return {
        "path": path,
        "operand": left,
        "operator": op,
        "code": operand.code if operand else "odrl-unsatisfied",
        "needed": right,
        "seen": seen,
        "state": _state(operand, op, right, seen, context.rank, one_suffices, same_unit),
    }


def _state(
    operand: Operand | None, op: Any, right: Any, seen: Any, rank: int, one_suffices: bool, same_unit: bool
) -> str:
    if operand is None or op not in OPERATORS[operand.type] or not fits(operand.type, op, right):
        return "unknown"
    place = ORDER.get(operand.gate, BEYOND)
    if 0 < rank < place < BEYOND:
        return "later"
    values = seen if isinstance(seen, list) else [seen]
    if rank < place or not same_unit or not values or not all(typed(operand.type, value) for value in values):
        return "unknown"
    if op in WHOLE:
        return "satisfied" if whole_holds(op, values, right) else "unsatisfied"
    holding = sum(holds(op, value, right) for value in values)
    return "satisfied" if holding == len(values) or (one_suffices and holding) else "unsatisfied"
