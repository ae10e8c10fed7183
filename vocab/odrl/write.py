"""A policy from its normal form as JSON-LD: read again, it is the same policy with the same digest."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vocab import terms
from vocab.odrl.contexts import DSPACE, ODRL
from vocab.odrl.model import Atom, Constraint, Policy, Rule
from vocab.profile import words

Json = dict[str, Any]
_KINDS: Final = {"permission": "permissions", "prohibition": "prohibitions", "obligation": "obligations"}
_INSIDE: Final = {"duty": "duties", "remedy": "remedies", "consequence": "consequences"}
_DATATYPES: Final = {
    "count": "integer",
    "decimal": "decimal",
    "time": "dateTime",
    "duration": "dayTimeDuration",
}


def written(policy: Policy) -> Json:
    """The policy under the profile's context, with absolute names and typed values."""
    found: Json = {"@context": terms.MED_CONTEXT, "@type": policy.kind, **({"uid": policy.id} if policy.id else {})}
    for name in ("target", "assigner", "assignee", "conflict"):
        if (value := getattr(policy, name)) is not None:
            found[name] = value
    if policy.timestamp is not None:
        found[DSPACE + "timestamp"] = _time(policy.timestamp)
    if policy.inherits:
        found["inheritFrom"] = list(policy.inherits)
    for member, field in _KINDS.items():
        if given := getattr(policy, field):
            found[member] = [_rule(one) for one in given]
    return found


def _rule(rule: Rule) -> Json:
    action = {"@type": "Action", "rdf:value": {"@id": rule.action}}
    found: Json = {
        "action": {**action, "refinement": [_constraint(one) for one in rule.refinements]}
        if rule.refinements
        else rule.action,
        **dict(rule.parties),
    }
    for name, value in (("uid", rule.uid), ("target", rule.target), ("assignee", rule.assignee)):
        if value is not None:
            found[name] = value
    if rule.phase is not None:
        found["med:phase"] = rule.phase
    if rule.constraints:
        found["constraint"] = [_constraint(one) for one in rule.constraints]
    for member, field in _INSIDE.items():
        if given := getattr(rule, field):
            found[member] = [_rule(one) for one in given]
    return found


def _constraint(one: Constraint) -> Json:
    if not isinstance(one, Atom):
        return {one.op: {"@list": [_constraint(part) for part in one.of]}}
    kind = words()[one.left].type
    rights = one.right if isinstance(one.right, tuple) else (one.right,)
    values = [_value(kind, right) for right in rights]
    return {
        "leftOperand": one.left,
        "operator": ODRL + one.op,
        "rightOperand": values if isinstance(one.right, tuple) else values[0],
        **({"unit": one.unit} if one.unit is not None else {}),
    }


def _value(kind: str, right: str | int) -> Json:
    if isinstance(right, str):
        return {"@id": right} if kind == "concept" else {"@value": right}
    text = {"decimal": _decimal, "time": _time, "duration": _duration}.get(kind, str)(right)
    return {"@value": text, "@type": f"xsd:{_DATATYPES[kind]}"}


def _decimal(millionths: int) -> str:
    whole, part = divmod(abs(millionths), 1_000_000)
    return f"{'-' if millionths < 0 else ''}{whole}.{part:06d}"


def _time(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _duration(ms: int) -> str:
    days, rest = divmod(ms // 1000, 86_400)
    return f"P{days}DT{rest}S"
