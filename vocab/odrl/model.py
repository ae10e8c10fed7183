"""A policy in its one normal form: absolute IRIs, integers, UTC milliseconds, target and assignee on every rule.

`Policy.to_json` is what is stored, digested and given to the evaluator; `Policy.from_json` reads it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from vocab.records.envelope import digest

Right = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison: left operand (IRI), operator (bare ODRL name), right operand (by the operand's type)."""

    left: str
    op: str
    right: Right

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        right = list(self.right) if isinstance(self.right, tuple) else self.right
        return {"left": self.left, "op": self.op, "right": right}


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or` or `xone` over atoms: the one level of nesting that the profile allows."""

    op: str
    of: tuple[Atom, ...]

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        return {"logic": self.op, "of": [one.to_json() for one in self.of]}


Constraint = Atom | Logic


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission, prohibition or obligation. `id` is its kind and its place: `permission-1`."""

    id: str
    action: str
    target: str | None
    assignee: str | None
    constraints: tuple[Constraint, ...]

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        return {
            "id": self.id,
            "action": self.action,
            "target": self.target,
            "assignee": self.assignee,
            "constraints": [one.to_json() for one in self.constraints],
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """An offer or an agreement. An offer is a proposition: a yes to it is hypothetical."""

    kind: Literal["Offer", "Agreement"]
    id: str
    target: str | None
    assigner: str | None
    assignee: str | None
    timestamp: int | None
    permissions: tuple[Rule, ...]
    prohibitions: tuple[Rule, ...]
    obligations: tuple[Rule, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, permissions first."""
        return self.permissions + self.prohibitions + self.obligations

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        return {
            "kind": self.kind,
            "id": self.id,
            "target": self.target,
            "assigner": self.assigner,
            "assignee": self.assignee,
            "timestamp": self.timestamp,
            "permissions": [rule.to_json() for rule in self.permissions],
            "prohibitions": [rule.to_json() for rule in self.prohibitions],
            "obligations": [rule.to_json() for rule in self.obligations],
        }

    @property
    def digest(self) -> str:
        """Lower-case hex SHA-256 of the canonical form."""
        return digest(self.to_json())

    @staticmethod
    def from_json(doc: dict[str, Any]) -> "Policy":
        """The policy that `to_json` wrote. Raises `KeyError` or `TypeError` for anything else."""
        return Policy(
            kind=doc["kind"],
            id=doc["id"],
            target=doc["target"],
            assigner=doc["assigner"],
            assignee=doc["assignee"],
            timestamp=doc["timestamp"],
            permissions=tuple(_rule(rule) for rule in doc["permissions"]),
            prohibitions=tuple(_rule(rule) for rule in doc["prohibitions"]),
            obligations=tuple(_rule(rule) for rule in doc["obligations"]),
        )


def _rule(doc: dict[str, Any]) -> Rule:
    constraints = tuple(_constraint(one) for one in doc["constraints"])
    return Rule(doc["id"], doc["action"], doc["target"], doc["assignee"], constraints)


def _constraint(doc: dict[str, Any]) -> Constraint:
    if "logic" in doc:
        return Logic(doc["logic"], tuple(_atom(one) for one in doc["of"]))
    return _atom(doc)


def _atom(doc: dict[str, Any]) -> Atom:
    right = doc["right"]
    return Atom(doc["left"], doc["op"], tuple(right) if isinstance(right, list) else right)


def atoms(constraints: tuple[Constraint, ...]) -> Iterator[Atom]:
    """Every comparison, those inside logic included."""
    for one in constraints:
        yield from one.of if isinstance(one, Logic) else (one,)
