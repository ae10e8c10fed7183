"""The operator's log takes what is signed, once; its witnesses sign no second history; its files are the rows."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session, select

from connector.evidence.model import Cosigned, Entry, WitnessedLog
from connector.evidence.service import entry_bytes
from connector.evidence.witness import add_checkpoint
from connector.identity.service import Members, ask
from connector.kit.outbox import waiting
from governance.log import publishing, service, tree
from governance.log.model import LogHead
from tests.space import Space, eventually
from tests.unit.evidence.evidence_parties import authored, kept, logged, restarted, waits
from vocab.errors import Refusal
from vocab.records.envelope import countersigned, signed
from vocab.tlog import note, witness
from vocab.tlog.note import Checkpoint, Note
from vocab.tlog.policy import policy
from vocab.tlog.proof import check_consistency, check_proof, consistency


async def published(space: Space, author: str = "h01", other: str | None = "a02", about: str = "a-1") -> Any:
    return await waits(space, author, await authored(space, author, other, about), lambda row: row.proof)


async def hand_in(space: Space, name: str, envelope: dict[str, Any]) -> tuple[int, Any]:
    op = space.nodes["op"].runtime
    url = f"{op.settings.url}/log/entries"
    answer = await ask(space.nodes[name].runtime, "POST", url, op.did, json={"envelope": envelope})
    return answer.status, answer.body


def http(space: Space, name: str = "op") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(space.nodes[name].app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=space.nodes[name].runtime.settings.url)


async def state(space: Space) -> LogHead:
    op = space.nodes["op"].runtime
    return await op.store.read(lambda session: service.head(session, service.log_key(op).name))


async def test_the_same_entry_twice_has_the_same_index(nodes: Space) -> None:
    row = await published(nodes)
    assert (await hand_in(nodes, "h01", row.envelope)) == (
        202,
        {"index": row.log_index, "digest": row.entry_digest},
    )
    assert len(await logged(nodes)) == 1


async def test_what_its_author_did_not_sign_does_not_enter(nodes: Space) -> None:
    row = await published(nodes)
    h01, a02 = nodes.nodes["h01"].runtime, nodes.nodes["a02"].runtime
    body = {**row.envelope["body"], "id": "urn:uuid:other"}
    forged = {**row.envelope, "body": body}
    by_other = signed(body, a02.did, a02.keys.sign)
    alone = signed(body, h01.did, h01.keys.sign)
    stranger = countersigned({**alone}, nodes.nodes["h03"].runtime.did, nodes.nodes["h03"].runtime.keys.sign)
    refused = [
        (forged, "h01", "signature-invalid"),
        (by_other, "a02", "signature-missing"),
        (stranger, "h01", "envelope-invalid"),
        ({**alone, "note": "unsigned"}, "h01", "envelope-invalid"),
        (alone, "a02", "not-the-author"),
        (signed({**row.envelope["body"], "about": "b"}, h01.did, h01.keys.sign), "h01", "logged-otherwise"),
        (signed({**body, "subject": {"x": "y" * 65_535}}, h01.did, h01.keys.sign), "h01", "entry-too-long"),
        (signed({**body, "more": 1}, h01.did, h01.keys.sign), "h01", "envelope-invalid"),
    ]
    for envelope, name, code in refused:
        status, said = await hand_in(nodes, name, envelope)
        assert (status >= 400, said["code"]) == (True, code)
    assert len(await logged(nodes)) == 1


async def test_a_receipt_that_no_entry_can_hold_is_refused_when_it_is_made(nodes: Space) -> None:
    with pytest.raises(Refusal) as refused:
        await authored(nodes, "h01", None, "a-1", long="x" * 65_300)
    assert refused.value.code == "entry-too-long"


async def test_anybody_can_read_the_log_and_nothing_else(nodes: Space) -> None:
    row = await published(nodes)
    async with http(nodes) as client:
        checkpoint = await client.get("/log/checkpoint")
        trusted = policy((await client.get("/log/policy")).content)
        size = trusted.cosigned(checkpoint.content).checkpoint.size
        tile = await client.get(f"/log/tile/entries/000.p/{size}")
        assert "immutable" in tile.headers["cache-control"]
        assert checkpoint.headers["cache-control"] == "no-cache"
        assert entry_bytes(row) in tile.content
        proof = await client.get(f"/log/proofs/{row.entry_digest}")
        check_proof(proof.content, entry_bytes(row), trusted)
        for path in ("/log/tile/../../keys/log.pem", "/log/tile/%2e%2e/%2e%2e/keys/log.pem", "/log/tile/0/000.p/0x1"):
            assert (await client.get(path)).status_code == 404


async def test_before_both_camps_have_members_entries_wait_and_the_page_says_for_whom(tmp_path: Path) -> None:
    async with Space(tmp_path, ["op", "h01"]) as space:
        await space.join()
        receipt = await authored(space, "h01", None, "s-1")
        await waits(space, "h01", receipt, lambda row: row.log_index is not None)

        async def waiting() -> Any:
            found = await space.hand("op", "admin").get("/api/log")
            return found if found["waits_for"] else None

        found = await eventually(waiting)
        assert (found["size"], found["waiting"], found["waits_for"]) == (0, 1, publishing.NO_CAMPS)
        assert not (publishing.log_folder(space.nodes["op"].runtime) / "checkpoint").exists()
        space.names.append("a02")
        await space.start("a02")
        await space.join()
        await waits(space, "h01", receipt, lambda row: row.proof)


async def test_without_a_majority_of_hospitals_nothing_is_published(nodes: Space) -> None:
    await published(nodes)
    size = (await state(nodes)).published_size
    nodes.network.cut("op", "h03")
    receipt = await authored(nodes, "h01", "a02", "a-2")

    async def short() -> Any:
        return (await state(nodes)).waits_for

    why = await eventually(short)
    assert nodes.nodes["h03"].runtime.did in why
    assert (await state(nodes)).published_size == size
    nodes.network.heal()
    await waits(nodes, "h01", receipt, lambda row: row.proof)


async def test_a_new_member_changes_the_policy_and_the_checkpoint_follows(tmp_path: Path) -> None:
    async with Space(tmp_path, ["op", "h01", "a02"]) as space:
        await space.join()
        await published(space, other=None)
        before = (space.space.nodes["op"].folder / "log.policy").read_bytes()
        space.names.append("h03")
        await space.start("h03")
        await space.join()

        async def changed() -> bool:
            return (space.space.nodes["op"].folder / "log.policy").read_bytes() != before

        await eventually(changed)
        trusted = policy((space.space.nodes["op"].folder / "log.policy").read_bytes())
        signed_now = trusted.cosigned((space.space.nodes["op"].folder / "log" / "checkpoint").read_bytes())
        assert space.nodes["h03"].runtime.did in signed_now.cosigners


async def test_the_folder_comes_back_from_the_rows(nodes: Space) -> None:
    await published(nodes)
    folder = publishing.log_folder(nodes.nodes["op"].runtime)
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    await nodes.stop("op")
    shutil.rmtree(folder)
    await nodes.start("op")
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after[Path("checkpoint")] == before[Path("checkpoint")]
    assert after.items() <= before.items()


async def test_an_operator_whose_store_is_older_than_what_it_showed_does_not_start(nodes: Space) -> None:
    settings = nodes.space.nodes["op"]
    await published(nodes)
    await nodes.stop("op")
    old = settings.folder / "old"
    old.mkdir()
    for file in settings.folder.glob("node.sqlite*"):
        shutil.copy(file, old)
    await nodes.start("op")
    await published(nodes, about="a-2")
    await nodes.stop("op")
    for file in settings.folder.glob("node.sqlite*"):
        file.unlink()
    for file in old.iterdir():
        shutil.copy(file, settings.folder)
    with pytest.raises(Refusal) as refused:
        await nodes.start("op")
    assert refused.value.code == "log-rolled-back"


def ask_for(space: Space, old: int, checkpoint: Checkpoint, proof: list[bytes]) -> bytes:
    op = space.nodes["op"].runtime
    own = note.signed(str(checkpoint), service.log_key(op), op.keys.ed25519("log").sign)
    return witness.request(old, proof, bytes(Note(str(checkpoint), (own,))))


async def test_a_witness_signs_no_second_history_and_keeps_the_attempt(nodes: Space) -> None:
    await published(nodes)
    h01 = nodes.nodes["h01"].runtime
    seen = await h01.store.read(lambda session: session.exec(select(WitnessedLog)).one())
    fork = Checkpoint(seen.origin, seen.size, b"\x01" * 32)
    answer = await add_checkpoint(h01, ask_for(nodes, seen.size, fork, []))
    assert (answer.status, answer.body) == (409, f"{seen.size}\n".encode())
    grown = Checkpoint(seen.origin, seen.size + 1, b"\x02" * 32)
    assert (await add_checkpoint(h01, ask_for(nodes, seen.size, grown, [b"\x03" * 32]))).status == 422
    back = Checkpoint(seen.origin, seen.size - 1, b"\x01" * 32)
    assert (await add_checkpoint(h01, ask_for(nodes, seen.size - 1, back, []))).status == 409
    unknown = Checkpoint("elsewhere/log", 1, b"\x01" * 32)
    assert (await add_checkpoint(h01, ask_for(nodes, 0, unknown, []))).status == 404
    assert (await add_checkpoint(h01, b"\xff old 0\n\n")).status == 400
    again = await h01.store.read(lambda session: session.exec(select(WitnessedLog)).one())
    assert (again.size, again.root) == (seen.size, seen.root)

    def evidence(session: Session) -> list[Entry]:
        return list(session.exec(select(Entry).where(Entry.kind == "log-fork-refused")))

    attempts = await h01.store.read(evidence)
    assert [one.code for one in attempts] == ["witness-fork", "witness-proof"]
    trusted = policy(h01.get(Members).log_policy.encode())
    for one in attempts:  # the operator's own signature is in it
        trusted.log_signed(one.values["checkpoint"].encode())


async def test_of_two_histories_at_once_a_witness_signs_one(nodes: Space) -> None:
    await published(nodes)
    h01, op = nodes.nodes["h01"].runtime, nodes.nodes["op"].runtime
    await nodes.stop("a02")  # nothing is published meanwhile
    seen = await h01.store.read(lambda session: session.exec(select(WitnessedLog)).one())
    entries = [b"one", b"two", b"three"]

    def histories(session: Session) -> list[bytes]:
        found = []
        for entry in entries:
            size, root = tree.grow(session, seen.size, [entry])
            proof = consistency(seen.size, size, tree.hashes(session))
            found.append(ask_for(nodes, seen.size, Checkpoint(seen.origin, size, root), proof))
            session.rollback()
        return found

    bodies = await op.store.read(histories)
    answers = await asyncio.gather(*(add_checkpoint(h01, body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    sizes = await h01.store.read(lambda session: [row.size for row in session.exec(select(Cosigned))])
    assert sizes.count(seen.size + 1) == 1


async def test_a_forking_operator_is_caught_by_every_witness(nodes: Space) -> None:
    row = await published(nodes)
    report = await nodes.hand("op", "admin").post("/api/log/fork-drill")
    assert report["caught"]
    assert (report["asked"], report["noticed"]) == (3, 3)
    assert {one["status"] for one in report["witnesses"]} == {409}
    assert report["first_ms"] > 0
    journal = await nodes.hand("h03", "steward").get("/api/journal", limit=500)
    assert [one["code"] for one in journal if one["kind"] == "log-fork-refused"] == ["witness-fork"]
    await published(nodes, about="a-2")  # the true history goes on
    again = await kept(nodes, "h01", row.id)
    assert again is not None


async def test_a_witness_that_forgot_everything_is_not_counted_as_having_noticed(nodes: Space) -> None:
    await published(nodes)
    h03 = nodes.nodes["h03"].runtime

    def forget(unit: Any) -> None:
        for row in unit.session.exec(select(WitnessedLog)):
            unit.session.delete(row)

    await h03.store.run(forget)
    report = await nodes.hand("op", "admin").post("/api/log/fork-drill")
    assert (report["asked"], report["noticed"], report["caught"]) == (3, 2, False)
    assert await h03.store.read(lambda session: session.exec(select(WitnessedLog)).first()) is None


async def test_the_drill_needs_a_history(tmp_path: Path) -> None:
    async with Space(tmp_path, ["op"]) as space:
        answer = await http(space).post(
            "/api/log/fork-drill", headers={"authorization": f"Bearer {space.space.token('op', 'admin')}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "not-published")


async def test_the_journal_stream_tells_what_commits(nodes: Space) -> None:
    app = nodes.nodes["h01"].app
    token = nodes.space.token("h01", "steward")
    told: list[dict[str, Any]] = []
    heard = asyncio.Event()

    async def send(message: Any) -> None:
        lines = message.get("body", b"").decode().splitlines()
        told.extend(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        if any(one["kind"] == "receipt-complete" for one in told):
            heard.set()

    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/journal/stream",
        "raw_path": b"/api/journal/stream",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"h01")],
        "scheme": "http",
        "server": ("h01", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    listening = asyncio.create_task(app(scope, receive, send))
    await authored(nodes, "h01", "a02", "a-1")
    await asyncio.wait_for(heard.wait(), 30)
    gone.set()
    await asyncio.wait_for(listening, 30)
    numbers = [one["id"] for one in told]
    assert numbers == sorted(set(numbers))


async def test_a_restarted_operator_goes_on_with_the_same_tree(nodes: Space) -> None:
    await published(nodes)
    before = await state(nodes)
    await restarted(nodes, "op")
    await published(nodes, about="a-2")
    after = await state(nodes)
    op = nodes.nodes["op"].runtime
    roots = [bytes.fromhex(one.root) for one in (before, after)]
    proof = await op.store.read(lambda session: consistency(before.size, after.size, tree.hashes(session)))
    check_consistency(before.size, roots[0], after.size, roots[1], proof)
    assert after.size == before.size + 1


async def test_a_round_that_was_cut_short_after_the_file_was_shown_is_done_again_and_changes_nothing(
    nodes: Space,
) -> None:
    row = await published(nodes)
    op = nodes.nodes["op"].runtime
    folder = publishing.log_folder(op)
    tiles = {path: path.read_bytes() for path in (folder / "tile").rglob("*") if path.is_file()}

    def forget(unit: Any) -> None:  # what a crash between the file and the unit leaves
        kept_state = unit.session.exec(select(LogHead)).one()
        kept_state.published_size, kept_state.published, kept_state.policy = 0, "", ""

    await op.store.run(forget)
    await restarted(nodes, "op")

    async def shown() -> bool:
        return (await state(nodes)).published_size == (await state(nodes)).size

    await eventually(shown)
    assert {path: path.read_bytes() for path in tiles} == tiles

    async def quiet() -> bool:
        return not [one for one in await nodes.nodes["op"].runtime.store.read(waiting) if one.kind == "proof"]

    await eventually(quiet)
    journal = await nodes.hand("h01", "steward").get("/api/journal", limit=500)
    assert [one["values"]["id"] for one in journal if one["kind"] == "receipt-proven"] == [row.id]
