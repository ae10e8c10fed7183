"""The state of the world that clauses are compared with, drawn from the facts of a gate: one table, no judgement.

A fact that is absent has no value here, and the evaluator says `unknown`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vocab import terms
from vocab.profile import Gate

Facts = Mapping[str, Any]


def _at(facts: Facts, *path: str) -> Any:
    value: Any = facts
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _codes(given: object) -> list[str] | None:
    """Codes of diseases as IRIs; an IRI stays."""
    if not isinstance(given, list | tuple):
        return None
    return [code if ":" in code else terms.kcd(code) for code in given if isinstance(code, str)]


def _purpose(gate: Gate, facts: Facts) -> Any:
    return _at(facts, "party", "purposes") if gate is Gate.CATALOG else _at(facts, "permit", "purpose")


def _disease(gate: Gate, facts: Facts) -> Any:
    return _codes(_at(facts, "party", "diseases") if gate is Gate.CATALOG else _at(facts, "permit", "disease"))


def _jobs(gate: Gate, facts: Facts) -> Any:
    """How many tasks there will be if this one starts; a validation run is not one of them."""
    done = _at(facts, "task", "jobs_done")
    starting = gate is Gate.SUBMIT and _at(facts, "task", "kind") == "train"
    return done + 1 if starting and isinstance(done, int) else done


#: Where each operand's value comes from: the declared purposes of a member who searches, later the permit's.
_SOURCES: Final[Mapping[str, Callable[[Gate, Facts], Any]]] = {
    terms.PURPOSE: _purpose,
    terms.DISEASE: _disease,
    terms.LEGAL_PURPOSE: lambda _, facts: _at(facts, "permit", "legal_purpose"),
    terms.DRB_APPROVAL: lambda _, facts: _at(facts, "permit", "drb"),
    terms.IRB_DECISION: lambda _, facts: _at(facts, "permit", "irb", "decision"),
    terms.PROCESSING_PLACE: lambda _, facts: _at(facts, "zone", "did"),
    terms.SPATIAL: lambda _, facts: _at(facts, "zone", "country"),
    terms.K_ANONYMITY: lambda _, facts: _at(facts, "snapshot", "k"),
    terms.OUTPUT_KIND: lambda _, facts: _at(facts, "output", "kind"),
    terms.JOB_COUNT: _jobs,
}


def world(gate: Gate, facts: Facts, now: int) -> dict[str, Any]:
    """The value of every operand that the facts speak of."""
    values = {operand: source(gate, facts) for operand, source in _SOURCES.items()}
    values[terms.DATE_TIME] = now
    began = _at(facts, "permit", "from")
    if isinstance(began, int):
        values[terms.ELAPSED_TIME] = now - began
    return {operand: value for operand, value in values.items() if value is not None}
