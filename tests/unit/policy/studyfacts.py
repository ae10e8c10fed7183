"""Study S1 as the gates see it when all is in order (`policies/cases/study.yaml`); tests change one fact at a time."""

import copy
from importlib.resources import files
from typing import Any

import yaml

from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import agreement, research_offer
from vocab.profile import Gate

_FILES = [
    yaml.safe_load(file.read_text("utf-8"))
    for file in (files("policies") / "cases").iterdir()
    if file.name.endswith(".yaml")
]
STUDY: dict[str, Any] = next(one["study"] for one in _FILES if "study" in one)
CASES: dict[str, list[dict[str, Any]]] = {name: rows for one in _FILES for name, rows in one.get("cases", {}).items()}
NOW: int = STUDY["now"]
REQUESTS: dict[Gate, dict[str, Any]] = {Gate(name): request for name, request in STUDY["requests"].items()}

DAY = 86_400_000
H01, A02, A03, P01 = (f"did:web:localhost%3A700{n}:{name}" for n, name in enumerate(("h01", "a02", "a03", "p01")))
DATASET = "urn:uuid:d-h01-dm"
OFFER = research_offer("offer-1", zone=P01, disease="E10-E14")
OFFERED = normalise(OFFER, target=DATASET)
AGREED = normalise(agreement(OFFER, "agreement-1", target=DATASET, assigner=H01, assignee=A02, at=NOW))


def facts(**changes: Any) -> dict[str, Any]:
    """All facts; `permit={"state": "ended"}` changes one field, `permit=None` the whole fact."""
    found = copy.deepcopy(STUDY["facts"])
    for name, change in changes.items():
        if isinstance(change, dict) and isinstance(found[name], dict):
            found[name].update(change)
        else:
            found[name] = change
    return found


def policy(gate: Gate) -> Policy:
    """What the gate judges: the offer until there is an agreement."""
    return OFFERED if gate in (Gate.CATALOG, Gate.NEGOTIATE) else AGREED
