"""A policy on a page: sentences, or the plain statement that it was not understood and therefore allows nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from vocab.errors import Refusal
from vocab.odrl import model
from vocab.odrl.explain import explain
from vocab.words.values import Both, Value


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence; `rule` names a permission, prohibition or duty, the others say under which conditions.

    `force` says what stands behind it, `gate` which gate first decides it.
    """

    text: Value
    rule: bool
    force: str
    gate: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as sentences. Either it has clauses, or a reason why nobody here can say what it means."""

    kind: ClassVar[str] = "policy"
    id: str
    clauses: tuple[Clause, ...] = ()
    why_not: str | None = None

    def __post_init__(self) -> None:
        if (self.why_not is None) != bool(self.clauses):
            raise ValueError("a policy is either understood or not")


def policy(identifier: str, normalised: Mapping[str, Any]) -> Policy:
    """A stored policy for a page. What is not understood to the last clause shows no clause at all."""
    try:
        found = model.Policy.from_json(dict(normalised))
        if found.to_json() != normalised:  # a member that nothing reads would be left out of the sentences
            raise ValueError("members")
        korean, english = explain(found, "ko"), explain(found, "en")
    except (Refusal, KeyError, ValueError, TypeError, AttributeError) as error:
        return Policy(identifier, why_not=str(error)[:300] or type(error).__name__)
    clauses = tuple(
        Clause(Both(ko.text, en.text), ko.gate is None and "." not in ko.path, ko.force, ko.gate)
        for ko, en in zip(korean, english, strict=True)
    )
    return Policy(identifier, clauses) if clauses else Policy(identifier, why_not="–")
