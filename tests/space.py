"""A whole data space in one process, without sockets: clock and network can be broken in one line.

    async with Space(tmp_path, ["op", "h01", "a02"]) as space:
        await space.join()
        await space.hand("op", "admin").post("/api/...", {...})
        space.network.cut("h01", "op")
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from connector.kit.http import answered
from connector.kit.ports import Answer, Unreachable
from connector.node import Node, build
from connector.play import space as made
from connector.play.hands import Hand, until
from connector.play.join import join
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


class Network:
    """Who reaches whom, over ASGI. `cut` breaks a way; `answer` lets a peer say something odd."""

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self._cut: set[tuple[str, str]] = set()
        self.odd: dict[str, Callable[[str, str], Answer | None]] = {}
        self.sent: list[tuple[str, str, str]] = []

    def cut(self, one: str, other: str) -> None:
        """Neither reaches the other."""
        self._cut |= {(one, other), (other, one)}

    def heal(self) -> None:
        """Everybody reaches everybody."""
        self._cut.clear()
        self.odd.clear()

    def whole(self, one: str, other: str) -> bool:
        """Whether a message gets through."""
        return (one, other) not in self._cut and other in self.apps


class Wire:
    """The `Peer` port of one node."""

    def __init__(self, network: Network, name: str, urls: Mapping[str, str]) -> None:
        self._network = network
        self._name = name
        self._urls = urls

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
        self._network.sent.append((self._name, target, f"{method} {httpx.URL(url).path}"))
        if (odd := self._network.odd.get(target)) and (said := odd(method, url)):
            return said
        transport = httpx.ASGITransport(self._network.apps[target], raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            response = await client.request(method, url, json=json, content=content, headers=dict(headers or {}))
        return answered(url, response.status_code, response.headers.get("content-type", ""), response.content)

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

    async def start(self, name: str) -> Node:
        """Starts a node: the first time, or again after `stop`."""
        node = build(self.settings(name), clock=self.clock, peer=Wire(self.network, name, self._urls))
        self.nodes[name] = node
        self.network.apps[name] = node.app
        await node.start()
        return node

    async def stop(self, name: str) -> None:
        """Stops a node; peers find nobody."""
        self.network.apps.pop(name, None)
        node = self.nodes.pop(name)
        await node.stop()

    def hand(self, name: str, person: str) -> Hand:
        """A person at a node that runs here."""
        transport = httpx.ASGITransport(self.nodes[name].app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, timeout=120)
        self._clients.append(client)
        return Hand(client, self.space.nodes[name].url, self.space.token(name, person))

    async def join(self) -> None:
        """All nodes become members, and know it."""
        await join(self.space, self.hand, [name for name in self.names if name != "op"])


async def eventually(look: Callable[[], Awaitable[Any]], what: str = "it", seconds: float = 60.0) -> Any:
    """Waits until `look` finds something."""
    return await until(what, look, seconds)


@contextlib.asynccontextmanager
async def space(folder: Path, *names: str) -> AsyncIterator[Space]:
    """The named nodes, joined."""
    async with Space(folder, names) as found:
        await found.join()
        yield found


__all__ = ["Network", "Refusal", "Space", "eventually", "space"]
