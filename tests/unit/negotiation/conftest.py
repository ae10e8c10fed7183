"""Two hospitals and two companies in one process: real stores and HTTP faces, a wire and a clock that tests move."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlmodel import SQLModel, select
from starlette.types import ASGIApp

from connector.datasets import api as datasets_api
from connector.datasets.describe import Description
from connector.datasets.service import offer, publish
from connector.evidence.service import Receipts
from connector.identity.service import Members, ReadOnce
from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.keys import Keys
from connector.kit.outbox import Handler, Outbox, due
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.kit.settings import Authority, Organisation, Settings
from connector.negotiation import api as negotiation_api
from connector.node import MOST_BYTES
from connector.policy.service import Policies
from connector.rights import service as rights_service
from connector.rights.acceptance import accept_standing
from connector.rights.model import PermitRow
from connector.sources.model import Snapshot
from connector.studies import api as studies_api
from connector.web.application import Application
from connector.web.people import People, Person
from connector.web.refusals import install as install_web
from connector.web.session import Sessions
from connector.web.site import Site
from tests.kept import apart, copied, database
from tests.unit.datasets.forms import description
from vocab import terms
from vocab.odrl.offer import research_offer
from vocab.records.envelope import signed

NOW = 1_800_000_000_000
DAY = 86_400_000
STUDY = "urn:uuid:00000000-0000-4000-8000-000000000001"
PERMIT = "urn:uuid:00000000-0000-4000-8000-00000000000a"
NAMES = ("op", "h01", "h03", "a02", "a03", "p01")
CAMPS = {"op": "operator", "h01": "hospital", "h03": "hospital", "a02": "company", "a03": "company", "p01": "zone"}
DISEASES = {"a02": ["E10-E14", "N18"], "a03": ["I44-I49"]}
#: The promises that these tests wait for.
WATCHED = ("negotiation-message", "negotiation-lapses", "study-close", "stop")
PEOPLE = {"steward": ("steward",), "pi": ("pi", "analyst")}


def url(name: str) -> str:
    return f"http://localhost:{7300 + NAMES.index(name)}"


def did(name: str) -> str:
    return f"did:web:localhost%3A{7300 + NAMES.index(name)}"


@cache
def policies() -> Policies:
    return Policies()


@dataclass
class MovedClock:
    at: int = NOW
    ticks: float = 100.0

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def move(self, ms: int) -> None:
        self.at += ms
        self.ticks += ms / 1000


@dataclass
class Wire:
    """Brings requests to the node of their address. Those in `down` do not answer."""

    apps: dict[str, ASGIApp] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    #: Paths whose next answer is lost after it took effect.
    lose: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str, int]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        host = urlsplit(url).netloc
        if self.names.get(host) in self.down or host not in self.apps:
            raise Unreachable(url, "down")
        transport = httpx.ASGITransport(app=self.apps[host])
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            response = await client.request(method, url, json=json, content=content, headers=dict(headers or {}))
        self.sent.append((method, urlsplit(url).path, response.status_code))
        for ending in self.lose:
            if method == "POST" and url.endswith(ending):
                self.lose.remove(ending)
                raise Unreachable(url, "answer lost")
        if response.status_code >= 500:
            raise Unreachable(url, f"status {response.status_code}")
        return Answer(response.status_code, response.json() if response.content else None, response.text)


@dataclass
class Node:
    runtime: Runtime
    app: Application
    tokens: dict[str, str]

    async def call(self, person: str, method: str, path: str, json: Any = None, **headers: str) -> tuple[int, Any]:
        """What one of its people asks."""
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=self.runtime.settings.url) as client:
            given = {"authorization": f"Bearer {self.tokens[person]}", **headers}
            response = await client.request(method, path, json=json, headers=given)
        return response.status_code, response.json() if response.content else None

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.runtime.store.read(lambda session: list(session.exec(select(table))))

    async def add(self, *rows: SQLModel) -> None:
        def function(unit: Unit) -> None:
            for row in rows:
                unit.session.merge(row)

        await self.runtime.store.run(function)


@dataclass
class Space:
    folder: Path
    clock: MovedClock
    wire: Wire
    nodes: dict[str, Node] = field(default_factory=dict)
    seq: int = 0

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    async def start(self, name: str) -> Node:
        settings = Settings(
            name=name,
            did=did(name),
            url=url(name),
            port=7300,
            roles=(),
            organisation=Organisation(ko=f"기관 {name}", en=name, camp=CAMPS[name]),
            authority=Authority(did=did("op"), url=url("op"), key=self.keys("op").public("receipt").hex()),
            folder=self.folder / name,
            development=True,
        )
        store = Store(database(self.folder / f"{name}.sqlite", ConnectorTable.metadata))
        outbox = Outbox(store, self.clock)
        runtime = Runtime(settings, self.clock, store, self.keys(name), self.wire, outbox)
        tokens = {person: secrets.token_urlsafe(32) for person in PEOPLE}
        people = People((Person(one, one, frozenset(duties)), tokens[one]) for one, duties in PEOPLE.items())
        app = Application(max_body_size=MOST_BYTES)
        app.state.runtime = runtime
        site = Site(name, name, name, (), people, Sessions(people, self.clock.monotonic))
        install_web(app, site)
        for part in (Members(), ReadOnce(self.clock.at), Receipts(), policies(), site):
            runtime.add(part)
        rights_service.install(runtime)
        for room in (datasets_api.versioned, datasets_api.room, negotiation_api.room, studies_api.room):
            room.install(runtime)
            for router in room.routers:
                app.add_doors(router)
        for effect in ("receipt", "log-entry", "standing-sweep"):
            outbox.handlers[effect] = Handler(_kept)
        self.wire.apps[urlsplit(settings.url).netloc] = app
        self.wire.names[urlsplit(settings.url).netloc] = name
        outbox.start()
        self.nodes[name] = Node(runtime, app, tokens)
        return self.nodes[name]

    async def stop(self, name: str) -> None:
        runtime = self.nodes[name].runtime
        await runtime.outbox.stop()
        await asyncio.to_thread(runtime.store.close)

    async def restart(self, name: str) -> Node:
        """The node's process dies and comes back on the same database."""
        await self.stop(name)
        return await self.start(name)

    def keys(self, name: str) -> Keys:
        (self.folder / name).mkdir(exist_ok=True)
        return Keys(self.folder / name / "keys")

    async def standing(self, permits: Mapping[str, str] | None = None, suspended: tuple[str, ...] = ()) -> None:
        """A new standing list reaches everybody."""
        self.seq += 1
        members = [self._member(name, name in suspended) for name in NAMES]
        body = {
            "type": "standing",
            "seq": self.seq,
            "at": self.clock.at,
            "valid_until": self.clock.at + DAY,
            "lease_seconds": 60,
            "operator": did("op"),
            "members": members,
            "zones": [{"did": did("p01"), "place": "P01", "country": "KR"}],
            "permits": dict(permits or {PERMIT: "active"}),
            "release": policies().revision,
            "reviewers": [],
            "log": {"origin": "dure", "vkey": "dure", "policy": "log dure"},
        }
        envelope = signed(body, did("op"), self.keys("op").sign)
        for node in self.nodes.values():
            await accept_standing(node.runtime, envelope)

    def _member(self, name: str, suspended: bool) -> dict[str, Any]:
        keys = self.keys(name)
        return {
            "did": did(name),
            "url": url(name),
            "name": {"ko": name, "en": name},
            "camp": CAMPS[name],
            "organisation": name,
            "roles": [],
            "purposes": [terms.MEDICAL_DEVICE_AI] if CAMPS[name] == "company" else [],
            "diseases": DISEASES.get(name, []),
            "country": "KR",
            "keys": {kind: keys.public(kind).hex() for kind in ("token", "receipt", "witness", "sealing")},
            "vkey": f"{name}+00+00",
            "state": "suspended" if suspended else "active",
        }

    async def settle(self, seconds: float = 30.0) -> None:
        """Waits until nothing that is due is left to do."""
        quiet, heard = 0, -1
        async with asyncio.timeout(seconds):
            while quiet < 2 or heard != len(self.wire.sent):  # nodes are looked at one after another: look twice
                heard = len(self.wire.sent)
                for node in self.nodes.values():
                    node.runtime.outbox.nudge()
                await asyncio.sleep(0.01)
                stores, now = [node.runtime.store for node in self.nodes.values()], self.clock.at
                rows = [row for store in stores for row in await store.read(partial(due, now=now, kinds=WATCHED))]
                quiet = 0 if rows else quiet + 1

    async def retry(self) -> None:
        """Time passes until what failed is tried again."""
        await self.settle()  # what is under way would count its pause from then
        self.clock.move(120_000)
        await self.settle()


