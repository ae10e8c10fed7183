"""Dure as EDC meets it: a node with its real doors on 127.0.0.1, driven by its people through the management API.

EDC's mock of an identity needs a peer that takes JSON in clear for a name. A role of these tests lets that one
participant in, in development alone; no setting can name it.
"""

import asyncio
import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from connector.conformance.identity import InsecureNames
from connector.conformance.profile import settings
from connector.conformance.seed import standing
from connector.identity.foreign import Foreigner
from connector.identity.service import Members
from connector.kit.db import ConnectorTable
from connector.kit.role import Role, Room
from connector.kit.runtime import Runtime
from connector.kit.settings import Settings
from connector.node import build
from connector.play.space import listener
from connector.rights.service import accept_standing
from tests.interop.edc.edc import NAME, PATIENCE, Edc
from vocab.messages.catalogue import PATH
from vocab.records.envelope import signed

Json = dict[str, Any]

_TOKEN = "one-person-with-every-duty-needed-here"
_ENDED = {"TERMINATED", "COMPLETED", "FINALIZED"}


class No(Exception):
    """The node said no: `code`."""

    def __init__(self, body: Json) -> None:
        super().__init__(json.dumps(body, ensure_ascii=False)[:800])
        self.body = body
        self.code = str(body.get("code"))


class Late(Exception):
    """What should have happened by itself did not."""


class Dure:
    """One person with the duties of a steward and of a researcher, at the node at `url`."""

    def __init__(self, url: str, did: str, store: Path) -> None:
        self.did = did
        self._store = store
        self.address = url + PATH
        self._client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {_TOKEN}"}, timeout=60)

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.close()

    def get(self, path: str) -> Any:
        """What the node shows."""
        return self._said(self._client.get(path))

    def post(self, path: str, body: Any = None) -> Any:
        """What the person does. Raises `No`."""
        return self._said(self._client.post(path, json={} if body is None else body))

    def put(self, path: str, body: Any) -> Any:
        """The same for what is set; bytes go as they are."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self._said(self._client.put(path, **sent))

    def download(self, path: str) -> bytes:
        """A file that lies here."""
        answer = self._client.get(path)
        return answer.content if answer.is_success else self._said(answer)

    def wait(self, kind: str, process: str, *states: str) -> Json:
        """The process once it is in one of `states`. Raises `Late`, also when it ends elsewhere."""
        end = time.monotonic() + PATIENCE
        while (row := self.get(f"/api/{kind}/{process}"))["state"] not in states:
            if row["state"] in _ENDED or time.monotonic() > end:
                why = {name: row[name] for name in ("code", "rule", "needed", "seen", "reason")}
                raise Late(f"{kind} is {row['state']} instead of {' or '.join(states)}: {why}")
            time.sleep(0.02)
        return row

    def known_as(self, kind: str, theirs: str) -> str:
        """The id here of the process that the peer knows as `theirs`."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for row in self.get(f"/api/{kind}?limit=500"):
                if theirs in (row["consumer_pid"], row["provider_pid"]):
                    return str(row["id"])
            time.sleep(0.02)
        raise Late(f"no process known to the peer as {theirs}")

    def source(self, transfer: str) -> Json:
        """Where the data of a transfer are fetched now. The token is in it, so no door shows it: from the store."""
        with contextlib.closing(sqlite3.connect(self._store)) as store:
            found = store.execute("SELECT source FROM transfer WHERE id = ?", (transfer,)).fetchone()
        source: Json = json.loads(found[0])
        return source

    @staticmethod
    def _said(answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()
        raise No(answer.json())


@contextlib.contextmanager
def running(folder: Path, edc: Edc) -> Iterator[Dure]:
    """The node, in a thread with an event loop of its own; it and `edc` know each other."""
    own = settings(_free_port(), folder)
    duties = ["steward", "acceptor", "pi", "analyst"]
    person = {"id": "kim", "name": "Kim", "duties": duties, "token": _TOKEN}
    (folder / "people.json").write_text(json.dumps([person]))
    up, down = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def live() -> None:
        try:
            asyncio.run(_live(own, edc, up, down))
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failed.append(error)
            up.set()

    thread = threading.Thread(target=live, name="dure")
    thread.start()
    try:
        up.wait()
        if failed:
            raise failed[0]
        with contextlib.closing(Dure(own.url, own.did, folder / "node.sqlite")) as node:
            edc.peer, edc.peer_address = node.did, node.address
            yield node
    finally:
        down.set()
        thread.join()


async def _live(own: Settings, edc: Edc, up: threading.Event, down: threading.Event) -> None:
    def install(runtime: Runtime) -> None:
        foreigner = Foreigner(NAME, InsecureNames(runtime.did), edc.address)
        runtime.get(Members).foreign.known[NAME] = foreigner

    role = Role("edc", ConnectorTable.metadata, "connector.migrations", (Room(install, ()),))
    node = build(own, also=(role,))
    try:
        runtime = node.runtime
        await accept_standing(runtime, signed(standing(runtime), runtime.did, runtime.keys.sign))
        await node.listen(listener(own))
        await node.start()
        up.set()
        await asyncio.to_thread(down.wait)
    finally:
        await node.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
