"""Public data between two nodes over real sockets: agreed without a permit, fetched by parts, pushed, and a token that
is dead while nothing runs under it.
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.evidence.model import Receipt
from connector.kit.http import Http
from connector.play import cast
from connector.play.hands import Said
from connector.play.space import listener
from connector.transfer import data as plane
from connector.transfer.model import Transfer, TransferMessage
from tests.space import Space, eventually

DATA = os.urandom(3 * plane.PIECE + 12_345)
SHA256 = hashlib.sha256(DATA).hexdigest()
OPEN = {"@type": "Offer", "permission": [{"action": "use"}]}
NAME = "D-OPEN"


class Two:
    """H01 gives, A02 takes."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.steward = space.hand("h01", "steward")
        self.pi = space.hand("a02", "pi")
        self.h01 = space.space.nodes["h01"]

    async def publish(self, **changed: Any) -> None:
        form = {**cast.description(self.space.space, "h01", 1000), "id": NAME, "access": "public", **changed}
        await self.steward.post("/api/datasets", form)

    async def content(self, data: bytes, dataset: str = NAME) -> httpx.Response:
        return await self.steward.client.put(
            f"{self.h01.url}/api/datasets/{dataset}/content",
            content=data,
            headers={"authorization": f"Bearer {self.steward.token}"},
        )

    async def agreed(self) -> dict[str, Any]:
        begun = await self.pi.post("/api/negotiations", {"provider": self.h01.did, "dataset": NAME})

        async def final() -> Any:
            row = await self.pi.get(f"/api/negotiations/{begun['id']}")
            assert row["state"] != "TERMINATED", row
            return row if row["state"] == "FINALIZED" else None

        row = await eventually(final, "an agreement")
        return next(one for one in await self.pi.get("/api/agreements") if one["id"] == row["agreement"])

    async def started(self, **more: Any) -> str:
        """A transfer that has started, by A02's id."""
        agreement = await self.agreed()
        wanted = {"provider": self.h01.did, "agreement": agreement["id"], "format": "HttpData-PULL", **more}
        pid = (await self.pi.post("/api/transfers", wanted))["id"]
        await self.state(pid, "STARTED")
        return str(pid)

    async def state(self, pid: str, wanted: str) -> Transfer:
        async def reached() -> Any:
            row = await self.row(pid)
            return row if row.state == wanted else None

        found: Transfer = await eventually(reached, wanted)
        return found

    async def row(self, pid: str, node: str = "a02") -> Transfer:
        store = self.space.nodes[node].runtime.store
        found = await store.read(lambda session: session.get(Transfer, pid))
        assert found is not None
        return found

    async def rows(self, node: str, table: Any) -> list[Any]:
        from sqlmodel import select

        return await self.space.nodes[node].runtime.store.read(lambda session: list(session.exec(select(table))))

    async def get(self, source: Any, **headers: str) -> httpx.Response:
        """What a holder of the token gets, over a real socket."""
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.get(source["endpoint"], headers={"authorization": source["authorization"], **headers})


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with Space(tmp_path, ["op", "h01", "a02"]) as space:
        await space.join()
        for name in ("h01", "a02"):
            node = space.nodes[name]
            await node.listen(listener(space.space.nodes[name]))
            node.runtime.peer = Http(development=True) if name == "a02" else node.runtime.peer
        found = Two(space)
        await found.publish()
        await found.steward.post(f"/api/datasets/{NAME}/offers", OPEN)
        assert (await found.content(DATA)).json()["content"] == {"bytes": len(DATA), "sha256": SHA256}
        yield found


@contextlib.contextmanager
def refused(code: str) -> Any:
    with pytest.raises(Said) as said:
        yield
    assert said.value.code == code


async def test_public_data_are_agreed_on_without_a_study_fetched_and_completed(two: Two) -> None:
    pid = await two.started()
    await two.pi.post(f"/api/transfers/{pid}/fetch")
    row = await two.state(pid, "COMPLETED")
    assert row.fetched == {"bytes": len(DATA), "sha256": SHA256}
    assert await two.pi.download(f"/api/transfers/{pid}/data") == DATA
    theirs = await eventually(lambda: _ended(two, row.provider_pid, "COMPLETED"), "the other side's end")
    assert theirs.study is None

    async def receipts() -> Any:
        kept = await two.rows("a02", Receipt)
        return kept if kept and kept[0].proof else None

    (receipt,) = await eventually(receipts, "the log's proof")
    assert receipt.type == "public-agreement"
    assert len(receipt.envelope["signatures"]) == 2
    assert "permit" not in receipt.envelope["body"]["subject"]


async def _ended(two: Two, pid: Any, state: str) -> Any:
    row = await two.row(pid, "h01")
    return row if row.state == state else None


async def _source(two: Two, pid: str, old: Any) -> Any:
    row = await two.row(pid)
    return row.source if row.source != old else None