async def _kept(_row: Any) -> None:
    return None


def permit(**changed: Any) -> PermitRow:
    """A02's permit on both hospitals' datasets."""
    claims = {
        "id": PERMIT,
        "iss": did("op"),
        "study": STUDY,
        "applicant": did("a02"),
        "datasets": [
            {"id": "D-H01-DM", "provider": did("h01"), "columns": ["hba1c"]},
            {"id": "D-H03-DM", "provider": did("h03"), "columns": ["hba1c"]},
        ],
        "purpose": terms.MEDICAL_DEVICE_AI,
        "legal_purpose": terms.SCIENTIFIC_RESEARCH,
        "disease": ["E11"],
        "code_digests": ["sha256:code"],
        "image_digests": ["sha256:image"],
        "zone": did("p01"),
        "from": NOW - DAY,
        "until": NOW + 89 * DAY,
        "irb": {"decision": "approved", "until": NOW + 200 * DAY},
        "drb": "approved",
        "outcome_reward": 1_000_000,
        "max_jobs": 20,
        "decision_digest": "00",
        **changed,
    }
    return PermitRow(
        id=claims["id"],
        study=claims["study"],
        jws="",
        fields=claims,
        decision={},
        until=claims["until"],
        received_at=NOW,
    )


def snapshot(dataset: str, **changed: Any) -> Any:
    return Snapshot(
        **{
            "id": f"snapshot-{dataset}",
            "study": STUDY,
            "permit": PERMIT,
            "dataset": dataset,
            "digest": f"digest-{dataset}",
            "k": 5,
            "patients": 19_993,
            "deid_profile": "kr-med-1",
            "accepted": True,
            **changed,
        }
    )


