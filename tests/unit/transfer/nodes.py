"""Nodes in one process: real stores and HTTP faces, a wire and a clock that tests move."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlmodel import SQLModel, select

from connector.evidence import api as evidence_api
from connector.evidence.model import Receipt
from connector.evidence.service import Receipts
from connector.identity.service import Members, ReadOnce
from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.http import answered
from connector.kit.keys import Keys
from connector.kit.outbox import Handler, Outbox, waiting
from connector.kit.ports import Answer, Unreachable
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.kit.settings import Authority, Organisation, Settings
from connector.node import MOST_BYTES
from connector.rights import service as rights_service
from connector.rights.acceptance import accept_standing
from connector.rights.model import PermitRow
from connector.sources import api as sources_api
from connector.sources.cohort import make_source
from connector.sources.profile import KR_MED_1
from connector.web.application import Application
from connector.web.people import People, Person
from connector.web.refusals import install as install_web
from connector.web.session import Sessions
from connector.web.site import Site
from tests.kept import copied, database
from tests.unit.negotiation.conftest import (
    CAMPS,
    DAY,
    DISEASES,
    NAMES,
    NOW,
    PERMIT,
    STUDY,
    MovedClock,
    did,
    policies,
    url,
)
from vocab import terms
from vocab.records.envelope import signed

DATASET = "D-H01-DM"
PEOPLE = {
    "steward": ("steward",),
    "acceptor": ("acceptor",),
    "keykeeper": ("keykeeper",),
    "both": ("steward", "acceptor"),
    "pi": ("pi", "analyst"),
}


@dataclass
class Wire:
    """Brings requests to the node of their address. `down` nodes do not answer; answers may be lost, bytes flipped."""

    apps: dict[str, Any] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)  # method and path whose answer is lost once
    barred: set[str] = field(default_factory=set)  # method and path that do not arrive
    flip: bool = False
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
        host, path = urlsplit(url).netloc, urlsplit(url).path
        if host in self.down or host not in self.apps or f"{method} {path}" in self.barred:
            raise Unreachable(url, "down")
        transport = httpx.ASGITransport(app=self.apps[host])
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            response = await client.request(method, url, json=json, content=content, headers=dict(headers or {}))
        self.sent.append((method, path, response.status_code))
        key = next((one for one in self.lost if f"{method} {path}".startswith(one)), None)
        if key is not None:
            self.lost.discard(key)
            raise Unreachable(url, "answer lost")
        return answered(url, response.status_code, response.headers.get("content-type", ""), response.content)

    async def send_file(self, method: str, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        content = await asyncio.to_thread(path.read_bytes)
        if self.flip:
            self.flip = False
            content = content[:-1] + bytes([content[-1] ^ 1])
        return await self.request(method, url, content=content, headers=headers)


@dataclass
class Node:
    runtime: Runtime
    app: Application
    tokens: dict[str, str]

    async def call(self, person: str, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        """What one of its people asks."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=self.runtime.settings.url) as client:
            given = {"authorization": f"Bearer {self.tokens[person]}"}
            response = await client.request(method, path, json=json, headers=given)
        kind = response.headers.get("content-type", "")
        return response.status_code, response.json() if kind.startswith("application/json") else response.text

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.runtime.store.read(lambda session: list(session.exec(select(table))))

    async def add(self, *rows: SQLModel) -> None:
        def function(unit: Unit) -> None:
            for row in rows:
                unit.session.merge(row)

        await self.runtime.store.run(function)


@dataclass
class Nodes:
    """Nodes of one space; `rooms` are those that each of them runs above identity, rights and evidence."""

    folder: Path
    rooms: tuple[Room, ...]
    clock: MovedClock = field(default_factory=MovedClock)
    wire: Wire = field(default_factory=Wire)
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
        for room in (Room(rights_service.install), evidence_api.room, *self.rooms):
            room.install(runtime)
            for router in room.routers:
                app.add_doors(router)
        for effect in ("log-entry", "standing-sweep"):
            outbox.handlers[effect] = Handler(_kept)
        self.wire.apps[urlsplit(settings.url).netloc] = app
        for call in runtime.on_start:
            await call()
        outbox.start()
        self.nodes[name] = Node(runtime, app, tokens)
        return self.nodes[name]

    async def stop(self, name: str) -> None:
        runtime = self.nodes[name].runtime
        await runtime.outbox.stop()
        await asyncio.to_thread(runtime.store.close)

    async def again(self, kept: "Nodes", *names: str) -> Node:
        """The nodes `names` go on where stopped ones were, in a copy. Returns the first."""
        copied(kept.folder, self.folder)
        self.clock.at, self.clock.ticks, self.seq = kept.clock.at, kept.clock.ticks, kept.seq
        for name in names:
            await self.start(name)
        return self.nodes[names[0]]

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
        body = {
            "type": "standing",
            "seq": self.seq,
            "at": self.clock.at,
            "valid_until": self.clock.at + DAY,
            "lease_seconds": 60,
            "operator": did("op"),
            "members": [self._member(name, name in suspended) for name in NAMES],
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
            "name": {"ko": f"기관 {name}", "en": name},
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

    async def settle(self, seconds: float = 60.0) -> None:
        """Waits until nothing that is due is left to do."""
        quiet, heard = 0, -1
        async with asyncio.timeout(seconds):
            while quiet < 2 or heard != len(self.wire.sent):  # nodes are looked at one after another: look twice
                heard = len(self.wire.sent)
                for node in self.nodes.values():
                    node.runtime.outbox.nudge()
                await asyncio.sleep(0.01)
                rows = [row for node in self.nodes.values() for row in await node.runtime.store.read(waiting)]
                quiet = 0 if [row for row in rows if row.due_at <= self.clock.at] else quiet + 1

    async def later(self) -> None:
        """Time passes until what failed is tried again."""
        await self.settle()  # what is under way would count its pause from then
        self.clock.move(120_000)
        await self.settle()


async def _kept(_row: Any) -> None:
    return None


def permit(**changed: Any) -> PermitRow:
    """A02's permit on H01's dataset: all columns of the default profile."""
    claims = {
        "id": PERMIT,
        "iss": did("op"),
        "study": STUDY,
        "applicant": did("a02"),
        "datasets": [{"id": DATASET, "provider": did("h01"), "columns": list(KR_MED_1.columns)}],
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


async def prepared(nodes: Nodes, patients: int = 600) -> Node:
    """H01 with a source, a permit and the study's pseudonym key."""
    hospital = await nodes.start("h01")
    await nodes.standing()
    await hospital.add(permit())
    make_source(hospital.runtime.settings.folder / "source.sqlite", "H01", patients, seed=1)
    assert (await hospital.call("steward", "POST", "/api/sources", {"dataset": DATASET, "file": "source.sqlite"}))[
        0
    ] == 201
    assert (await hospital.call("keykeeper", "POST", f"/api/studies/{STUDY}/pseudonym-key"))[0] == 201
    return hospital


__all__ = ["DATASET", "PERMIT", "STUDY", "Node", "Nodes", "Receipt", "permit", "prepared", "sources_api"]
