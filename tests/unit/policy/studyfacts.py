"""Study S1 as the gates see it when everything is in order; a test changes one fact at a time."""

import copy
from typing import Any

from vocab import terms
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import agreement, research_offer
from vocab.profile import Gate

NOW = 1_788_220_800_000
DAY = 86_400_000
H01, A02, A03, P01 = (f"did:web:localhost%3A700{n}:{name}" for n, name in enumerate(("h01", "a02", "a03", "p01")))
DATASET = "urn:uuid:d-h01-dm"
OFFER = research_offer("offer-1", zone=P01, disease="E10-E14")
OFFERED = normalise(OFFER, target=DATASET)
AGREED = normalise(agreement(OFFER, "agreement-1", target=DATASET, assigner=H01, assignee=A02, at=NOW))

_FACTS: dict[str, Any] = {
    "party": {"did": A02, "active": True, "purposes": [terms.MEDICAL_DEVICE_AI], "diseases": ["E11", "N18"]},
    "provider": {"did": H01, "active": True},
    "standing": {"seq": 7, "fresh": True},
    "revision": {"active": True},
    "dataset": {
        "id": DATASET,
        "legal_basis": "kr:PIPA-28-2",
        "non_public": True,
        "synthetic": True,
        "min_walls": "thin",
    },
    "permit": {
        "id": "permit-1",
        "state": "active",
        "applicant": A02,
        "datasets": [DATASET],
        "purpose": terms.MEDICAL_DEVICE_AI,
        "legal_purpose": terms.SCIENTIFIC_RESEARCH,
        "disease": ["E11"],
        "code_digests": ["sha256:train"],
        "image_digests": ["sha256:image"],
        "from": NOW - DAY,
        "until": NOW + 89 * DAY,
        "zone": P01,
        "irb": {"decision": "approved", "until": NOW + 200 * DAY},
        "drb": "approved",
    },
    "offer": {"differences": []},
    "agreement": {
        "id": "agreement-1",
        "provider": H01,
        "consumer": A02,
        "dataset": DATASET,
        "state": "FINALIZED",
        "receipt_complete": True,
        "snapshot": "sha256:snapshot",
        "permit": "permit-1",
        "until": NOW + 89 * DAY,
    },
    "snapshot": {"digest": "sha256:snapshot", "k": 5, "accepted": True, "stopped": False},
    "zone": {"did": P01, "active": True, "country": "KR", "walls": "thin", "verify_code": ["sha256:verify"]},
    "destination": {"kind": "push", "zone_did": P01, "slot": True},
    "token": {"used": False},
    "task": {
        "kind": "train",
        "code_digest": "sha256:train",
        "image_digest": "sha256:image",
        "parts": ["train"],
        "jobs_done": 0,
        "verify_runs_done": 0,
    },
    "output": {
        "name": "model.onnx",
        "kind": "model",
        "format": "onnx",
        "structural_ok": True,
        "findings": [],
        "mia": {"0": 512, "1": 540},
        "residual_bytes": 96,
    },
    "requester": {"person": "analyst", "organisation": A02},
    "reviews": [
        {"person": "reviewer-1", "organisation": "op", "decision": "release"},
        {"person": "reviewer-2", "organisation": "op", "decision": "release"},
    ],
}
REQUESTS: dict[Gate, dict[str, Any]] = {
    Gate.CATALOG: {"action": terms.USE},
    Gate.NEGOTIATE: {"action": terms.USE},
    Gate.TRANSFER: {"action": terms.USE},
    Gate.SUBMIT: {"action": terms.iri("med:train")},
    Gate.EGRESS: {"action": terms.iri("med:release"), "step": "release"},
    Gate.HOLD: {"action": terms.iri("med:train"), "stage": "submit"},
}


def facts(**changes: Any) -> dict[str, Any]:
    """All facts; `permit={"state": "ended"}` changes one field, `permit=None` the whole fact."""
    found = copy.deepcopy(_FACTS)
    for name, change in changes.items():
        if isinstance(change, dict) and isinstance(found[name], dict):
            found[name].update(change)
        else:
            found[name] = change
    return found


def policy(gate: Gate) -> Policy:
    """What the gate judges: the offer until there is an agreement."""
    return OFFERED if gate in (Gate.CATALOG, Gate.NEGOTIATE) else AGREED
