"""Real nodes for the browser: the flows' small study, played in a thread, each node on a socket of its own too."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.flows.small import WAIT, Small, opened

#: A study that was stopped is no good for looking at: each has its own space.
READY = 300.0


class Real:
    """Six nodes at work in a thread of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.small: Small
        self.task = ""

    def __enter__(self) -> "Real":
        self._thread.start()
        assert self._ready.wait(READY), "the nodes did not start"
        if self._failed:
            raise self._failed
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        self._loop.close()

    def url(self, node: str) -> str:
        """Where a browser finds a node."""
        return str(self.small.space.space.nodes[node].url)

    def token(self, node: str, person: str) -> str:
        """What a person signs in with."""
        return str(self.small.space.space.token(node, person))

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Something that happens at the nodes meanwhile."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(120)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:  # noqa: BLE001 - told to the test that waits
            self._failed = error
            self._ready.set()

    async def _live(self) -> None:
        async with opened(self._folder) as small:
            self.small = small
            for name, node in small.space.nodes.items():
                settings = small.space.space.nodes[name]
                await node.listen(socket.create_server((settings.host, settings.port)))
            await small.played("released" if small.walls else "agreed")
            if small.walls:
                path = f"/api/studies/{small.study}/releases"
                await small.hand("a02", "pi").post(path, {"task": small.ran, "files": ["metrics.json"]})
                self.task = await small.submit(WAIT)
                await small.reached(self.task, "RUNNING")
            self._ready.set()
            await self._over.wait()
