"""The profile as a role, and the node that has it. No setting can name it: it stands in no list of roles."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.conformance import triggers
from connector.conformance.identity import InsecureNames
from connector.conformance.robot import Robot
from connector.conformance.seed import KIT, seed
from connector.identity.foreign import Foreigner
from connector.identity.service import Members
from connector.kit.db import ConnectorTable
from connector.kit.keys import Keys
from connector.kit.role import Role, Room
from connector.kit.runtime import Runtime
from connector.kit.settings import Authority, Organisation, Settings
from connector.node import Node, build
from connector.play.space import listener

ACCESS_LOG: Final = "access.jsonl"


def settings(port: int, folder: Path) -> Settings:
    """A provider and consumer on 127.0.0.1, which is its own operator."""
    url = f"http://127.0.0.1:{port}"
    folder.mkdir(parents=True, exist_ok=True)
    people = folder / "people.json"
    people.touch(0o600)
    people.write_text("[]", "utf-8")
    did = f"did:web:{quote(f'127.0.0.1:{port}', safe='')}"
    return Settings(
        name="conformance",
        did=did,
        url=url,
        port=port,
        roles=("provider", "consumer"),
        organisation=Organisation(ko="시험 대상", en="under test", camp="hospital"),
        authority=Authority(did=did, url=url, key=Keys(folder / "keys").public("receipt").hex()),
        folder=folder,
        development=True,
    )


@contextlib.asynccontextmanager
async def serving(port: int, folder: Path) -> AsyncIterator[Node]:
    """The seeded node, on 127.0.0.1 only. `folder` holds its store, its keys and its access log.

    Raises `Refusal("port-taken")`.
    """
    own = settings(port, folder)
    opened = listener(own)
    node = build(own, also=(role,))
    node.app.add_middleware(AccessLog, path=folder / ACCESS_LOG)
    try:
        await seed(node.runtime)
        await node.listen(opened)
        await node.start()
        yield node
    finally:
        await node.stop()


class AccessLog:
    """Notes each request that reached the connector: proof that a kit tested it, and not itself."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app = app
        self._path = path
        self._path.write_bytes(b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, noted)
        if scope["type"] == "http":
            line = {"at": time.time_ns() // 1_000_000, "method": scope["method"], "path": scope["path"]}
            await asyncio.to_thread(self._note, json.dumps({**line, "status": status}))

    def _note(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _install(runtime: Runtime) -> None:
    runtime.get(Members).foreign.known[KIT] = Foreigner(KIT, InsecureNames(runtime.did))
    robot = Robot(runtime)
    runtime.on_start.append(robot.start)
    runtime.on_stop.append(robot.stop)


role: Final = Role(
    "conformance", ConnectorTable.metadata, "connector.migrations", (Room(_install, (triggers.router,)),)
)