async def test_a_holder_of_the_token_gets_parts_and_nobody_else_gets_anything(two: Two) -> None:
    source = (await two.row(await two.started())).source
    assert source is not None
    whole = await two.get(source)
    assert (whole.status_code, whole.content) == (200, DATA)
    assert whole.headers["etag"] == f'"{SHA256}"'
    for asked, expected, place in (
        ("bytes=0-9", DATA[:10], "0-9"),
        ("bytes=1048570-1048590", DATA[1048570:1048591], "1048570-1048590"),
        ("bytes=-5", DATA[-5:], f"{len(DATA) - 5}-{len(DATA) - 1}"),
        (f"bytes={len(DATA) - 3}-", DATA[-3:], f"{len(DATA) - 3}-{len(DATA) - 1}"),
        (f"bytes=0-{len(DATA) * 2}", DATA, f"0-{len(DATA) - 1}"),
    ):
        part = await two.get(source, range=asked)
        assert (part.status_code, part.content) == (206, expected), asked
        assert part.headers["content-range"] == f"bytes {place}/{len(DATA)}"
    for asked in (f"bytes={len(DATA)}-", "bytes=9-3", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-"):
        assert (await two.get(source, range=asked)).status_code == 416, asked
    bearer = {**source, "authorization": f"Bearer {source['authorization']}"}
    assert (await two.get(bearer)).status_code == 200
    for wrong in ("", "Bearer", "x", source["authorization"] + "x"):
        assert (await two.get({**source, "authorization": wrong})).json()["code"] == "token-dead"
    other = {**source, "endpoint": source["endpoint"][:-1] + "x"}
    assert (await two.get(other)).json()["code"] == "token-dead"


async def test_suspended_the_token_is_dead_and_a_start_of_the_hospital_brings_a_new_one(two: Two) -> None:
    pid = await two.started()
    row = await two.row(pid)
    old, theirs = row.source, row.provider_pid
    await two.pi.post(f"/api/transfers/{pid}/suspension", {"reason": "disk full"})
    kept = await eventually(lambda: _ended(two, theirs, "SUSPENDED"), "suspension")
    assert kept.reason.startswith("disk full")
    assert (await two.get(old)).json()["code"] == "token-dead"
    await two.steward.post(f"/api/transfers/{theirs}/start")
    await two.state(pid, "STARTED")
    new = (await two.row(pid)).source
    assert new is not None
    assert (await two.get(new)).content == DATA
    assert (await two.get(old)).status_code == 403


async def test_suspended_by_the_hospital_and_resumed_by_the_company(two: Two) -> None:
    pid = await two.started()
    row = await two.row(pid)
    await two.steward.post(f"/api/transfers/{row.provider_pid}/suspension", {"reason": "maintenance"})
    assert (await two.state(pid, "SUSPENDED")).reason.startswith("maintenance")
    assert (await two.get(row.source)).status_code == 403
    await two.pi.post(f"/api/transfers/{pid}/start")
    new = await eventually(lambda: _source(two, pid, row.source), "a new token")
    assert (await two.get(new)).content == DATA
    assert (await two.get(row.source)).json()["code"] == "token-dead"


@pytest.mark.parametrize("who", ["hospital", "company"])
async def test_ended_from_either_side_the_token_is_dead_for_good(two: Two, who: str) -> None:
    pid = await two.started()
    row = await two.row(pid)
    if who == "hospital":
        await two.steward.post(f"/api/transfers/{row.provider_pid}/termination", {"reason": "withdrawn"})
    else:
        await two.pi.post(f"/api/transfers/{pid}/termination", {"reason": "withdrawn"})
    await two.state(pid, "TERMINATED")
    theirs = await eventually(lambda: _ended(two, row.provider_pid, "TERMINATED"), "the end")
    assert theirs.reason.startswith("withdrawn")
    assert (await two.get(row.source)).json()["code"] == "token-dead"
    with refused("transition-refused"):
        await two.steward.post(f"/api/transfers/{row.provider_pid}/start")


async def test_bytes_that_are_leaving_stop_when_the_token_dies(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "LOOK", 0.0)
    pid = await two.started()
    row = await two.row(pid)
    found = await plane.serve(two.space.nodes["h01"].runtime, str(row.provider_pid), row.source["authorization"], None)
    pieces = found.pieces
    assert len(await anext(pieces)) == plane.PIECE
    await two.steward.post(f"/api/transfers/{row.provider_pid}/suspension")
    with pytest.raises(Exception, match="token-dead"):
        await anext(pieces)


async def test_a_fetch_that_was_broken_off_goes_on_where_it_was(two: Two) -> None:
    pid = await two.started()
    path = plane.landing(two.space.nodes["a02"].runtime, pid)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA[:1_500_000])
    await two.pi.post(f"/api/transfers/{pid}/fetch")
    await two.state(pid, "COMPLETED")
    assert await two.pi.download(f"/api/transfers/{pid}/data") == DATA


async def test_bytes_that_are_not_those_of_the_digest_are_not_taken(two: Two) -> None:
    pid = await two.started()
    path = plane.landing(two.space.nodes["a02"].runtime, pid)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" + DATA[1:1000])
    await two.pi.post(f"/api/transfers/{pid}/fetch")
    await two.state(pid, "COMPLETED")  # thrown away, and fetched whole
    assert await two.pi.download(f"/api/transfers/{pid}/data") == DATA


