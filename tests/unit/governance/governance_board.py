"""What the people of the board, the hospitals and the company do, said shortly for tests."""

from governance_nodes import NOW, Space

from connector.identity.service import ask
from vocab.records.attestations import ATTESTATIONS
from vocab.records.envelope import signed

DAYS_90 = 90 * 24 * 3600 * 1000
STUDY = "urn:uuid:6d1ac1c2-9f0d-4d0e-8f5c-6c1f4d1f0001"
OTHER = "urn:uuid:6d1ac1c2-9f0d-4d0e-8f5c-6c1f4d1f0002"
#: member -> organisation, external
SEATS = {
    "chair": ("operator-office", False),
    "member-1": ("saebit", False),
    "member-2": ("university", True),
    "member-3": ("patients", True),
    "member-4": ("a02", False),  # of the applicant's organisation: recused
}


def application(space: Space, **change):
    body = {
        "type": "application",
        "id": STUDY,
        "title": "당뇨 신장 예측",
        "question": "CKD within 3 years",
        "applicant": space["a02"].did,
        "purpose": "https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateMedicalDevicesAlgorithms",
        "legal_purpose": "https://w3id.org/dure/kr#scientificResearch",
        "disease": ["E11"],
        "datasets": [
            {"id": "D-H01-DM", "provider": space["h01"].did, "columns": ["age", "sex"]},
            {"id": "D-H03-DM", "provider": space["h03"].did, "columns": ["age"]},
        ],
        "zone": space["p01"].did,
        "code_digests": ["sha256:" + "0" * 64],
        "image_digests": ["sha256:" + "1" * 64],
        "period_ms": DAYS_90,
        "attestations": list(ATTESTATIONS),
        "irb": {"decision": "approved", "number": "IRB-1", "document_digest": "2" * 64, "until": NOW + 2 * DAYS_90},
        "risk": "mid",
        "outcome_reward": 1_000_000,
        "publish_by_days": 548,
    }
    return {name: value for name, value in {**body, **change}.items() if value is not ...}


async def apply(space: Space, by: str = "a02", **change):
    node, op = space[by], space["op"]
    envelope = signed(application(space, **change), node.did, node.runtime.keys.sign)
    return await ask(node.runtime, "POST", f"{op.runtime.settings.url}/applications", op.did, json=envelope)


async def delegate(space: Space, hospital: str, *datasets: str):
    body = {"datasets": list(datasets), "until": space.clock.at + 2 * DAYS_90}
    status, answer = await space[hospital].as_person("steward", "POST", "/api/delegations", body)
    assert status == 201, answer
    return answer


async def at_op(space: Space, person: str, command: str, body=None, study: str = STUDY):
    return await space["op"].as_person(person, "POST", f"/api/applications/{study}/{command}", body)


async def deliberate(space: Space, study: str = STUDY):
    for person, (organisation, external) in SEATS.items():
        seat = {"member": person, "organisation": organisation, "external": external}
        assert (await space["op"].as_person("secretary", "POST", "/api/board/seats", seat))[0] == 201
    status, body = await at_op(space, "secretary", "prescreen", {"complete": True, "reason": "complete"}, study)
    assert (status, body["state"]) == (200, "deliberation")


async def vote(space: Space, *people: str, choice: str = "yes", study: str = STUDY):
    for person in people:
        status, body = await at_op(space, person, "votes", {"vote": choice, "reason": "sound"}, study)
        assert status == 201, body