async def published(space: Space) -> None:
    """Both hospitals have published, A02 has its permit, the snapshots are accepted."""
    for name in ("h01", "h03", "a02", "a03"):
        await space.start(name)
    await space.standing()
    for name, dataset in (("h01", "D-H01-DM"), ("h03", "D-H03-DM")):
        runtime = space[name].runtime
        await publish(runtime, Description.model_validate_json(json.dumps(description(dataset))), "steward")
        await offer(runtime, dataset, research_offer(f"offer-{name}", zone=did("p01"), disease="E10-E14"), "steward")
        await space[name].add(permit(), snapshot(dataset))
    await space["a02"].add(permit())


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A space that has published, stopped; each test goes on in a copy of its own."""

    async def play() -> Space:
        found = Space(tmp_path_factory.mktemp("published"), MovedClock(), Wire())
        await published(found)
        for name in found.nodes:
            await found.stop(name)
        return found

    return apart(play())


@pytest.fixture
async def space(tmp_path: Path, kept: Space) -> AsyncIterator[Space]:
    """Both hospitals have published, A02 has its permit, the snapshots are accepted."""
    copied(kept.folder, tmp_path)
    found = Space(tmp_path, MovedClock(kept.clock.at, kept.clock.ticks), Wire(), seq=kept.seq)
    for name in kept.nodes:
        await found.start(name)
    yield found
    for name in found.nodes:
        await found.stop(name)
