"""The medical profile of ODRL: which words a clause may use, what type they have, which gate decides them.

Everything is read from the tables beside this module: `table.toml` and `concepts.toml` are the profile, `odrl.toml` the
rest of ODRL. `python -m vocab.profile` writes the vocabulary of the Rego evaluator from the same tables.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from vocab.terms import iri

Kind = Literal["concept", "token", "party", "text", "count", "decimal", "time", "duration"]
Force = Literal["enforced", "recorded", "legal"]

#: Types whose values are integers (counts, millionths, UTC milliseconds, milliseconds) and can be ordered.
NUMBERS: Final[frozenset[str]] = frozenset({"count", "decimal", "time", "duration"})
#: What can be asked of an ordered value, and of one that is a word.
_ORDERED: Final = ("eq", "neq", "lt", "lteq", "gt", "gteq", "isAnyOf", "isAllOf", "isNoneOf")
_NAMED: Final = ("eq", "neq", "isA", "isPartOf", "hasPart", "isAnyOf", "isAllOf", "isNoneOf")
#: The operators that make sense for each type; a gate's operand may allow fewer.
OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    kind: _ORDERED if kind in NUMBERS else _NAMED
    for kind in ("concept", "token", "party", "text", "count", "decimal", "time", "duration")
}


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
#: The place of operands that no gate decides, and of `ask`, a question outside every gate, which decides them all.
BEYOND: Final = 6


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
def words() -> Mapping[str, Operand]:
    """All left operands that the evaluator can decide, by IRI: the profile's and the rest of ODRL."""
    beside: dict[str, Kind] = _read("odrl.toml")["operands"]
    return {
        **operands(),
        **{
            iri(f"odrl:{name}"): Operand(
                name, iri(f"odrl:{name}"), kind, OPERATORS[kind], "none", "odrl-unsatisfied", "legal", name, name
            )
            for name, kind in beside.items()
        },
    }


@cache
def broader_actions() -> Mapping[str, tuple[str, ...]]:
    """Each action that a policy may name, by IRI, with the actions that include it."""
    beside: dict[str, str] = _read("odrl.toml")["actions"]
    return {
        **{one.iri: one.broader for one in actions().values()},
        **{iri(f"odrl:{name}"): (iri(f"odrl:{broader}"),) if broader else () for name, broader in beside.items()},
    }


@cache
def same_as() -> Mapping[str, str]:
    """The IRIs that ODRL has given up, each with the one that means the same."""
    return {iri(f"odrl:{old}"): iri(f"odrl:{new}") for old, new in _read("odrl.toml")["same"].items()}


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
    concept = concepts().get(term)
    broader = concept.broader if concept else broader_actions().get(term)
    if broader is None:
        return ()
    return tuple(sorted({term, *(above for parent in broader for above in ancestors(parent))}))


def vocabulary() -> dict[str, Any]:
    """What the Rego evaluator needs of the profile: the content of `policies/tables/profile.json`."""
    return {
        "profile": {
            "gates": {**ORDER, "ask": BEYOND},
            "operands": {
                one.iri: {"name": one.name, "type": one.type, "gate": ORDER.get(one.gate, BEYOND), "code": one.code}
                for one in words().values()
            },
            "operators": {kind: list(operators) for kind, operators in OPERATORS.items()},
            "ancestors": {term: list(ancestors(term)) for term in concepts()},
            "actions": {term: list(ancestors(term)) for term in broader_actions()},
            "duties": {one.iri: one.phase for one in actions().values() if one.phase},
        }
    }
