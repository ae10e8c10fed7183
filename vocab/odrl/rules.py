"""Permissions, prohibitions and duties from their nodes. A rule about several things becomes a rule about each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.clauses import constraints
from vocab.odrl.contexts import ODRL, PARTIES
from vocab.odrl.model import Constraint, Rule
from vocab.odrl.names import Names, unclear
from vocab.odrl.nodes import Reading
from vocab.profile import broader_actions

MAX_RULES: Final = 32
_RDF_VALUE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#value"
_PHASE: Final = terms.iri("med:phase")
#: Which duties may stand in a rule, by its kind; a duty's consequences have none of their own.
_INSIDE: Final = {
    "permission": ("duty",),
    "prohibition": ("remedy",),
    "obligation": ("consequence",),
    "duty": ("consequence",),
    "remedy": (),
    "consequence": (),
}
_FIELDS: Final = {"duty": "duties", "remedy": "remedies", "consequence": "consequences"}
_DUTIES: Final = frozenset({"obligation", "duty", "remedy", "consequence"})
_CLASSES: Final = {"permission": "Permission", "prohibition": "Prohibition"}


@dataclass(frozen=True, slots=True)
class Head:
    """What a policy says once for all its rules."""

    action: list[Any]
    target: list[Any]
    assignee: list[Any]


@dataclass(frozen=True, slots=True)
class _About:
    """One thing that a rule is about, and what narrows it."""

    name: str | None
    refinements: tuple[Constraint, ...] = ()


def rules(
    given: list[Any], kind: str, head: Head, assigner: str | None, names: Names, path: str = ""
) -> Iterator[Rule]:
    """The rules of one kind, in their order, numbered as they come out. Raises `Refusal`."""
    number = itertools.count(1)
    for place, one in enumerate(given, start=1):
        for rule in _rule(Reading(one, names, f"{path}{kind}-{place}"), kind, head, assigner):
            yield _renamed(rule, rule.id, f"{path}{kind}-{next(number)}")


def _renamed(rule: Rule, old: str, new: str) -> Rule:
    """The rule under another id, the duties inside it as well."""
    if old == new:
        return rule
    inside: dict[str, Any] = {
        name: tuple(_renamed(one, old, new) for one in getattr(rule, name)) for name in _FIELDS.values()
    }
    return replace(rule, id=new + rule.id.removeprefix(old), **inside)


def _rule(node: Reading, kind: str, head: Head, assigner: str | None) -> Iterator[Rule]:
    uid = node.identifier()
    uid = None if uid is None or uid.startswith("_:") else uid
    if strange := node.types() - {_CLASSES.get(kind, "Duty"), "Rule"}:
        raise unclear(node.path, f"a {kind}", sorted(strange))
    actions = [_action(one, node) for one in node.all("action") or head.action]
    if not actions:
        raise unclear(node.path, "an action", None)
    targets = [_about(one, node, "target", "Asset") for one in node.all("target") or head.target]
    assignees = [_about(one, node, "assignee", "Party") for one in node.all("assignee") or head.assignee]
    extra: dict[str, Any] = {"uid": uid, "parties": tuple(_parties(node, assigner)), "phase": _phase(node, kind)}
    clauses = constraints(node.all("constraint"), node.names, node.path)
    inside: dict[str, Any] = {
        _FIELDS[name]: tuple(rules(node.all(name), name, Head([], [], []), assigner, node.names, f"{node.path}."))
        for name in _INSIDE[kind]
    }
    node.done()
    several = len(actions) * max(len(targets), 1) * max(len(assignees), 1)
    if several > MAX_RULES:
        raise Refusal("policy-too-large", what=node.path, needed=MAX_RULES, seen=several)
    combined = itertools.product(actions, targets or [_About(None)], assignees or [_About(None)])
    for action, target, assignee in combined:
        yield Rule(
            node.path,
            str(action.name),
            target.name,
            assignee.name,
            clauses,
            refinements=(*action.refinements, *target.refinements, *assignee.refinements),
            **extra,
            **inside,
        )


def _action(given: Any, rule: Reading) -> _About:
    if isinstance(given, dict) and given.keys() <= {"@id"} | {"@value"}:
        return _About(_known(rule.word(given, "action"), rule))
    node = Reading(given, rule.names, f"{rule.path}.action")
    if strange := node.types() - {"Action"}:
        raise unclear(node.path, "an action", sorted(strange))
    # EDC's first versions wrote {"type": "USE"}.
    given = node.one(_RDF_VALUE) or node.one(ODRL + "type")
    name = node.identifier() if given is None else node.word(given, "value")
    if name is None:
        raise unclear(node.path, "an action", None)
    found = _known(terms.USE if name == ODRL + "USE" else node.names.word(name, node.path), rule)
    refinements = constraints(node.all("refinement"), rule.names, f"{node.path}")
    node.done()
    return _About(found, refinements)


def _known(name: str, rule: Reading) -> str:
    if name not in broader_actions():
        raise unclear(rule.path, "an action of ODRL or of the profile", name)
    return name


def _about(given: Any, rule: Reading, member: str, kind: str) -> _About:
    """An asset or a party: its name, or the collection that it is one of and what narrows the members."""
    if isinstance(given, dict) and given.keys() <= {"@id"} | {"@value"}:
        return _About(rule.reference(given, member))
    node = Reading(given, rule.names, f"{rule.path}.{member}")
    own, types, source = node.identifier(), node.types(), node.named("source")
    if strange := types - {kind, f"{kind}Collection"}:
        raise unclear(node.path, f"a {kind}", sorted(strange))
    refinements = constraints(node.all("refinement"), rule.names, node.path)
    node.done()
    name = (source or own) if refinements else (own or source)
    if name is None or ((source or refinements) and f"{kind}Collection" not in types):
        raise unclear(node.path, f"a {kind} with its name", sorted(types))
    return _About(name, refinements)


def _parties(node: Reading, assigner: str | None) -> Iterator[tuple[str, str]]:
    """The other parties of a rule; the assigner among them when it is not the policy's."""
    for name in ("assigner", *PARTIES):
        party = node.named(name)
        if party is not None and (name, party) != ("assigner", assigner):
            yield name, party


def _phase(node: Reading, kind: str) -> Literal["pre", "post"] | None:
    """When a duty is due: before the use or after it. What does not say is decided by its place and action."""
    given = node.one(_PHASE)
    if given is None:
        return None
    text = given.get("@value", given.get("@id")) if isinstance(given, dict) else None
    if kind not in _DUTIES or text not in ("pre", "post"):
        raise unclear(node.path, "pre or post, of a duty", text)
    return text  # type: ignore[no-any-return]
