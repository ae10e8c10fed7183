"""Checks descriptions of datasets against the shapes, offline. Slow to import (about a second) and CPU only.

The descriptions are JSON-LD in expanded form: no context stands in them, so nothing could be fetched.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyshacl
from pyld import jsonld
from rdflib import Graph, Namespace
from rdflib.term import Node

_SH: Final = Namespace("http://www.w3.org/ns/shacl#")
_MED: Final = Namespace("https://w3id.org/dure/med#")


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing that a description lacks: the refusal's code, the path, and what was found there."""

    code: str
    path: str
    why: str
    seen: str


def violations(descriptions: Iterable[Any]) -> list[Violation]:
    """What is wrong with these descriptions taken together, the most telling first; empty when they conform."""
    data = Graph()
    for one in descriptions:
        data.parse(data=jsonld.to_rdf(one, {"format": "application/n-quads"}), format="nt")
    conforms, report, _ = pyshacl.validate(data, shacl_graph=_shapes(), inference="none")
    if conforms or not isinstance(report, Graph):
        return []
    found = [_violation(report, result) for result in report.subjects(_SH.resultMessage)]
    return sorted(set(found), key=lambda one: (one.code == "description-invalid", one))


def _violation(report: Graph, result: Node) -> Violation:
    shape = report.value(result, _SH.sourceShape)
    code = _shapes().value(shape, _MED.refusal) if shape is not None else None
    path, why, seen = (
        report.value(result, term) for term in (_SH.resultPath, _SH.sourceConstraintComponent, _SH.value)
    )
    words = [re.split(r"[#/]", str(one or "–"))[-1] for one in (path, why)]
    return Violation(
        str(code or "description-invalid"), words[0], words[1], str(seen)[:200] if seen is not None else "–"
    )


@cache
def _shapes() -> Graph:
    return Graph().parse(data=(files("vocab.shapes") / "dataset.ttl").read_text("utf-8"), format="turtle")
