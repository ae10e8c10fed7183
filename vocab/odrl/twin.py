"""The evaluator once more, in Python: it must answer every input exactly as the Rego in `policies/odrl` does.

It never decides. It is the oracle that the compiled release is compared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vocab.odrl.comparing import fits, holds, typed
from vocab.profile import ORDER, Operand, actions, ancestors, operands

Json = Mapping[str, Any]
_UNREADABLE: Final = {
    "allow": False,
    "reasons": [{"code": "odrl-unknown", "rule": "policy", "needed": "a readable policy", "seen": None}],
    "obligations": [],
    "report": [],
}


@dataclass(frozen=True, slots=True)
class Context:
    """What an evaluation leans on."""

    gate: str
    rank: int
    action: Any
    target: Any
    party: Any
    end: Any
    world: Json


def decide(given: Json) -> Json:
    """The ODRL part of a decision on the same input document that the engine gets."""
    policy = given["policy"]
    if policy is None or policy["kind"] not in ("Offer", "Agreement"):
        return _UNREADABLE
    context = _context(given)
    permissions = [_permission(rule, context) for rule in policy["permissions"]]
    prohibitions = [_prohibition(rule, context) for rule in policy["prohibitions"]]
    reasons: list[dict[str, Any]] = []
    if policy["kind"] == "Offer" and context.rank >= ORDER["transfer"]:
        reasons.append(_reason("odrl-unknown", "policy", "Agreement", "Offer"))
    active = (one["rule"] for one in prohibitions if one["state"] in ("satisfied", "unknown"))
    reasons += [_reason("odrl-prohibited", rule, None, context.action) for rule in active]
    reasons += _permission_reasons(permissions, context)
    return {
        "allow": not reasons,
        "reasons": reasons,
        "obligations": [_due(rule, context) for rule in policy["obligations"]],
        "report": permissions + prohibitions,
    }


def _context(given: Json) -> Context:
    facts, request = given["facts"], given["request"]
    return Context(
        gate=given["gate"],
        rank=ORDER.get(request.get("stage") if given["gate"] == "hold" else given["gate"], 0),
        action=request.get("action"),
        target=(facts.get("dataset") or {}).get("id"),
        party=(facts.get("party") or {}).get("did"),
        end=(facts.get("permit") or {}).get("until"),
        world=given["world"],
    )


def _reason(code: str, rule: str, needed: Any, seen: Any) -> dict[str, Any]:
    return {"code": code, "rule": rule, "needed": needed, "seen": seen}


def _permission_reasons(permissions: list[dict[str, Any]], context: Context) -> list[dict[str, Any]]:
    if any(one["state"] in ("satisfied", "later") for one in permissions):
        return []
    if not permissions:
        return [_reason("odrl-unsatisfied", "permission", "a permission", None)]
    found = []
    for one in permissions:
        if one["state"] == "inapplicable":
            asked = {"action": context.action, "target": context.target, "assignee": context.party}
            found.append(_reason("odrl-unsatisfied", one["rule"], one["about"], asked))
            continue
        for clause in one["constraints"]:
            if clause["state"] in ("unsatisfied", "unknown"):
                code = "odrl-unknown" if clause["state"] == "unknown" else clause["code"]
                found.append(_reason(code, clause["path"], clause["needed"], clause["seen"]))
    return found


def _covers(broad: str, action: Any) -> bool:
    return isinstance(action, str) and action in actions() and broad in ancestors(action)


def _permission(rule: Json, context: Context) -> dict[str, Any]:
    applies = (
        _covers(rule["action"], context.action)
        and rule["target"] == context.target
        and rule["assignee"] in (None, context.party)
    )
    return _ruled(rule, "permission", applies, context)


def _prohibition(rule: Json, context: Context) -> dict[str, Any]:
    return _ruled(rule, "prohibition", _covers(rule["action"], context.action), context)


def _ruled(rule: Json, kind: str, applies: bool, context: Context) -> dict[str, Any]:
    constraints = [
        _report(one, f"{rule['id']}.{place}", kind, context) for place, one in enumerate(rule["constraints"], start=1)
    ]
    return {
        "rule": rule["id"],
        "kind": kind,
        "about": {"action": rule["action"], "target": rule["target"], "assignee": rule["assignee"]},
        "state": _all([one["state"] for one in constraints]) if applies else "inapplicable",
        "constraints": constraints,
    }


def _report(one: Json, path: str, kind: str, context: Context) -> dict[str, Any]:
    if one.get("logic") not in _JOINED or not one.get("of"):
        return _atom(one, path, kind, context)
    parts = [_atom(part, f"{path}.{place}", kind, context) for place, part in enumerate(one["of"], start=1)]
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
    operand = operands().get(left) if isinstance(left, str) else None
    if operand is not None and operand.gate not in ORDER:
        operand = None
    seen = context.world.get(left) if isinstance(left, str) else None
    one_suffices = (kind == "permission") == (context.gate == "catalog")
    return {
        "path": path,
        "operand": left,
        "operator": op,
        "code": operand.code if operand else "odrl-unsatisfied",
        "needed": right,
        "seen": seen,
        "state": _state(operand, op, right, seen, context.rank, one_suffices),
    }


def _state(operand: Operand | None, op: Any, right: Any, seen: Any, rank: int, one_suffices: bool) -> str:
    if operand is None or rank == 0 or op not in operand.operators or not fits(operand.type, op, right):
        return "unknown"
    if rank < ORDER[operand.gate]:
        return "later"
    values = seen if isinstance(seen, list) else [seen]
    if not values or not all(typed(operand.type, value) for value in values):
        return "unknown"
    holding = sum(holds(op, value, right) for value in values)
    return "satisfied" if holding == len(values) or (one_suffices and holding) else "unsatisfied"


def _due(rule: Json, context: Context) -> dict[str, Any]:
    action = actions().get(rule["action"])
    clauses = rule["constraints"]
    delay = clauses[0].get("right") if len(clauses) == 1 else None
    known = typed("duration", context.end) and typed("duration", delay)
    return {
        "rule": rule["id"],
        "action": rule["action"],
        "phase": action.phase if action and action.phase else "unknown",
        "due": context.end + delay if known else None,
    }


def _all(states: list[str]) -> str:
    return next((state for state in ("unsatisfied", "unknown", "later") if state in states), "satisfied")


def _any(states: list[str]) -> str:
    return next((state for state in ("satisfied", "later", "unknown") if state in states), "unsatisfied")


def _one(states: list[str]) -> str:
    undecided = next((state for state in ("unknown", "later") if state in states), None)
    return undecided or ("satisfied" if states.count("satisfied") == 1 else "unsatisfied")


_JOINED: Final = {"and": _all, "or": _any, "xone": _one}
