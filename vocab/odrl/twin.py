"""The evaluator once more, in Python: it must answer every input exactly as the Rego in `policies/odrl` does.

It never decides. It is the oracle that the compiled release is compared with.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vocab.odrl.twin_duties import duties_of, duty, duty_state
from vocab.odrl.twin_states import Context, Json, all_of, report_all
from vocab.profile import BEYOND, ORDER, ancestors, broader_actions

_UNREADABLE: Final = {
    "allow": False,
    "hypothetical": False,
    "reasons": [{"code": "odrl-unknown", "rule": "policy", "needed": "a readable policy", "seen": None}],
    "obligations": [],
    "report": [],
}
_KINDS: Final = ("Agreement", "Set", "Offer", "Request")


def decide(given: Json) -> Json:
    """The ODRL part of a decision on the same input document that the engine gets."""
    try:
        return _document(given)
    except (AttributeError, KeyError, TypeError):
        return _UNREADABLE


def _document(given: Json) -> Json:
    policy = given["policy"]
    if policy is None or policy["kind"] not in _KINDS or policy.get("inherits"):
        return _UNREADABLE
    strategy = policy.get("conflict", "invalid")
    if strategy not in _FORBIDDEN:
        return _UNREADABLE
    context = _context(given)
    permissions = [_permission(rule, context) for rule in policy["permissions"]]
    prohibitions = [_prohibition(rule, context) for rule in policy["prohibitions"]]
    obligations = [duty(rule, "post", context) for rule in policy["obligations"]]
    reasons = [
        *_kind_reasons(policy["kind"], context.rank),
        *_FORBIDDEN[strategy](permissions, prohibitions, context),
        *(why for one in prohibitions for why in _duty_reasons(one["remedies"])),
        *_duty_reasons(obligations),
        *_permission_reasons(permissions, context),
    ]
    return {
        "allow": not reasons,
        "hypothetical": policy["kind"] in ("Offer", "Request"),
        "reasons": reasons,
        "obligations": obligations,
        "report": permissions + prohibitions,
    }


def _context(given: Json) -> Context:
    facts, request = given["facts"], given["request"]
    target = (facts.get("dataset") or {}).get("id")
    party = (facts.get("party") or {}).get("did")
    part_of = given.get("part_of", {})
    return Context(
        gate=given["gate"],
        rank={**ORDER, "ask": BEYOND}.get(request.get("stage") if given["gate"] == "hold" else given["gate"], 0),
        action=request.get("action"),
        target=target,
        targets=(target, *part_of.get(target, ())),
        party=party,
        parties=(party, *part_of.get(party, ())),
        end=(facts.get("permit") or {}).get("until"),
        agreed=given.get("agreed_at"),
        duties=given.get("duties", {}),
        units=given.get("units", {}),
        world=given["world"],
    )


def _reason(code: str, rule: str, needed: Any, seen: Any) -> dict[str, Any]:
    return {"code": code, "rule": rule, "needed": needed, "seen": seen}


def _kind_reasons(kind: str, rank: int) -> list[dict[str, Any]]:
    if kind == "Agreement" or (kind == "Set" and rank == BEYOND) or rank < ORDER["transfer"]:
        return []
    return [_reason("odrl-unknown", "policy", "Agreement", "Offer")]


# ---- prohibitions and conflicts

_Report = dict[str, Any]


def _granting(permissions: list[_Report]) -> bool:
    return any(one["state"] in ("satisfied", "later") for one in permissions)


def _perm(permissions: list[_Report], prohibitions: list[_Report], context: Context) -> list[dict[str, Any]]:
    return [] if _granting(permissions) else _prohibit(permissions, prohibitions, context)


def _prohibit(_: list[_Report], prohibitions: list[_Report], context: Context) -> list[dict[str, Any]]:
    biting = (one["rule"] for one in prohibitions if one["state"] in ("satisfied", "unknown"))
    return [_reason("odrl-prohibited", rule, None, context.action) for rule in biting]


def _invalid(permissions: list[_Report], prohibitions: list[_Report], context: Context) -> list[dict[str, Any]]:
    return _prohibit(permissions, prohibitions, context) or [
        _reason("odrl-conflict", one["rule"], "a policy without contradiction", other["rule"])
        for one in permissions
        for other in prohibitions
        if _contradicts(one, other)
    ]


_FORBIDDEN: Final[Mapping[str, Callable[[list[_Report], list[_Report], Context], list[dict[str, Any]]]]] = {
    "perm": _perm,
    "prohibit": _prohibit,
    "invalid": _invalid,
}


def _contradicts(one: _Report, other: _Report) -> bool:
    about, against = one["about"], other["about"]
    return (
        _covers(against["action"], about["action"])
        and all(against[name] is None or about[name] in (None, against[name]) for name in ("target", "assignee"))
        and not other["refinements"]
        and all_of([clause["state"] for clause in one["constraints"]]) == "satisfied"
        and all_of([clause["state"] for clause in other["constraints"]]) in ("satisfied", "unknown")
    )


# ---- why not


def _permission_reasons(permissions: list[_Report], context: Context) -> list[dict[str, Any]]:
    if _granting(permissions):
        return []
    if not permissions:
        return [_reason("odrl-unsatisfied", "permission", "a permission", None)]
    return [why for one in permissions for why in _rule_reasons(one, context)]


def _rule_reasons(one: _Report, context: Context) -> list[dict[str, Any]]:
    if one["state"] != "inapplicable":
        return [*_clause_reasons(one["refinements"] + one["constraints"]), *_duty_reasons(one["duties"])]
    asked = {"action": context.action, "target": context.target, "assignee": context.party}
    return _clause_reasons(one["refinements"]) or [_reason("odrl-unsatisfied", one["rule"], one["about"], asked)]


def _clause_reasons(clauses: list[_Report]) -> list[dict[str, Any]]:
    return [
        _reason("odrl-unknown" if one["state"] == "unknown" else one["code"], one["path"], one["needed"], one["seen"])
        for one in clauses
        if one["state"] in ("unsatisfied", "unknown")
    ]


def _duty_reasons(duties: list[_Report]) -> list[dict[str, Any]]:
    return [_reason("odrl-duty", one["rule"], "fulfilled", one["state"]) for one in duties if one["blocks"]]


# ---- rules


def _covers(broad: str, action: Any) -> bool:
    return isinstance(action, str) and action in broader_actions() and broad in ancestors(action)


def _permission(rule: Json, context: Context) -> _Report:
    parts = _parts(rule, "permission", context)
    duties = duties_of(rule, "duties", "pre", context)
    narrowed = [one["state"] for one in parts["refinements"]]
    applies = (
        _covers(rule["action"], context.action)
        and isinstance(rule["target"], str)
        and rule["target"] in context.targets
        and (rule["assignee"] is None or rule["assignee"] in context.parties)
        and "unsatisfied" not in narrowed
    )
    body = [*(one["state"] for one in parts["constraints"]), *map(duty_state, duties)]
    state = all_of([*narrowed, *body]) if applies else "inapplicable"
    return {**_ruled(rule, "permission", state), **parts, "duties": duties}


def _prohibition(rule: Json, context: Context) -> _Report:
    parts = _parts(rule, "prohibition", context)
    narrowed = [one["state"] for one in parts["refinements"]]
    applies = (
        _covers(rule["action"], context.action)
        and not _elsewhere(rule["target"], context.target, context.targets)
        and not _elsewhere(rule["assignee"], context.party, context.parties)
        and "unsatisfied" not in narrowed
    )
    state = all_of([*narrowed, *(one["state"] for one in parts["constraints"])]) if applies else "inapplicable"
    return {**_ruled(rule, "prohibition", state), **parts, "remedies": duties_of(rule, "remedies", "post", context)}


def _parts(rule: Json, kind: str, context: Context) -> _Report:
    return {
        "constraints": report_all(rule["constraints"], rule["id"], kind, context),
        "refinements": report_all(rule.get("refinements", ()), f"{rule['id']}.about", kind, context),
    }


def _elsewhere(name: Any, asked: Any, every: tuple[Any, ...]) -> bool:
    return isinstance(name, str) and isinstance(asked, str) and name not in every


def _ruled(rule: Json, kind: str, state: str) -> _Report:
    return {
        "rule": rule["id"],
        "kind": kind,
        "about": {"action": rule["action"], "target": rule["target"], "assignee": rule["assignee"]},
        "state": state,
    }
