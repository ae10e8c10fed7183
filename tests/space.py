"""A whole data space in one process, without sockets: clock, network and nodes can be broken in one line.

async with Space(tmp_path, ["op", "h01", "a02"]) as space:
    await space.join()
    await space.hand("op", "admin").post("/api/...", {...})
    space.network.cut("h01", "op")
    await space.kill("h01")
    await space.start("h01")
"""

import asyncio
import contextlib
import json as json_module
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connector.kit.http import answered
from connector.kit.ports import Answer, Unreachable
from connector.node import Node, build
from connector.play import space as made
from connector.play.hands import Hand, until
from connector.play.join import join
from tests.kept import apart, copied
from tests.life import Doom, Life, Lives, Over, never
from vocab.errors import Refusal


class Clock:
    """A clock that a test may move."""

    def __init__(self) -> None:
        import time

        self._time = time
        self.offset_ms = 0
        self.elapsed = 0.0

    def now(self) -> int:
        return self._time.time_ns() // 1_000_000 + self.offset_ms

    def monotonic(self) -> float:
        return self._time.monotonic() + self.elapsed

    def forward(self, seconds: float) -> None:
        """Moves both clocks."""
        self.offset_ms += round(seconds * 1000)
        self.elapsed += seconds


@dataclass(frozen=True, slots=True)
class Message:
    """One request on its way."""

    source: str
    target: str
    method: str
    url: str
    content: bytes
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where it goes, without the node."""
        return httpx.URL(self.url).path


#: Brings a message to its target. Raises `Unreachable`.
Forward = Callable[[], Awaitable[Answer]]


class Network:
    """Who reaches whom, over ASGI. `cut` breaks a way; `odd` lets a peer say something odd; `between` sees every
    message and decides what becomes of it."""

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self.lives: dict[str, Life] = {}
        self._cut: set[tuple[str, str]] = set()
        self.odd: dict[str, Callable[[str, str], Answer | None]] = {}
        self.sent: list[tuple[str, str, str]] = []
        self.between: Callable[[Message, Forward], Awaitable[Answer]] | None = None

    def cut(self, one: str, other: str) -> None:
        """Neither reaches the other."""
        self._cut |= {(one, other), (other, one)}

    def heal(self) -> None:
        """Everybody reaches everybody."""
        self._cut.clear()
        self.odd.clear()
        self.between = None

    def whole(self, one: str, other: str) -> bool:
        """Whether a message gets through."""
        return (one, other) not in self._cut and other in self.apps

    async def deliver(self, message: Message) -> Answer:
        """Brings a message to its target, now. Raises `Unreachable`: also when the target dies before it answers."""
        try:
            async with httpx.AsyncClient(transport=Lives(self, message.target), timeout=60) as client:
                response = await client.request(
                    message.method, message.url, content=message.content, headers=dict(message.headers)
                )
        except httpx.HTTPError as error:
            raise Unreachable(message.url, type(error).__name__) from None
        content_type = response.headers.get("content-type", "")
        return answered(message.url, response.status_code, content_type, response.content)


class Wire:
    """The `Peer` port of one node."""

    def __init__(self, network: Network, name: str, urls: Mapping[str, str]) -> None:
        self._network = network
        self._name = name
        self._urls = urls
        self._life = network.lives[name]

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        target = next((name for name, base in self._urls.items() if url.startswith(base + "/")), None)
        if target is None or not self._network.whole(self._name, target):
            raise Unreachable(url, "cut")
        head = dict(headers or {})
        if json is not None:
            content, head["content-type"] = json_module.dumps(json, ensure_ascii=False).encode(), "application/json"
        message = Message(self._name, target, method, url, content or b"", head)
        self._network.sent.append((self._name, target, f"{method} {message.path}"))
        if (odd := self._network.odd.get(target)) and (said := odd(method, url)):
            return said

        async def forward() -> Answer:
            return await self._network.deliver(message)

        said = await (self._network.between(message, forward) if self._network.between else forward())
        if self._network.lives[self._name] is not self._life:
            await never()
        return said

    async def send_file(self, method: str, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.request(method, url, content=await asyncio.to_thread(path.read_bytes), headers=headers)


class Space:
    """The nodes of a demonstration space, or some of them."""

    def __init__(self, folder: Path, names: Iterable[str], *, databases: Mapping[str, str] | None = None) -> None:
        self.space = made.opened(folder, None)
        self.names = list(names)
        self.clock = Clock()
        self.network = Network()
        self.nodes: dict[str, Node] = {}
        self._databases = dict(databases or {})
        self._urls = {name: settings.url for name, settings in self.space.nodes.items()}
        self._clients: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> "Space":
        for name in self.names:
            await self.start(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.nodes):
            await self.stop(name)
        for client in self._clients:
            await client.aclose()

    def settings(self, name: str) -> Any:
        """A node's settings; its database may be another than the folder's SQLite."""
        settings = self.space.nodes[name]
        return settings.model_copy(update={"database": self._databases[name]}) if name in self._databases else settings

    async def start(self, name: str, doom: Doom | None = None) -> Node:
        """Starts a node: the first time, or again after `stop` or `kill`. `doom` decides at which commit its life ends.

        Raises `Over` when that is before it has started.
        """
        life = self.network.lives[name] = Life(doom)
        node = build(self.settings(name), clock=self.clock, peer=Wire(self.network, name, self._urls))
        life.of(node.runtime.store)
        self.nodes[name] = node
        self.network.apps[name] = node.app
        await life.during(node.start())
        return node

    async def stop(self, name: str) -> None:
        """Stops a node; peers find nobody."""
        self.network.apps.pop(name, None)
        node = self.nodes.pop(name)
        await node.stop()

    async def kill(self, name: str) -> None:
        """The node ends as after kill -9: no commit any more, no answer, no message; then what is left is cleared."""
        self.network.lives[name].end()
        await self.stop(name)

    def hand(self, name: str, person: str) -> Hand:
        """A person at a node that runs here."""
        client = httpx.AsyncClient(transport=Lives(self.network, name), timeout=120)
        self._clients.append(client)
        return Hand(client, self.space.nodes[name].url, self.space.token(name, person))

    async def join(self) -> None:
        """All nodes become members, and know it."""
        await join(self.space, self.hand, [name for name in self.names if name != "op"])


@dataclass(frozen=True, slots=True)
class Kept:
    """A space that was played up to a point and stopped: a test goes on from there, in a copy of its own."""

    folder: Path
    names: tuple[str, ...]
    at: int
    told: Any

    @contextlib.asynccontextmanager
    async def again(self, folder: Path) -> AsyncIterator[Space]:
        """The space as it was, its clock too."""
        copied(self.folder, folder)
        space = Space(folder, self.names)
        space.clock.offset_ms = self.at - space.clock.now()
        async with space:
            yield space


def keep(folder: Path, names: Iterable[str], play: Callable[[Space], Awaitable[Any]] | None = None) -> Kept:
    """The named nodes, joined; what `play` does with them, it does once. `told`: what it gives back."""

    async def played() -> Kept:
        async with space(folder, *names) as found:
            told = await play(found) if play else None
        return Kept(folder, tuple(names), found.clock.now(), told)

    return apart(played())


async def eventually(look: Callable[[], Awaitable[Any]], what: str = "it", seconds: float = 60.0) -> Any:
    """Waits until `look` finds something."""
    return await until(what, look, seconds)


@contextlib.asynccontextmanager
async def space(folder: Path, *names: str) -> AsyncIterator[Space]:
    """The named nodes, joined."""
    async with Space(folder, names) as found:
        await found.join()
        yield found


__all__ = ["Kept", "Message", "Network", "Over", "Refusal", "Space", "eventually", "keep", "space"]
