"""A policy with the rules of those that it inherits from: the whole of it, or a refusal."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vocab.errors import Refusal
from vocab.odrl.model import Policy, Rule


def merged(policy: Policy, parents: Mapping[str, Policy]) -> Policy:
    """`policy` and every rule of its parents, and of theirs. Raises `Refusal("policy-inherits")`: one is missing, one
    inherits from itself, or two say differently who wins a conflict.
    """
    return _merged(policy, parents, (policy.id,))


def _merged(policy: Policy, parents: Mapping[str, Policy], above: tuple[str, ...]) -> Policy:
    found = replace(policy, inherits=())
    for place, name in enumerate(policy.inherits, start=1):
        if name in above:
            raise Refusal("policy-inherits", rule=policy.id, policy=name, why="a cycle")
        if name not in parents:
            raise Refusal("policy-inherits", rule=policy.id, policy=name, why="not supplied")
        parent = _merged(parents[name], parents, (*above, name))
        found = _joined(found, parent, place)
    return found


def _joined(child: Policy, parent: Policy, place: int) -> Policy:
    """A silent policy is `invalid` in a conflict: only where all say so may a permission win."""
    said = {child.conflict or "invalid", parent.conflict or "invalid"}
    if None not in (child.conflict, parent.conflict) and len(said) > 1:
        raise Refusal("policy-inherits", rule=child.id, policy=parent.id, why="another conflict strategy")
    rules: Any = {
        name: (*getattr(child, name), *(_named(one, f"parent-{place}.", child) for one in getattr(parent, name)))
        for name in ("permissions", "prohibitions", "obligations")
    }
    conflict = child.conflict if child.conflict == parent.conflict else "invalid"
    return replace(child, conflict=conflict, **rules)


def _named(rule: Rule, prefix: str, child: Policy) -> Rule:
    """The parent's rule among the child's: about what it names itself, else about what the child names."""
    inside: Any = {
        name: tuple(replace(one, id=prefix + one.id) for one in getattr(rule, name))
        for name in ("duties", "remedies", "consequences")
    }
    return replace(
        rule,
        id=prefix + rule.id,
        target=rule.target or child.target,
        assignee=rule.assignee or child.assignee,
        **inside,
    )
