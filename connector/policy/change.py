"""What would have to be otherwise for a no to become a yes: one sufficient change, found by asking again.

At most two operands or duties together. Never coached: what a purpose, a legal basis, a decision of the IRB or of the
board, or a consent would have to be; only that a new review is needed.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vocab import terms

Json = dict[str, Any]
#: Decided by people on evidence: no value is ever suggested.
REVIEWED: Final = frozenset(
    {terms.PURPOSE, terms.LEGAL_PURPOSE, terms.IRB_DECISION, terms.DRB_APPROVAL, terms.iri("med:consentScope")}
)
#: So many are asked about, two by two: far more than a policy that people sign has open clauses.
_MOST: Final = 24
_CLOCKS: Final = frozenset({terms.DATE_TIME, terms.ELAPSED_TIME})


@dataclass(frozen=True)
class _Candidate:
    """One thing that could be otherwise."""

    kind: str
    name: str
    value: Any
    unit: str | None = None

    def applied(self, asked: Json) -> Json:
        if self.kind == "duty":
            return {**asked, "duties": {**asked["duties"], self.name: "fulfilled"}}
        units = {name: unit for name, unit in asked["units"].items() if name != self.name}
        units |= {self.name: self.unit} if self.unit else {}
        return {**asked, "world": {**asked["world"], self.name: self.value}, "units": units}

    def to_json(self) -> Json:
        unit = {"unit": self.unit} if self.unit else {}
        return {self.kind: self.name, "value": self.value, **unit}


def sufficient(allows: Callable[[Json], bool], asked: Json, policy: Json) -> Json:
    """`{"found": "change", "change": [...]}`, `{"found": "review"}` or `{"found": "none"}`.

    Values are in the normal form (integers; UTC milliseconds), as in the decision's report.
    """
    candidates = list(dict.fromkeys(_candidates(policy, asked)))[:_MOST]
    reviewed = False
    for number in (1, 2):
        for chosen in itertools.combinations(candidates, number):
            if len({one.name for one in chosen}) == number and allows(_all(chosen, asked)):
                if not any(one.name in REVIEWED for one in chosen):
                    return {"found": "change", "change": [one.to_json() for one in chosen]}
                reviewed = True
    return {"found": "review" if reviewed else "none"}


def _all(chosen: tuple[_Candidate, ...], asked: Json) -> Json:
    for one in chosen:
        asked = one.applied(asked)
    return asked


def _candidates(policy: Json, asked: Json) -> Iterator[_Candidate]:
    """For a comparison of a permission the value that meets it, of a prohibition one that does not; each duty done."""
    for rule in policy["permissions"]:
        for atom in _atoms([*rule["constraints"], *rule.get("refinements", ())]):
            yield from _values(atom, _MEETS, asked)
        yield from _duties(rule.get("duties", ()))
    for rule in policy["prohibitions"]:
        for atom in _atoms([*rule["constraints"], *rule.get("refinements", ())]):
            yield from _values(atom, _MISSES, asked)
        yield from _duties(rule.get("remedies", ()))
    yield from _duties(policy["obligations"])


def _atoms(given: list[Json]) -> Iterator[Json]:
    for one in given:
        yield from _atoms(one["of"]) if "of" in one else [one]


def _duties(given: Any) -> Iterator[_Candidate]:
    for one in given:
        yield _Candidate("duty", one.get("uid", one["id"]), "fulfilled")
        yield from _duties(one.get("consequences", ()))


def _values(atom: Json, by: Mapping[str, Callable[[Any], Any]], asked: Json) -> Iterator[_Candidate]:
    if atom["op"] not in by:
        return
    value = by[atom["op"]](atom["right"])
    if atom["left"] in _CLOCKS and value < asked["world"].get(atom["left"], 0):
        return  # time goes one way
    frozen = tuple(value) if isinstance(value, list) else value
    yield _Candidate("operand", atom["left"], frozen, atom.get("unit"))


def _same(right: Any) -> Any:
    return right


_MEETS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("eq", "lteq", "gteq", "isA", "isPartOf", "hasPart"), _same),
    "lt": lambda right: right - 1,
    "gt": lambda right: right + 1,
    "isAnyOf": lambda right: right[0],
    "isAllOf": list,
}
_MISSES: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("neq", "lt", "gt"), _same),
    "lteq": lambda right: right + 1,
    "gteq": lambda right: right - 1,
    "isNoneOf": lambda right: right[0],
}
