"""What a gate answered: one frozen document, complete enough to explain, to store and to replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vocab.errors import Refusal
from vocab.profile import Gate


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not: a code of the catalogue, the rule, the value needed and the value seen."""

    code: str
    rule: str | None = None
    needed: Any = None
    seen: Any = None

    def to_json(self) -> dict[str, Any]:
        """All four, also when they are empty."""
        return {"code": self.code, "rule": self.rule, "needed": self.needed, "seen": self.seen}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one gate. `allow` from `catalog` means "may apply"; the clauses still open stand in `later`."""

    gate: Gate
    allow: bool
    reasons: tuple[Reason, ...]
    obligations: tuple[Mapping[str, Any], ...]
    report: tuple[Mapping[str, Any], ...]
    valid_until: int | None
    at: int
    revision: str
    engine: str
    input_digest: str
    policy_digest: str | None

    @property
    def later(self) -> tuple[str, ...]:
        """The operands (IRIs) that a later gate decides."""
        open_ = (clause for rule in self.report for clause in rule["constraints"] if clause["state"] == "later")
        parts = (part for clause in open_ for part in clause.get("of", [clause]))
        return tuple(dict.fromkeys(part["operand"] for part in parts))

    def refusal(self) -> Refusal:
        """The first reason as an exception to raise. A gate's own reasons stand before those of the policy."""
        first = self.reasons[0]
        return Refusal(first.code, rule=first.rule, needed=first.needed, seen=first.seen)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "gate": self.gate.value,
            "allow": self.allow,
            "reasons": [one.to_json() for one in self.reasons],
            "obligations": [dict(one) for one in self.obligations],
            "report": [dict(one) for one in self.report],
            "valid_until": self.valid_until,
            "at": self.at,
            "revision": self.revision,
            "engine": self.engine,
            "input_digest": self.input_digest,
            "policy_digest": self.policy_digest,
        }
