"""The twin's duties: how far one is, and whether that stands in the way (`policies/odrl/rules.rego`)."""

from collections.abc import Mapping
from typing import Any, Final

from vocab import terms
from vocab.odrl.comparing import typed
from vocab.odrl.twin_states import Context, Json, report_all
from vocab.profile import actions, words

_OPEN: Final = {"pre": ("fulfilled", "inactive"), "post": ("fulfilled", "inactive", "pending")}


def duties_of(rule: Json, name: str, place: str, context: Context) -> list[dict[str, Any]]:
    """The duties in one member of a rule."""
    return [duty(one, place, context) for one in rule.get(name, ())]


def duty(one: Json, place: str, context: Context) -> dict[str, Any]:
    """A duty with its state; `place` is when one in this place is due, unless it says so itself."""
    action = actions().get(one["action"])
    usual = "post" if place == "post" else (action.phase if action and action.phase else "pre")
    phase = one.get("phase", usual)
    clauses = report_all(one["constraints"], one["id"], "duty", context)
    consequences = [_consequence(other, context) for other in one.get("consequences", ())]
    state = _progress(one["constraints"], clauses, phase, _declared(one, context))
    late = any(other["state"] in ("violated", "overdue", "unknown") for other in consequences)
    return {
        "rule": one["id"],
        "action": one["action"],
        "phase": phase,
        "due": _due(one["constraints"], context),
        "state": state,
        "blocks": late or state not in _OPEN.get(phase, ()),
        "constraints": clauses,
        "consequences": consequences,
    }


def duty_state(one: Mapping[str, Any]) -> str:
    """What a duty adds to the state of its permission."""
    if not one["blocks"]:
        return "satisfied"
    return "unknown" if one["state"] == "unknown" else "unsatisfied"


def _consequence(one: Json, context: Context) -> dict[str, Any]:
    clauses = report_all(one["constraints"], one["id"], "duty", context)
    return {
        "rule": one["id"],
        "action": one["action"],
        "due": _due(one["constraints"], context),
        "state": _progress(one["constraints"], clauses, "post", _declared(one, context)),
        "constraints": clauses,
    }


def _declared(one: Json, context: Context) -> Any:
    return context.duties.get(one.get("uid", one["id"]), "pending")


def _progress(given: list[Json], clauses: list[dict[str, Any]], phase: str, told: Any) -> str:
    if told in ("fulfilled", "violated", "overdue"):
        return str(told)
    if told != "pending":
        return "unknown"
    failing = [one for one, clause in zip(given, clauses, strict=True) if clause["state"] == "unsatisfied"]
    if any(_bounded(one, 2) for one in failing):
        return "overdue"
    if any(not _owed(one, 2) for one in failing):
        return "inactive"
    return "due" if phase == "pre" else "pending"


def _owed(one: Json, depth: int) -> bool:
    if depth and isinstance(one.get("of"), list):
        return any(_owed(part, depth - 1) for part in one["of"])
    return one.get("left") == terms.iri("odrl:payAmount")


def _bounded(one: Json, depth: int) -> bool:
    if depth and isinstance(one.get("of"), list):
        return any(_bounded(part, depth - 1) for part in one["of"])
    operand = words().get(one.get("left", ""))
    return one.get("op") in ("lt", "lteq") and operand is not None and operand.type in ("time", "duration")


def _due(clauses: list[Json], context: Context) -> int | None:
    if len(clauses) != 1 or clauses[0].get("op") not in ("lt", "lteq"):
        return None
    starts: dict[str, Any] = {
        terms.DELAY_AFTER_END: context.end,
        terms.ELAPSED_TIME: context.agreed,
        terms.DATE_TIME: 0,
    }
    start: Any = starts.get(str(clauses[0].get("left")))
    right: Any = clauses[0].get("right")
    return start + right if typed("duration", start) and typed("duration", right) else None
