"""Two policies side by side, clause by clause: what a negotiation checks before it believes an echo.

Order means nothing (all clauses hold together), so clauses are matched by content first, then by their subject.
Compared are the rules and their target; id, kind, assignee and time differ between offer and agreement by nature.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vocab import terms
from vocab.odrl.model import Atom, Constraint, Logic, Policy, Rule, atoms

_T = TypeVar("_T", Rule, Constraint)


@dataclass(frozen=True, slots=True)
class Difference:
    """One clause that is not the same: `was` or `now` is None where it is missing on that side."""

    path: str
    was: str | None
    now: str | None

    def to_json(self) -> dict[str, str | None]:
        """For a decision's reason and for the peer."""
        return {"path": self.path, "was": self.was, "is": self.now}


def compare(was: Policy, now: Policy) -> list[Difference]:
    """The differences from `was` to `now`; empty when the same thing was agreed."""
    found = [
        Difference(name, before, after)
        for name, before, after in (("target", was.target, now.target), ("assigner", was.assigner, now.assigner))
        if before != after and None not in (before, after)
    ]
    for name in ("permissions", "prohibitions", "obligations"):
        found += _rules(getattr(was, name), getattr(now, name))
    return found


def _rules(was: Sequence[Rule], now: Sequence[Rule]) -> Iterator[Difference]:
    before, after = _unmatched(was, now)
    for one in list(before):
        twin = next((other for other in after if other.action == one.action), None)
        if twin is not None:
            before.remove(one)
            after.remove(twin)
            yield from _clauses(one, twin)
    yield from (Difference(one.id, _rule(one), None) for one in before)
    yield from (Difference(one.id, None, _rule(one)) for one in after)


def _clauses(was: Rule, now: Rule) -> Iterator[Difference]:
    before, after = _unmatched(was.constraints, now.constraints)
    for one in list(before):
        twin = next((other for other in after if _about(other) == _about(one)), None)
        if twin is not None:
            before.remove(one)
            after.remove(twin)
            yield Difference(f"{was.id}.{_about(one)}", _clause(one), _clause(twin))
    yield from (Difference(f"{was.id}.{_about(one)}", _clause(one), None) for one in before)
    yield from (Difference(f"{was.id}.{_about(one)}", None, _clause(one)) for one in after)


def _unmatched(was: Sequence[_T], now: Sequence[_T]) -> tuple[list[_T], list[_T]]:
    """What is left of both sides when equal pairs are taken away, one for one."""
    before, after = [], list(now)
    for one in was:
        twin = next((other for other in after if _content(other) == _content(one)), None)
        if twin is None:
            before.append(one)
        else:
            after.remove(twin)
    return before, after


def _content(one: Rule | Constraint) -> object:
    match one:
        case Rule():
            return one.action, sorted(repr(_content(each)) for each in one.constraints)
        case Logic():
            return one.op, sorted(repr(each) for each in one.of)
        case Atom():
            return one


def _about(one: Constraint) -> str:
    return "+".join(sorted({terms.short(atom.left) for atom in atoms((one,))}))


def _clause(one: Constraint) -> str:
    """The clause on one line, the same words for both sides."""
    if isinstance(one, Logic):
        return f" {one.op} ".join(_clause(each) for each in one.of)
    right = ", ".join(map(str, one.right)) if isinstance(one.right, tuple) else one.right
    return f"{terms.short(one.left)} {one.op} {right}"


def _rule(one: Rule) -> str:
    clauses = "; ".join(_clause(each) for each in one.constraints)
    return f"{terms.short(one.action)} ({clauses})" if clauses else terms.short(one.action)
