"""A policy in its one normal form: absolute IRIs, integers, UTC milliseconds, target and assignee on every rule.

`Policy.to_json` is what is stored, digested and given to the evaluator; `Policy.from_json` reads it back. A member that
says nothing (no unit, no refinement, no duty) is left out, so that one meaning has one text and one digest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from vocab.records.envelope import digest

Right = str | int | tuple[str | int, ...]
Kind = Literal["Set", "Offer", "Request", "Agreement"]


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison: left operand (IRI), operator (bare ODRL name), right operand (by the operand's type)."""

    left: str
    op: str
    right: Right
    unit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        right = list(self.right) if isinstance(self.right, tuple) else self.right
        unit = {} if self.unit is None else {"unit": self.unit}
        return {"left": self.left, "op": self.op, "right": right, **unit}


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or`, `xone` or `andSequence` over comparisons, or over logic of them: two levels at most."""

    op: str
    of: "tuple[Constraint, ...]"

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        return {"logic": self.op, "of": [one.to_json() for one in self.of]}


Constraint = Atom | Logic


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission, prohibition or duty. `id` is its kind and its place: `permission-1`, `permission-1.duty-2`.

    Constraints are compared with the world; refinements narrow what the rule is about (its action, or the members of
    the collection that it names). Of the last four, a rule has those of its kind.
    """

    id: str
    action: str
    target: str | None
    assignee: str | None
    constraints: tuple[Constraint, ...]
    uid: str | None = None
    refinements: tuple[Constraint, ...] = ()
    parties: tuple[tuple[str, str], ...] = ()
    phase: Literal["pre", "post"] | None = None
    duties: "tuple[Rule, ...]" = ()
    remedies: "tuple[Rule, ...]" = ()
    consequences: "tuple[Rule, ...]" = ()

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        written: dict[str, Any] = {
            "id": self.id,
            "action": self.action,
            "target": self.target,
            "assignee": self.assignee,
            "constraints": [one.to_json() for one in self.constraints],
        }
        if self.uid is not None:
            written["uid"] = self.uid
        if self.phase is not None:
            written["phase"] = self.phase
        if self.parties:
            written["parties"] = dict(self.parties)
        for name in ("refinements", "duties", "remedies", "consequences"):
            if parts := getattr(self, name):
                written[name] = [one.to_json() for one in parts]
        return written


@dataclass(frozen=True, slots=True)
class Policy:
    """An offer, an agreement or a set. An offer is a proposition: a yes to it is hypothetical.

    `inherits` are the policies whose rules belong to it and still have to be fetched (`inherit.merged`).
    """

    kind: Kind
    id: str
    target: str | None
    assigner: str | None
    assignee: str | None
    timestamp: int | None
    permissions: tuple[Rule, ...]
    prohibitions: tuple[Rule, ...]
    obligations: tuple[Rule, ...]
    conflict: Literal["perm", "prohibit", "invalid"] | None = None
    inherits: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, permissions first; the duties inside them stand in them."""
        return self.permissions + self.prohibitions + self.obligations

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        written: dict[str, Any] = {
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
        if self.conflict is not None:
            written["conflict"] = self.conflict
        if self.inherits:
            written["inherits"] = list(self.inherits)
        return written

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
            permissions=_rules(doc["permissions"]),
            prohibitions=_rules(doc["prohibitions"]),
            obligations=_rules(doc["obligations"]),
            conflict=doc.get("conflict"),
            inherits=tuple(doc.get("inherits", ())),
        )


def _rules(docs: Iterable[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(_rule(doc) for doc in docs)


def _rule(doc: dict[str, Any]) -> Rule:
    return Rule(
        doc["id"],
        doc["action"],
        doc["target"],
        doc["assignee"],
        _constraints(doc["constraints"]),
        uid=doc.get("uid"),
        refinements=_constraints(doc.get("refinements", ())),
        parties=tuple(sorted(doc.get("parties", {}).items())),
        phase=doc.get("phase"),
        **{name: _rules(doc.get(name, ())) for name in ("duties", "remedies", "consequences")},
    )


def _constraints(docs: Iterable[dict[str, Any]]) -> tuple[Constraint, ...]:
    return tuple(_constraint(one) for one in docs)


def _constraint(doc: dict[str, Any]) -> Constraint:
    if "logic" in doc:
        return Logic(doc["logic"], _constraints(doc["of"]))
    right = doc["right"]
    return Atom(doc["left"], doc["op"], tuple(right) if isinstance(right, list) else right, doc.get("unit"))


def atoms(constraints: Iterable[Constraint]) -> Iterator[Atom]:
    """Every comparison, those inside logic included."""
    for one in constraints:
        if isinstance(one, Logic):
            yield from atoms(one.of)
        else:
            yield one


def plain(rule: Rule) -> bool:
    """Whether the rule says no more than action, target, assignee and constraints."""
    return all(getattr(rule, field.name) in ((), None) for field in fields(rule)[5:] if field.name != "uid")
