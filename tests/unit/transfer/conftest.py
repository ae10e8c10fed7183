"""H01 with an accepted snapshot and an agreement with A02; a zone that holds what is pushed to it."""

import copy
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.datasets.model import Dataset
from connector.evidence.model import Receipt
from connector.negotiation import service as negotiation_service
from connector.negotiation.model import Agreement
from connector.sources import api as sources_api
from connector.transfer import api as transfer_api
from tests.kept import apart
from tests.unit.transfer import stand_in_zone
from tests.unit.transfer.nodes import DATASET, DAY, NOW, PERMIT, STUDY, Node, Nodes, Room, did, permit, prepared
from vocab.odrl import offer
from vocab.odrl.normalise import normalise

Json = dict[str, Any]
ROOMS = (sources_api.room, Room(negotiation_service.install), transfer_api.room, stand_in_zone.room)


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    found = Nodes(tmp_path, ROOMS)
    yield found
    for name in found.nodes:
        await found.stop(name)


async def agreed(nodes: Nodes) -> Json:
    """Everything up to the agreement and its proven receipt; returns the agreement's row as both sides keep it."""
    hospital = await prepared(nodes)
    for name in ("a02", "a03", "p01"):
        await nodes.start(name)
    await nodes.standing()
    for name in ("a02", "p01"):
        await nodes[name].add(permit())
    cut = (await hospital.call("steward", "POST", "/api/snapshots", {"study": STUDY, "dataset": DATASET}))[1]
    assert (await hospital.call("acceptor", "POST", f"/api/snapshots/{cut['id']}/accept"))[0] == 200
    given = offer.research_offer("offer-h01", zone=did("p01"), disease="E10-E14")
    agreement_id = str(uuid.uuid4())
    document = offer.agreement(
        given, agreement_id, target=DATASET, assigner=did("h01"), assignee=did("a02"), at=nodes.clock.at
    )
    policy = normalise(document)
    row = {
        "id": agreement_id,
        "negotiation": "n",
        "provider": did("h01"),
        "consumer": did("a02"),
        "dataset": DATASET,
        "document": document,
        "policy": policy.to_json(),
        "digest": policy.digest,
        "offer": "offer-h01",
        "offer_digest": "–",
        "study": STUDY,
        "permit": PERMIT,
        "snapshot": cut["digest"],
        "until": NOW + 89 * DAY,
        "state": "FINALIZED",
        "at": nodes.clock.at,
    }
    await hospital.add(Agreement(side="provider", **row), described(), proven(agreement_id))
    await nodes["a02"].add(Agreement(side="consumer", **row))
    return row


def described(**changed: Any) -> Dataset:
    return Dataset(
        **{
            "id": DATASET,
            "form": {},
            "node": {},
            "non_public": True,
            "synthetic": True,
            "min_walls": "user",
            "legal_basis": ["kr:PIPA-28-2"],
            "deid_profile": "kr-med-1",
            "published_at": NOW,
            "published_by": "steward",
            **changed,
        }
    )


def proven(agreement: str, **changed: Any) -> Receipt:
    """The agreement's receipt as both signed it and the log proved it (its own room's tests make a real one)."""
    return Receipt(
        **{
            "id": f"receipt-{agreement}",
            "type": "agreement",
            "study": STUDY,
            "about": agreement,
            "author": did("h01"),
            "counterparty": did("a02"),
            "envelope": {"body": {}},
            "payload": {"k": 5},
            "salt": "00" * 16,
            "state": "complete",
            "proof": "proof",
            "at": NOW,
            **changed,
        }
    )


Kept = tuple[Nodes, Json]


def kept(folder: Path, *, staged: bool) -> Kept:
    """Nodes that agreed (and staged) once and have stopped; each test goes on in a copy of its own."""

    async def play() -> Kept:
        nodes = Nodes(folder, ROOMS)
        row = await agreed(nodes)
        if staged:
            await stage(nodes)
        for name in nodes.nodes:
            await nodes.stop(name)
        return nodes, row

    return apart(play())


async def stage(nodes: Nodes) -> None:
    """The agreement's parts come to lie in the zone."""
    status, _ = await nodes["a02"].call("pi", "POST", f"/api/studies/{STUDY}/transfers")
    assert status == 201
    await nodes.settle()


async def again(nodes: Nodes, kept: Kept) -> Json:
    """`nodes` go on where those stopped; returns their agreement."""
    before, row = kept
    await nodes.again(before, *before.nodes)
    vars(nodes["p01"].runtime.get(stand_in_zone.Zone)).update(
        copy.deepcopy(vars(before["p01"].runtime.get(stand_in_zone.Zone)))  # it has no database
    )
    return dict(row)


@pytest.fixture(scope="session")
def kept_agreement(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return kept(tmp_path_factory.mktemp("agreed"), staged=False)


@pytest.fixture(scope="session")
def kept_staged(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return kept(tmp_path_factory.mktemp("staged"), staged=True)


@pytest.fixture
async def agreement(nodes: Nodes, kept_agreement: Kept) -> Json:
    return await again(nodes, kept_agreement)


@pytest.fixture
async def staged(nodes: Nodes, kept_staged: Kept) -> Json:
    """The agreement, once its parts lie in the zone."""
    return await again(nodes, kept_staged)


def folder(node: Node) -> Path:
    return node.runtime.settings.folder