async def test_public_data_are_pushed_to_our_own_landing(two: Two) -> None:
    agreement = await two.agreed()
    wanted = {"provider": two.h01.did, "agreement": agreement["id"], "format": "HttpData-PUSH"}
    pid = (await two.pi.post("/api/transfers", wanted))["id"]
    row = await two.state(pid, "COMPLETED")
    assert row.fetched == {"bytes": len(DATA), "sha256": SHA256}
    assert await two.pi.download(f"/api/transfers/{pid}/data") == DATA
    url = f"{two.space.space.nodes['a02'].url}/landing/{pid}"
    async with httpx.AsyncClient() as client:
        for token in ("", "x"):
            assert (await client.post(url, content=b"x", headers={"authorization": token})).status_code == 403
    assert await two.pi.download(f"/api/transfers/{pid}/data") == DATA


async def test_public_data_are_pushed_to_an_address_that_the_company_names(two: Two) -> None:
    got: list[tuple[str, bytes]] = []

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(next(line for line in head.lower().splitlines() if line.startswith("content-length")).split(":")[1])
        got.append((head, await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    two.space.nodes["h01"].runtime.peer = Http(development=True)
    agreement = await two.agreed()
    async with await asyncio.start_server(sink, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = {"endpoint": f"http://127.0.0.1:{port}/sink", "authorization": "key-1"}
        wanted = {
            "provider": two.h01.did,
            "agreement": agreement["id"],
            "format": "HttpData-PUSH",
            "target": target,
        }
        pid = (await two.pi.post("/api/transfers", wanted))["id"]
        await two.state(pid, "COMPLETED")
    ((head, body),) = got
    assert body == DATA
    assert "authorization: key-1" in head.lower()


async def test_no_token_is_kept_in_the_record_of_messages(two: Two) -> None:
    pid = await two.started()
    row = await two.row(pid)
    sent = [one for one in await two.rows("h01", TransferMessage) if one.kind == "TransferStartMessage"]
    assert len(sent) == 1
    assert row.source["authorization"] not in sent[0].body
    shown = await two.pi.get(f"/api/transfers/{pid}")
    assert row.source["authorization"] not in str(shown)


async def test_a_person_decides_on_the_page_what_waits(two: Two) -> None:
    async def put(rule: dict[str, str]) -> None:
        head = {"authorization": f"Bearer {two.steward.token}"}
        answer = await two.steward.client.put(f"{two.h01.url}/api/approvals", json=rule, headers=head)
        assert answer.status_code == 200

    async def press(who: Any, pid: str, step: str, **form: str) -> httpx.Response:
        head = {"authorization": f"Bearer {who.token}"}
        return await who.client.post(f"{who.url}/negotiations/{pid}/do/{step}", data=form, headers=head)

    async def theirs(state: str) -> Any:
        async def look() -> Any:
            rows = await two.steward.get("/api/negotiations")
            return next((one for one in rows if one["state"] == state and one["waits"]), None)

        return await eventually(look, state)

    await put({"dataset": NAME, "when": "offers"})
    begun = await two.pi.post("/api/negotiations", {"provider": two.h01.did, "dataset": NAME})
    row = await theirs("REQUESTED")
    assert (await press(two.steward, row["id"], "nonsense")).status_code == 404
    assert (await press(two.space.hand("h01", "acceptor"), row["id"], "agree")).json()["code"] == "duty-missing"
    assert (await press(two.pi, begun["id"], "agree")).json()["code"] == "transition-refused"
    assert (await press(two.steward, row["id"], "agree")).status_code == 303
    final = await eventually(lambda: _talk(two, begun["id"], "FINALIZED"), "the agreement")
    assert final["agreement"]
    begun = await two.pi.post("/api/negotiations", {"provider": two.h01.did, "dataset": NAME})
    row = await theirs("REQUESTED")
    assert (await press(two.steward, row["id"], "terminate", reason="not this year")).status_code == 303
    ended = await eventually(lambda: _talk(two, begun["id"], "TERMINATED"), "the end")
    assert ended["reason"].startswith("not this year")


async def _talk(two: Two, pid: str, state: str) -> Any:
    row = await two.pi.get(f"/api/negotiations/{pid}")
    return row if row["state"] == state else None


async def test_what_comes_from_patients_is_never_public(two: Two) -> None:
    with refused("public-not-synthetic"):
        await two.publish(id="D-2", synthetic=False)
    await two.publish(id="D-3", access="non-public")
    assert (await two.content(b"rows", "D-3")).json()["code"] == "zone-only"
    with refused("access-changed"):
        await two.publish(id="D-3", access="public")
    with refused("access-changed"):
        await two.publish(access="non-public")
    await two.publish()  # a revision keeps the file
    assert (await two.steward.get(f"/api/datasets/{NAME}"))["content"]["sha256"] == SHA256
