"""Reads a policy from the wire (plain JSON under the DSP 2025-1 context) into its normal form.

Done once, when a policy arrives. What is not understood is refused, never dropped: a clause that disappears makes a
permission broader (research: under the DSP context un-prefixed `refinement`, `conflict`, `remedy` vanish on expansion).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.model import Atom, Constraint, Logic, Policy, Rule
from vocab.odrl.values import moment, right_operand
from vocab.profile import ORDER, actions, operands
from vocab.records.envelope import canonical

MAX_BYTES: Final = 16_384
MAX_CONSTRAINTS: Final = 64
MAX_RULES: Final = 32

_HEAD: Final = frozenset({"@context", "@id", "@type", "profile", "target", "assigner", "assignee", "timestamp"})
_KINDS: Final[Mapping[str, str]] = {"permission": "permission", "prohibition": "prohibition", "obligation": "duty"}
_LOGIC: Final = frozenset({"and", "or", "xone"})
_ATOM: Final = frozenset({"leftOperand", "operator", "rightOperand"})


def normalise(doc: object, *, target: str | None = None) -> Policy:
    """The normal form of an offer or agreement; `target` is the dataset of an offer that stands in a catalogue.

    Raises `Refusal`: policy-not-understood, policy-too-large, operand-without-gate, term-unknown, not-canonical.
    """
    policy = _object(doc, "$")
    _limits(policy)
    kind: Any = policy.get("@type")
    if kind not in ("Offer", "Agreement"):
        raise _unclear("@type", "Offer or Agreement", kind)
    _only(policy, _HEAD | _KINDS.keys(), "$")
    if "@context" in policy and policy["@context"] != [terms.DSP_CONTEXT]:
        raise _unclear("@context", "the DSP context alone", policy["@context"])
    if policy.get("profile", terms.MED_PROFILE) not in (terms.MED_PROFILE, [terms.MED_PROFILE]):
        raise _unclear("profile", terms.MED_PROFILE, policy["profile"])
    head = {name: _text(policy, name) for name in ("target", "assigner", "assignee")}
    if target is not None and head["target"] not in (None, target):
        raise _unclear("target", target, head["target"])
    head["target"] = head["target"] or target
    rules = {name: tuple(_rules(policy, name, head)) for name in _KINDS}
    if not rules["permission"] and not rules["prohibition"]:
        raise _unclear("permission", "at least one permission or prohibition", None)
    if kind == "Agreement":
        _complete(policy, head)
    identifier = _text(policy, "@id")
    if identifier is None:
        raise _unclear("@id", "an id", None)
    return Policy(
        kind=kind,
        id=identifier,
        target=head["target"],
        assigner=head["assigner"],
        assignee=head["assignee"],
        timestamp=moment(policy["timestamp"], "timestamp") if "timestamp" in policy else None,
        permissions=rules["permission"],
        prohibitions=rules["prohibition"],
        obligations=rules["obligation"],
    )


def _limits(policy: Mapping[str, Any]) -> None:
    size = len(canonical(policy))
    if size > MAX_BYTES:
        raise Refusal("policy-too-large", what="bytes", needed=MAX_BYTES, seen=size)
    for name in _KINDS:
        rules = policy.get(name, [])
        if isinstance(rules, list) and len(rules) > MAX_RULES:
            raise Refusal("policy-too-large", what=name, needed=MAX_RULES, seen=len(rules))


def _complete(policy: Mapping[str, Any], head: Mapping[str, str | None]) -> None:
    for name in ("target", "assigner", "assignee"):
        if head[name] is None:
            raise _unclear(name, "an agreement names it", None)
    if "timestamp" not in policy:
        raise _unclear("timestamp", "an agreement names it", None)


def _rules(policy: Mapping[str, Any], name: str, head: Mapping[str, str | None]) -> Iterator[Rule]:
    if name not in policy:
        return
    for place, item in enumerate(_list(policy[name], name), start=1):
        path = f"{name}-{place}"
        rule = _object(item, path)
        _only(rule, {"action", "constraint"}, path)
        action = _action(rule.get("action"), _KINDS[name], path)
        given = _list(rule["constraint"], path) if "constraint" in rule else []
        constraints = tuple(_constraint(one, name, f"{path}.{number}") for number, one in enumerate(given, start=1))
        count = sum(len(one.of) if isinstance(one, Logic) else 1 for one in constraints)
        if count > MAX_CONSTRAINTS:
            raise Refusal("policy-too-large", what=path, needed=MAX_CONSTRAINTS, seen=count)
        if name == "obligation" and [type(one) for one in constraints] != [Atom]:
            raise _unclear(path, "one clause that says when the duty is due", len(constraints))
        yield Rule(path, action, head["target"], head["assignee"], constraints)


def _action(given: object, role: str, path: str) -> str:
    if not isinstance(given, str):
        raise _unclear(path, "an action as text", given)
    found = actions().get(terms.USE if given == "use" else terms.wire_iri(given))
    if found is None or role not in found.roles:
        raise _unclear(path, f"an action that a {role} may name", given)
    return found.iri


def _constraint(given: object, rule: str, path: str) -> Constraint:
    doc = _object(given, path)
    logic = sorted(_LOGIC & doc.keys())
    if not logic:
        return _atom(doc, rule, path)
    if len(doc) != 1:
        raise _unclear(path, "one logical word and nothing beside it", sorted(doc))
    word = logic[0]
    parts = _list(doc[word], path)
    return Logic(
        word, tuple(_atom(_object(one, path), rule, f"{path}.{number}") for number, one in enumerate(parts, start=1))
    )


def _atom(doc: Mapping[str, Any], rule: str, path: str) -> Atom:
    _only(doc, _ATOM, path)
    left, op = doc.get("leftOperand"), doc.get("operator")
    if not isinstance(left, str) or not isinstance(op, str) or "rightOperand" not in doc:
        raise _unclear(path, "leftOperand, operator, rightOperand", sorted(doc))
    operand = operands().get(terms.wire_iri(left))
    if operand is None or (operand.gate not in ORDER and operand.gate != "duty"):
        raise Refusal("operand-without-gate", rule=path, operand=left)
    if (operand.gate == "duty") != (rule == "obligation"):
        raise _unclear(path, f"another operand in a {rule}", left)
    if op not in operand.operators:
        raise _unclear(path, f"one of {', '.join(operand.operators)}", op)
    return Atom(operand.iri, op, right_operand(operand, op, doc["rightOperand"], path))


def _unclear(path: str, why: str, seen: object) -> Refusal:
    return Refusal("policy-not-understood", rule=path, path=path, why=why, needed=why, seen=seen)


def _object(given: object, path: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise _unclear(path, "an object", type(given).__name__)
    return given


def _list(given: object, path: str) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise _unclear(path, "a list that is not empty", type(given).__name__)
    return given


def _only(given: Mapping[str, Any], known: frozenset[str] | set[str], path: str) -> None:
    strange = sorted(given.keys() - known)
    if strange:
        raise _unclear(path, "words that the profile knows", strange)


def _text(given: Mapping[str, Any], name: str) -> str | None:
    if name not in given:
        return None
    value = given[name]
    if not isinstance(value, str) or not 0 < len(value) <= 512:
        raise _unclear(name, "text of 1 to 512 characters", type(value).__name__)
    return value
