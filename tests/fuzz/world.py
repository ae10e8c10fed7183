"""A whole space that a fuzzer may break: real nodes on real sockets, in a thread of their own, in mid-study.

`World.person` and `World.member` are the headers of somebody known; `World.known` are ids that exist, so that a request
comes past "not found".
"""

import asyncio
import json
import random
import re
import secrets
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import requests
from fastapi.routing import APIRoute
from sqlalchemy import inspect, text

from connector.identity.tokens import issue
from connector.kit.db import Store
from connector.kit.keys import Keys
from connector.kit.ports import Answer
from connector.node import roles
from connector.play import cast
from connector.play import space as made
from connector.play.hands import until
from connector.sources.cohort import make_source
from tests.flows.small import ALL, Small
from tests.space import Forward, Message, Space
from vocab.records.envelope import signed

T = TypeVar("T")
Json = dict[str, Any]

DUTIES: Final = (
    *("admin", "secretary", "chair", "member", "clerk", "auditor", "steward", "acceptor", "keykeeper"),
    *("pi", "analyst", "operator", "reviewer"),
)
#: One node of each set of roles: each has an OpenAPI document of its own.
NODES: Final = ("op", "h01", "a02", "p01")
#: Whose token a node's doors for members get.
CALLER: Final = {"op": "a02", "h01": "a02", "a02": "h01", "p01": "a02"}
PERSON: Final = "fuzz"
PATIENTS: Final = 500
#: What differs between two messages of one kind.
_ID: Final = re.compile(r"urn:uuid:[0-9a-f-]{36}|urn%3Auuid%3A[0-9a-f-]{36}|[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{64}\b")


class World:
    """The space, as seen from another thread."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="space")
        self._space = Space(folder, [])
        self.small = Small(self._space)
        self.session = requests.Session()
        self.session.trust_env = False
        self.known: dict[str, list[str]] = {}
        self.heard: dict[tuple[str, str, str], Message] = {}
        self._tokens = {name: _everything(folder / name / "people.json") for name in ALL}

    def open(self, *, study: bool) -> None:
        """Starts the nodes, each on its own port; with `study`, plays one until its result has left the zone."""
        self._thread.start()
        self.during(self._opened())
        if study:
            self._space.network.between = self._listen
            self.during(self.small.played("released" if self.small.walls else "staged"))
            self._space.network.between = None
            for name in NODES:
                self.known[name] = self.during(self._ids(name))

    async def _listen(self, message: Message, forward: Forward) -> Answer:
        """Keeps one message of each kind, as a sample of what members say to each other."""
        kind = (message.target, message.method, _ID.sub("-", message.path))
        self.heard.setdefault(kind, message)
        return await forward()

    def close(self) -> None:
        """Ends it all."""
        self.during(self._space.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.session.close()

    def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` where the nodes live."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(600)

    def url(self, node: str) -> str:
        """Where a node listens."""
        return self._space.space.nodes[node].url

    def did(self, node: str) -> str:
        """Who a node is."""
        return self._space.space.nodes[node].did

    def document(self, node: str) -> Json:
        """A node's OpenAPI document."""
        found: Json = self.session.get(f"{self.url(node)}/openapi.json", timeout=60).json()
        return found

    def person(self, node: str) -> dict[str, str]:
        """The header of a person with all duties."""
        return {"Authorization": f"Bearer {self._tokens[node]}"}

    def member(self, node: str, by: str | None = None) -> dict[str, str]:
        """The header of a member who speaks to `node`: good for one request."""
        name = by or CALLER[node]
        runtime = self._space.nodes[name].runtime
        return {"Authorization": f"Bearer {issue(runtime.keys, runtime.did, self.did(node), runtime.now())}"}

    def headers(self, node: str, wanted: str | None) -> dict[str, str]:
        """The header of somebody who may open a door of a node."""
        return self.member(node) if wanted == "member" else self.person(node) if wanted else {}

    def token_of(self, node: str) -> str:
        """The token of a node's person with all duties."""
        return self._tokens[node]

    def pages(self, node: str) -> list[APIRoute]:
        """The routes of a node that no document lists."""
        rooms = [room for role in roles(self._space.space.nodes[node]) for room in role.rooms]
        found = [one for room in rooms for router in room.routers for one in router.routes]
        hidden = [one for one in found if isinstance(one, APIRoute) and not one.include_in_schema]
        assert hidden
        return hidden

    def keys(self, node: str) -> Keys:
        """A node's keys."""
        return self._space.nodes[node].runtime.keys

    def now(self) -> int:
        """UTC milliseconds."""
        return self._space.clock.now()

    def id_for(self, node: str, name: str, chance: random.Random) -> str:
        """An id that exists, for a part of a path: mostly of the right kind."""
        if name in ("study", "application") and chance.random() < 0.8:
            return self.small.study
        return chance.choice(self.known[node])

    def sign(self, did: str, body: Json) -> Json | None:
        """An envelope of `body` by the node with this DID, if it is one of ours."""
        name = next((one for one in ALL if self.did(one) == did), None)
        if name is None:
            return None
        return signed(body, did, self._space.nodes[name].runtime.keys.ed25519("receipt").sign)

    def store(self, name: str) -> Store:
        """A node's store."""
        return self._space.nodes[name].runtime.store

    def rows(self, name: str) -> dict[str, int]:
        """How many rows each table of a node has."""
        engine = self.store(name).engine
        with engine.connect() as connection:
            return {
                table: connection.execute(text(f'select count(*) from "{table}"')).scalar_one()
                for table in inspect(engine).get_table_names()
            }

    def settled_rows(self, name: str) -> dict[str, int]:
        """The same, once nothing happens by itself any more."""

        async def same() -> dict[str, int] | None:
            before = await asyncio.to_thread(self.rows, name)
            await asyncio.sleep(0.5)
            return before if before == await asyncio.to_thread(self.rows, name) else None

        return self.during(until("quiet", same))

    async def _opened(self) -> None:
        folder = self._space.space.folder
        for name, hospital in (("h01", "H01"), ("h03", "H03")):
            make_source(folder / name / "source.sqlite", hospital, PATIENTS, seed=1)
        listeners = made.listeners(self._space.space)
        for name in ALL:
            node = await self._space.start(name)
            await node.listen(listeners.pop(name))
        self._space.names = list(ALL)
        await self._space.join()

    async def _ids(self, name: str) -> list[str]:
        """Every id that the node's own lists name, and what the play calls by a fixed name."""
        found = {self.small.study, self.small.permit, *cast.DATASETS.values(), *(self.did(one) for one in ALL)}
        client = self._space.hand(name, PERSON)
        for path, item in self._space.nodes[name].app.openapi()["paths"].items():
            if "get" in item and path.startswith("/api/") and "{" not in path and "stream" not in path:
                try:
                    answer = await client.get(path)
                except Exception:  # noqa: BLE001, S112 - a list that needs parameters names nothing here
                    continue
                rows = answer if isinstance(answer, list) else []
                found |= {str(row[key]) for row in rows for key in ("id", "slot", "number") if row.get(key)}
        return sorted(found)


@contextmanager
def world(folder: Path, *, study: bool) -> Iterator[World]:
    """An open world."""
    found = World(folder)
    found.open(study=study)
    try:
        yield found
    finally:
        found.close()


def _everything(path: Path) -> str:
    """Adds a person who may do everything; returns the token."""
    rows = json.loads(path.read_text("utf-8"))
    token = secrets.token_urlsafe(32)
    rows.append({"id": PERSON, "name": "모두", "duties": list(DUTIES), "token": token})
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return token
