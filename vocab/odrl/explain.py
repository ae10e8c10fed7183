"""A policy as people read it: one sentence a clause, and what is made of it (enforced, recorded, a promise in law)."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from vocab.errors import Language
from vocab.odrl.model import Atom, Constraint, Policy, Rule, atoms
from vocab.profile import Force, Operand, actions, concepts, operands
from vocab.words import known, text, word
from vocab.words.values import AtSecond, Lasting

#: Words for a comparison that depend on what is compared; all others are `policy-<operator>`.
_WORDS: Final = {
    ("time", "lt"): "policy-before",
    ("time", "lteq"): "policy-until",
    ("time", "gt"): "policy-past",
    ("time", "gteq"): "policy-from",
    ("duration", "lteq"): "policy-within",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence. `gate` first decides it ("duty": after the use); None for the line that names a rule's action."""

    path: str
    kind: str
    text: str
    force: Force
    gate: str | None


def explain(policy: Policy, language: Language) -> list[Clause]:
    """The policy as sentences: for each rule a line with its action, then a line for each clause."""
    return [clause for rule in policy.rules for clause in _rule(rule, language)]


def table(policy: Policy) -> list[dict[str, Any]]:
    """What is made of each clause, before anyone signs: `enforced` by `gate` and each later one until results leave,
    `recorded`, or `legal`: said in the contract and held by nobody but a court.
    """
    return [
        {
            "path": ko.path,
            "kind": ko.kind,
            "text": {"ko": ko.text, "en": en.text},
            "force": ko.force,
            "gate": ko.gate,
            "until": "release" if ko.force == "enforced" else None,
        }
        for ko, en in zip(explain(policy, "ko"), explain(policy, "en"), strict=True)
    ]


def sentence(constraint: Constraint, language: Language) -> str:
    """One constraint as a sentence."""
    if isinstance(constraint, Atom):
        operand = operands()[constraint.left]
        return _said(operand, constraint.op, _value(operand, constraint, language), language)
    parts = [one for one in constraint.of if isinstance(one, Atom)]
    if len({(atom.left, atom.op) for atom in parts}) == 1 and len(parts) == len(constraint.of):
        operand = operands()[parts[0].left]  # one subject: "IRB decision: approved or exempt"
        values = _joined([_value(operand, atom, language) for atom in parts], constraint.op, language)
        return _said(operand, parts[0].op, values, language)
    return _joined([sentence(atom, language) for atom in constraint.of], constraint.op, language)


def _rule(rule: Rule, language: Language) -> list[Clause]:
    kind = rule.id.partition("-")[0]
    action = actions()[rule.action]
    name = action.ko if language == "ko" else action.en
    lines = [Clause(rule.id, kind, word(f"policy-{kind}", language, action=name), action.force, None)]
    for place, constraint in enumerate(rule.constraints, start=1):
        first = next(atoms((constraint,)))
        operand = operands()[first.left]
        force = action.force if kind == "obligation" else operand.force
        lines.append(Clause(f"{rule.id}.{place}", kind, sentence(constraint, language), force, operand.gate))
    return lines


def _said(operand: Operand, op: str, value: str, language: Language) -> str:
    key = _WORDS.get((operand.type, op), f"policy-{op}")
    return word(key, language, operand=operand.ko if language == "ko" else operand.en, value=value)


def _joined(parts: list[str], op: str, language: Language) -> str:
    if op == "xone" and len(parts) > 2:
        return word("policy-only-one", language, all=" / ".join(parts))
    return reduce(lambda one, other: word(f"policy-{op}", language, one=one, other=other), parts)


def _value(operand: Operand, atom: Atom, language: Language) -> str:
    rights = atom.right if isinstance(atom.right, tuple) else (atom.right,)
    return ", ".join(_shown(operand, one, language) for one in rights)


def _shown(operand: Operand, right: str | int, language: Language) -> str:
    if isinstance(right, int):
        kinds = {"time": AtSecond, "duration": Lasting}
        return text(kinds.get(operand.type, int)(right), language)
    concept = concepts().get(right)
    if concept is not None:
        return concept.ko if language == "ko" else concept.en
    key = f"policy-token-{right}"
    return word(key, language) if known(key) else right
