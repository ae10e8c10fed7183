"""Reads a policy from JSON-LD into its normal form, once, when it arrives. Its original bytes are kept beside it.

What is not understood is refused, never dropped: a clause that disappears makes a permission broader. `read` takes all
of ODRL that the evaluator decides; `normalise` takes what this space publishes and agrees on: clauses that some gate
decides, and nothing that a page could not say.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.contexts import DSPACE, EDC, ODRL
from vocab.odrl.duo import spelt_out
from vocab.odrl.expand import Node, expanded
from vocab.odrl.model import Atom, Logic, Policy, Rule, atoms, plain
from vocab.odrl.names import PROFILE, WIRE, Names, unclear
from vocab.odrl.nodes import Reading
from vocab.odrl.rules import MAX_RULES, Head, rules
from vocab.odrl.values import moment
from vocab.profile import ORDER, actions, operands

MAX_BYTES: Final = 16_384
MAX_CONSTRAINTS: Final = 64

_KINDS: Final[Mapping[str, Any]] = {name: name for name in ("Set", "Offer", "Request", "Agreement")} | {"Policy": "Set"}
_RULES: Final[Mapping[str, str]] = {"permission": "permission", "prohibition": "prohibition", "obligation": "duty"}
_CONFLICTS: Final = ("perm", "prohibit", "invalid")
_PROFILES: Final = frozenset({terms.MED_PROFILE, terms.PREFIXES["med"], ODRL + "core", ODRL})


def read(
    doc: object,
    *,
    target: str | None = None,
    names: Names = PROFILE,
    context: str = terms.MED_CONTEXT,
    caps: bool = True,
) -> Policy:
    """The normal form of a policy, or of a list of DUO codes (`duo`). `context` is that of a document without one,
    `target` the dataset of an offer that stands in a catalogue. Only a runner of public test cases lifts the caps.

    Raises `Refusal`: policy-not-understood, policy-too-large, operand-without-gate, term-unknown, not-canonical,
    context-not-understood.
    """
    if not isinstance(doc, Mapping):
        raise unclear("$", "an object", type(doc).__name__)
    if caps:
        _small(doc)
    if "duoDataUse" in doc:
        doc, context = spelt_out(doc), terms.MED_CONTEXT
    policy = _policy(_inner(expanded(doc, (context,)), names), target)
    if caps:
        _few(policy)
    return policy


def normalise(doc: object, *, target: str | None = None) -> Policy:
    """The normal form of an offer or agreement of this space. Raises as `read`, and for what no gate decides."""
    return _agreed(_small(doc), target)


@lru_cache(maxsize=256)
def _agreed(text: bytes, target: str | None) -> Policy:
    """One offer comes back in each message of a negotiation and at each gate: the same bytes are read once."""
    return published(read(orjson.loads(text), target=target, names=WIRE, context=terms.DSP_CONTEXT))


def published(policy: Policy) -> Policy:
    """The same policy, if each of its clauses is decided by some gate or said to be otherwise. Raises `Refusal`."""
    if policy.kind not in ("Offer", "Agreement"):
        raise unclear("@type", "Offer or Agreement", policy.kind)
    if not policy.id:
        raise unclear("@id", "an id", None)
    if not policy.permissions and not policy.prohibitions:
        raise unclear("permission", "at least one permission or prohibition", None)
    if policy.conflict not in (None, "prohibit") or policy.inherits:
        raise unclear("conflict", "prohibit, and no inheritance", policy.conflict or policy.inherits)
    for rule in policy.rules:
        _decided(rule, policy)
    return policy


# ---- all of ODRL


def _inner(node: Node, names: Names) -> Reading:
    """The policy itself, where the management API of EDC wraps it."""
    policy = Reading(node, names, "policy")
    if EDC + "PolicyDefinition" not in policy.types_kept():
        return policy
    inner = policy.one(EDC + "policy")
    policy.all("@type")
    policy.identifier()
    policy.done()
    return Reading(inner, names, "policy")


def _policy(node: Reading, target: str | None) -> Policy:
    kinds = {str(_KINDS.get(one, one)) for one in node.types()} or {"Set"}
    if len(kinds - {"Set"}) > 1 or not kinds <= set(_KINDS):
        raise unclear("@type", " | ".join(_KINDS), sorted(kinds))
    kind: Any = next(iter(kinds - {"Set"}), "Set")
    identifier = node.identifier() or ""
    for profile in node.all("profile"):
        if (name := node.reference(profile, "profile")) not in _PROFILES:
            raise unclear("profile", terms.MED_PROFILE, name)
    conflict = node.one("conflict")
    strategy: Any = None if conflict is None else node.word(conflict, "conflict").removeprefix(ODRL)
    if strategy is not None and strategy not in _CONFLICTS:
        raise unclear("conflict", " | ".join(_CONFLICTS), strategy)
    inherits = tuple(sorted({node.reference(one, "inheritFrom") for one in node.all("inheritFrom")}))
    timestamp = _timestamp(node)
    head = Head(node.all("action"), node.all("target"), node.all("assignee"))
    if target is not None:
        head = Head(head.action, _same(node, head.target, target), head.assignee)
    assigner = node.named("assigner")
    found = {name: tuple(rules(node.all(name), name, head, assigner, node.names)) for name in _RULES}
    node.done()
    if not any(found.values()) and not inherits:
        raise unclear("permission", "at least one rule", None)
    policy = Policy(
        kind=kind,
        id=identifier,
        target=_name(node, head.target, "target"),
        assigner=assigner,
        assignee=_name(node, head.assignee, "assignee"),
        timestamp=timestamp,
        permissions=found["permission"],
        prohibitions=found["prohibition"],
        obligations=found["obligation"],
        conflict=strategy,
        inherits=inherits,
    )
    if kind == "Agreement" and node.names is WIRE:
        _complete(policy)
    return policy


def _same(node: Reading, given: list[Any], target: str) -> list[Any]:
    """The target of an offer in a catalogue; one that it names itself must be the same."""
    for one in given:
        if (seen := node.reference(one, "target")) != target:
            raise unclear("target", target, seen)
    return [{"@id": target}]


def _name(node: Reading, given: list[Any], member: str) -> str | None:
    """The one asset or party that a policy names by nothing but its name; the rules carry all others."""
    plain_ = [one for one in given if isinstance(one, dict) and one.keys() in ({"@id"}, {"@value"})]
    return node.reference(plain_[0], member) if len(given) == len(plain_) == 1 else None


def _timestamp(node: Reading) -> int | None:
    for namespace in (DSPACE, "https://w3id.org/dspace/2024/1/"):
        given = node.one(namespace + "timestamp")
        if given is not None:
            return moment(given.get("@value") if isinstance(given, dict) else given, "timestamp")
    return None


def _complete(policy: Policy) -> None:
    for name in ("target", "assigner", "assignee", "timestamp"):
        if getattr(policy, name) is None:
            raise unclear(name, "an agreement names it", None)


# ---- caps


def _small(doc: object) -> bytes:
    """The document as text. Raises `Refusal` when it is too large, or says what JSON cannot say exactly."""
    try:
        text = orjson.dumps(doc)
    except TypeError as error:
        raise Refusal("not-canonical", why=str(error)) from None
    if len(text) > MAX_BYTES:
        raise Refusal("policy-too-large", what="bytes", needed=MAX_BYTES, seen=len(text))
    return text


def _few(policy: Policy) -> None:
    """Counted in the normal form: one rule about several things is several rules."""
    every = list(_every(policy.rules))
    clauses = [atom for rule in every for atom in atoms((*rule.constraints, *rule.refinements))]
    for what, most, seen in (("rules", MAX_RULES, len(every)), ("constraints", MAX_CONSTRAINTS, len(clauses))):
        if seen > most:
            raise Refusal("policy-too-large", what=what, needed=most, seen=seen)


def _every(given: tuple[Rule, ...]) -> Iterator[Rule]:
    for rule in given:
        yield rule
        yield from _every(rule.duties + rule.remedies + rule.consequences)


# ---- what this space publishes


def _decided(rule: Rule, policy: Policy) -> None:
    kind = rule.id.partition("-")[0]
    action = actions().get(rule.action)
    if action is None or _RULES[kind] not in action.roles:
        raise unclear(rule.id, f"an action that a {_RULES[kind]} may name", rule.action)
    if not plain(rule) or rule.target != policy.target or rule.assignee != policy.assignee:
        raise unclear(rule.id, "action and constraints alone, about the policy's own target and assignee", rule.target)
    if kind == "obligation" and [type(one) for one in rule.constraints] != [Atom]:
        raise unclear(rule.id, "one clause that says when the duty is due", len(rule.constraints))
    for one in rule.constraints:
        if isinstance(one, Logic) and (one.op == "andSequence" or not all(isinstance(part, Atom) for part in one.of)):
            raise unclear(rule.id, "and, or, xone over comparisons", one.op)
    for atom in atoms(rule.constraints):
        _gated(atom, kind, rule.id)


def _gated(atom: Atom, kind: str, path: str) -> None:
    operand = operands().get(atom.left)
    if operand is None or operand.gate not in (*ORDER, "duty"):
        raise Refusal("operand-without-gate", rule=path, operand=atom.left, seen=atom.left)
    if (operand.gate == "duty") != (kind == "obligation"):
        raise unclear(path, f"another operand in a {kind}", atom.left)
    if atom.op not in operand.operators:
        raise unclear(path, f"one of {', '.join(operand.operators)}", atom.op)
    if atom.unit is not None:
        raise unclear(path, "no unit", atom.unit)
