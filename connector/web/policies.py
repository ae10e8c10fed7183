"""A policy on a page: sentences, or the plain statement that it was not understood and therefore allows nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from vocab.errors import Language, Refusal
from vocab.odrl import model
from vocab.odrl.explain import explain
from vocab.profile import Gate, concepts, operands
from vocab.terms import short
from vocab.words import text
from vocab.words.values import Both, Value

DID: Final = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]+")
#: A duty is decided at no gate: it bounds what happens after the use.
GATES: Final = frozenset(gate.value for gate in Gate)


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


def policy(identifier: str, normalised: Mapping[str, Any], name: Callable[[str], Value]) -> Policy:
    """A stored policy for a page. Not understood to the last clause, it shows no clause at all."""
    try:
        found = model.Policy.from_json(dict(normalised))
        if found.to_json() != normalised:  # a member that nothing reads would be left out of the sentences
            raise ValueError("members")
        korean, english = explain(found, "ko"), explain(found, "en")
    except (Refusal, KeyError, ValueError, TypeError, AttributeError) as error:
        return Policy(identifier, why_not=str(error)[:300] or type(error).__name__)
    clauses = tuple(
        Clause(
            Both(_named(ko.text, name, "ko"), _named(en.text, name, "en")),
            rule="." not in ko.path,
            force=ko.force,
            gate=ko.gate if ko.gate in GATES else None,
        )
        for ko, en in zip(korean, english, strict=True)
    )
    return Policy(identifier, clauses) if clauses else Policy(identifier, why_not="–")


def _named(sentence: str, name: Callable[[str], Value], language: Language) -> str:
    return DID.sub(lambda found: text(name(found[0]), language), sentence)


def concept(iri: str) -> Value:
    """A purpose or disease in the words of the profile; one that it does not know, by its short name."""
    found = concepts().get(iri)
    return Both(found.ko, found.en) if found else short(iri)


def operand(iri: str) -> Value:
    """An operand in the words of the profile; one that it does not know, by its IRI."""
    found = operands().get(iri)
    return Both(found.ko, found.en) if found else iri
