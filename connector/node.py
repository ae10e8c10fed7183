"""Builds a node from its settings and roles: the only place that knows all rooms."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points

import uvicorn
from sqlmodel import col, select
from starlette.types import ASGIApp

from connector.evidence.model import Entry
from connector.evidence.receipts import Receipts
from connector.evidence.refusals import remember
from connector.identity.service import Members, ReadOnce
from connector.kit.clock import SystemClock
from connector.kit.db import Store
from connector.kit.http import Http
from connector.kit.keys import Keys
from connector.kit.migrate import upgrade
from connector.kit.outbox import Outbox
from connector.kit.ports import Clock, Peer
from connector.kit.role import Role
from connector.kit.runtime import Runtime
from connector.kit.settings import Settings
from connector.policy.service import Policies
from connector.roles import core
from connector.web.application import Application
from connector.web.people import People
from connector.web.refusals import install as install_web
from connector.web.session import Sessions
from connector.web.site import Site
from vocab.errors import Refusal

#: What a control message may weigh; routes that take data say so themselves.
MOST_BYTES = 1024 * 1024
#: A clock may be this much behind the newest record (ms): two processes never agree to the millisecond.
SLACK = 2_000


def roles(settings: Settings) -> list[Role]:
    """The roles that these settings switch on, the connector's own first. Raises `Refusal("role-unknown")`."""
    found = {entry.name: entry for entry in entry_points(group="dure.roles")}
    missing = [name for name in settings.roles if name not in found]
    if missing:
        raise Refusal("role-unknown", role=missing[0])
    return [core, *(found[name].load() for name in settings.roles)]


@dataclass(slots=True)
class Door:
    """Where an app is served: open from `opened` until `close`."""

    _server: uvicorn.Server
    _serving: asyncio.Task[None]

    @classmethod
    async def opened(cls, app: ASGIApp, listener: socket.socket, name: str) -> "Door":
        """Serves `app` on an open socket; returns when requests are answered."""
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3)
        server = _Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"http {name}")
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.005)
        return cls(server, serving)

    async def close(self) -> None:
        """Answers what has been asked, then lets go of the socket."""
        self._server.should_exit = True
        await self._serving


@dataclass(slots=True)
class Node:
    """One participant's node: its runtime, its HTTP face, and whether it runs."""

    runtime: Runtime
    app: Application
    _door: Door | None = None

    async def demand_clock(self) -> None:
        """Raises `Refusal("clock-behind")` when there are records from the future here: signing now would lie."""
        newest = await self.runtime.store.read(
            lambda session: session.exec(select(Entry.at).order_by(col(Entry.at).desc()).limit(1)).first()
        )
        now = self.runtime.now()
        if newest and newest > now + SLACK:
            needed, seen = (f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" for at in (newest, now))
            raise Refusal("clock-behind", node=self.runtime.settings.name, needed=needed, seen=seen)

    async def start(self) -> None:
        """Takes up what an earlier run left: rooms first, then the outbox."""
        for call in self.runtime.on_start:
            await call()
        self.runtime.outbox.start()

    async def stop(self) -> None:
        """Stops listening, then the outbox, then the rooms, then lets go of the store."""
        await self.shut()
        await self.runtime.outbox.stop()
        for call in reversed(self.runtime.on_stop):
            await call()
        if isinstance(self.runtime.peer, Http):
            await self.runtime.peer.close()
        await asyncio.to_thread(self.runtime.store.close)

    async def listen(self, listener: socket.socket) -> None:
        """Serves on an open socket; returns when requests are answered."""
        self._door = await Door.opened(self.app, listener, self.runtime.settings.name)

    async def shut(self) -> None:
        """Stops listening; what the node has promised goes on."""
        if self._door is not None:
            await self._door.close()
            self._door = None


class _Quiet(uvicorn.Server):
    """Many servers share one process here: signals belong to whoever started them."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def build(
    settings: Settings, *, clock: Clock | None = None, peer: Peer | None = None, also: Sequence[Role] = ()
) -> Node:
    """A node ready to `start`. Tests bring their own clock and their own way to peers.

    `also`: roles that no setting names, in development alone. Raises `Refusal("role-unknown")`.
    """
    if also and not settings.development:
        raise Refusal("role-unknown", role=also[0].name)
    clock = clock or SystemClock()
    store = Store(settings.database_url)
    runtime = Runtime(
        settings=settings,
        clock=clock,
        store=store,
        keys=Keys(settings.folder / "keys"),
        peer=peer or Http(development=settings.development),
        outbox=Outbox(store, clock),
    )
    app = Application(
        title=f"Dure {settings.name}", version="0.1.0", max_body_size=MOST_BYTES, docs_url=None, redoc_url=None
    )
    app.state.runtime = runtime
    app.state.remember = remember
    chosen = [*roles(settings), *also]
    for package in dict.fromkeys(role.migrations for role in chosen):
        upgrade(store.engine, package)
    people = People.load(settings.folder / "people.json")
    site = Site(
        node=settings.name,
        ko=settings.organisation.ko,
        en=settings.organisation.en,
        roles=settings.roles,
        people=people,
        sessions=Sessions(people, clock.monotonic),
    )
    install_web(app, site)
    runtime.add(site)
    runtime.add(Members())
    runtime.add(ReadOnce(clock.now()))
    runtime.add(Receipts())
    runtime.add(Policies())
    for room in dict.fromkeys(room for role in chosen for room in role.rooms):  # two roles may share a room
        room.install(runtime)
        for router in room.routers:
            app.add_doors(router)
    return Node(runtime, app)


@contextlib.asynccontextmanager
async def running(settings: Settings, listener: socket.socket) -> AsyncIterator[Node]:
    """A node that serves on `listener` inside the block. Raises `Refusal("clock-behind")`."""
    node = build(settings)
    try:
        await node.demand_clock()
        await node.listen(listener)
        await node.start()
        yield node
    finally:
        await node.stop()
