"""The medical profile of ODRL: which words a clause may use, what type they have, which gate decides them.

Everything is read from `table.toml` and `concepts.toml` beside this module; `python -m vocab.profile` writes the
vocabulary of the Rego evaluator from the same tables.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from vocab.terms import iri

Kind = Literal["concept", "token", "party", "count", "time", "duration"]
Force = Literal["enforced", "recorded", "legal"]

#: Types whose values are integers (counts, UTC milliseconds, milliseconds) and can be ordered.
NUMBERS: Final[frozenset[str]] = frozenset({"count", "time", "duration"})


class Gate(StrEnum):
    """The six places where the system says yes or no."""

    CATALOG = "catalog"
    NEGOTIATE = "negotiate"
    TRANSFER = "transfer"
    SUBMIT = "submit"
    EGRESS = "egress"
    HOLD = "hold"


#: In which order a study passes the gates. `hold` has no place of its own: it asks as the gate that granted.
ORDER: Final[Mapping[str, int]] = {"catalog": 1, "negotiate": 2, "transfer": 3, "submit": 4, "egress": 5}


@dataclass(frozen=True, slots=True)
class Operand:
    """One left operand: `gate` is the first that decides it, "duty" bounds a duty, "none" is decided nowhere."""

    name: str
    iri: str
    type: Kind
    operators: tuple[str, ...]
    gate: str
    code: str
    force: Force
    ko: str
    en: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One action: `broader` are the actions that include it, `roles` the rules that may name it."""

    name: str
    iri: str
    roles: tuple[str, ...]
    force: Force
    ko: str
    en: str
    broader: tuple[str, ...] = ()
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """One term that `isA` can climb from; `scheme` is the name of the operand that it belongs to."""

    iri: str
    scheme: str
    ko: str
    en: str
    broader: tuple[str, ...] = ()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__name__) / name).read_text("utf-8"))


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


@cache
def operands() -> Mapping[str, Operand]:
    """All operands by IRI."""
    found = (
        Operand(name, **{**_frozen(row), "iri": iri(row["iri"])})
        for name, row in _read("table.toml")["operand"].items()
    )
    return {operand.iri: operand for operand in found}


@cache
def actions() -> Mapping[str, Action]:
    """All actions by IRI."""
    found = {}
    for name, row in _read("table.toml")["action"].items():
        fields = {**_frozen(row), "iri": iri(row["iri"]), "broader": tuple(map(iri, row.get("broader", ())))}
        found[fields["iri"]] = Action(name, **fields)
    return found


@cache
def concepts() -> Mapping[str, Concept]:
    """All concepts by IRI, the ten numbered subcategories of each disease category among them."""
    found = {}
    for scheme, rows in _read("concepts.toml").items():
        for term, row in rows.items():
            one = Concept(iri(term), scheme, row["ko"], row["en"], tuple(map(iri, row.get("broader", ()))))
            found[one.iri] = one
            if scheme == "disease" and "-" not in term:
                found.update({sub.iri: sub for sub in map(_subcategory, [one] * 10, range(10))})
    return found


def _subcategory(category: Concept, number: int) -> Concept:
    code = f"{category.iri.rpartition('#')[2]}.{number}"
    return Concept(
        f"{category.iri}.{number}", category.scheme, f"{category.ko} {code}", f"{category.en} {code}", (category.iri,)
    )


@cache
def ancestors(term: str) -> tuple[str, ...]:
    """`term` and everything above it, sorted. Works for concepts and actions; empty for a term that is unknown."""
    node: Concept | Action | None = concepts().get(term) or actions().get(term)
    if node is None:
        return ()
    return tuple(sorted({term, *(above for parent in node.broader for above in ancestors(parent))}))


def vocabulary() -> dict[str, Any]:
    """What the Rego evaluator needs of the profile: the content of `policies/tables/profile.json`."""
    return {
        "profile": {
            "gates": dict(ORDER),
            "operands": {
                one.iri: {
                    "name": one.name,
                    "type": one.type,
                    "operators": list(one.operators),
                    "gate": ORDER[one.gate],
                    "code": one.code,
                }
                for one in operands().values()
                if one.gate in ORDER
            },
            "ancestors": {term: list(ancestors(term)) for term in concepts()},
            "actions": {term: list(ancestors(term)) for term in actions()},
            "duties": {one.iri: one.phase for one in actions().values() if one.phase},
        }
    }
