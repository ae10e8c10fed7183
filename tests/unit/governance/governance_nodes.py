"""Several nodes in one process: real stores, real HTTP apps, a wire of ours between them, a clock that tests move."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlmodel import Session
from starlette.types import ASGIApp

from connector.evidence.service import Receipts
from connector.identity import api as identity_api
from connector.identity.service import Members, ReadOnce
from connector.kit.db import ConnectorTable, Store
from connector.kit.keys import Keys
from connector.kit.outbox import Handler, Outbox, waiting
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.kit.settings import Settings
from connector.node import MOST_BYTES
from connector.policy.service import Policies
from connector.rights import api as rights_api
from connector.rights.service import Rights
from connector.web.application import Application
from connector.web.people import People, Person
from connector.web.refusals import install as install_web
from connector.web.session import Sessions
from connector.web.site import Site
from governance.boards import api as boards_api
from governance.members import api as members_api
from governance.tables import GovernanceTable

NOW = 1_800_000_000_000


@cache
def policies() -> Policies:
    return Policies()


@dataclass
class TestClock:
    __test__ = False
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
    """Brings requests to the node of their address. A node in `down` does not answer."""

    apps: dict[str, ASGIApp] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
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
        if host in self.down or host not in self.apps:
            raise Unreachable(url, "down")
        answer = await self.exchange(method, url, json, dict(headers or {}))
        if answer.status >= 500:
            raise Unreachable(url, f"status {answer.status}")
        return answer

    async def exchange(self, method: str, url: str, json: Any, headers: dict[str, str]) -> Answer:
        """What the node really answers, a 5xx too."""
        host = urlsplit(url).netloc
        transport = httpx.ASGITransport(app=self.apps[host])
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            response = await client.request(method, url, json=json, headers=headers)
        self.sent.append((method, url, response.status_code))
        body = response.json() if response.content else None
        return Answer(response.status_code, body, response.text)


@dataclass
class Node:
    runtime: Runtime
    app: Application
    tokens: dict[str, str]
    wire: Wire

    @property
    def did(self) -> str:
        return self.runtime.did

    @property
    def rights(self) -> Rights:
        return self.runtime.get(Rights)

    async def as_person(self, person: str, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.tokens[person]}"}
        answer = await self.wire.exchange(method, f"{self.runtime.settings.url}{path}", json, headers)
        return answer.status, answer.body

    async def read(self, function: Callable[[Session], Any]) -> Any:
        return await self.runtime.store.read(function)


@dataclass
class Space:
    folder: Path
    clock: TestClock
    wire: Wire
    nodes: dict[str, Node] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    async def settle(self, seconds: float = 20.0) -> None:
        """Waits until no promise that is due is left on any node that can be reached."""
        quiet, heard = 0, -1
        async with asyncio.timeout(seconds):
            while quiet < 2 or heard != len(self.wire.sent):  # nodes are looked at one after another: look twice
                heard = len(self.wire.sent)
                for node in self.nodes.values():
                    node.runtime.outbox.nudge()
                await asyncio.sleep(0.01)
                rows = [row for node in self.nodes.values() for row in await node.read(waiting)]
                quiet = 0 if [row for row in rows if row.due_at <= self.clock.at] else quiet + 1

    async def restart(self, name: str) -> Node:
        """The node's process dies and comes back on the same folder."""
        old = self.nodes[name]
        await old.runtime.outbox.stop()
        await asyncio.to_thread(old.runtime.store.close)
        return await self.start(old.runtime.settings, old.tokens, people_of(old))

    async def start(self, settings: Settings, tokens: dict[str, str], people: dict[str, Person]) -> Node:
        store = Store(settings.database_url)
        outbox = Outbox(store, self.clock)
        runtime = Runtime(settings, self.clock, store, Keys(settings.folder / "keys"), self.wire, outbox)
        store.create(ConnectorTable.metadata)
        rooms = [rights_api.room]
        if "authority" in settings.roles:
            store.create(GovernanceTable.metadata)
            rooms += [members_api.room, boards_api.room]
        for part in (Members(), ReadOnce(self.clock.at), Receipts(), policies()):
            runtime.add(part)
        app = Application(max_body_size=MOST_BYTES)
        app.state.runtime = runtime
        accounts = People((person, tokens[name]) for name, person in people.items())
        site = Site(
            settings.name,
            settings.organisation.ko,
            settings.organisation.en,
            settings.roles,
            accounts,
            Sessions(accounts, self.clock.monotonic),
        )
        install_web(app, site)
        runtime.add(site)
        app.add_doors(identity_api.peers)
        for room in rooms:
            room.install(runtime)
            for router in room.routers:
                app.add_doors(router)
        outbox.handlers.setdefault("log-entry", Handler(_nothing))
        outbox.handlers.setdefault("receipt", Handler(_nothing))
        self.wire.apps[urlsplit(settings.url).netloc] = app
        for call in runtime.on_start:
            await call()
        outbox.start()
        self.nodes[settings.name] = Node(runtime, app, tokens, self.wire)
        return self.nodes[settings.name]


async def _nothing(_row: Any) -> None:
    return None


def people_of(node: Node) -> dict[str, Person]:
    site = node.app.state.site
    return {person.id: person for name in node.tokens if (person := site.people.get(name))}


#: name -> roles, camp, people (id -> duties)
PLANS: dict[str, tuple[tuple[Any, ...], Any, dict[str, tuple[str, ...]]]] = {
    "op": (
        ("authority",),
        "operator",
        {
            "admin": ("admin",),
            "secretary": ("secretary",),
            "chair": ("chair", "member"),
            **{f"member-{number}": ("member",) for number in range(1, 5)},
        },
    ),
    "h01": (("provider",), "hospital", {"steward": ("steward",)}),
    "h03": (("provider",), "hospital", {"steward": ("steward",)}),
    "a02": (("consumer",), "company", {"pi": ("pi",)}),
    "a03": (("consumer",), "company", {"pi": ("pi",)}),
    "p01": (("zone",), "zone", {"operator": ("operator",)}),
}


def port(name: str) -> int:
    return 7100 + list(PLANS).index(name)


def member(node: Node, **more: Any) -> dict[str, Any]:
    """The body of POST /api/members for `node`."""
    roles, camp, _ = PLANS[node.runtime.settings.name]
    zone = {"place": "P01", "country": "KR"} if camp == "zone" else None
    return {
        "did": node.did,
        "url": node.runtime.settings.url,
        "name": {"ko": f"기관 {node.runtime.settings.name}", "en": node.runtime.settings.name},
        "camp": camp,
        "organisation": node.runtime.settings.name,
        "roles": list(roles),
        "purposes": [],
        "diseases": [],
        "country": "KR",
        "zone": zone,
        **more,
    }
