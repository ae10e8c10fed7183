"""A part's key: for one job, after the hospital's own yes, from its own records; and its end."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from connector.evidence.model import Entry
from connector.identity.service import ask
from connector.kit.sealed import open_stream, unwrap
from connector.negotiation.model import Agreement
from connector.rights.model import Grant
from connector.sources.model import Snapshot
from connector.transfer.model import DataKey, KeyRelease
from tests.unit.transfer.conftest import described, folder, proven
from tests.unit.transfer.nodes import NOW, PERMIT, STUDY, Nodes, did, permit, url
from tests.unit.transfer.stand_in_zone import Job, Zone, wrapped
from vocab.errors import Refusal
from vocab.records.envelope import opened, signed

Json = dict[str, Any]


@pytest.fixture
def job(nodes: Nodes, staged: Json) -> Job:
    return Job(nodes["p01"].runtime, staged)


def verify(job: Job, **changed: Any) -> Json:
    return {"kind": "verify", "parts": ["train", "holdout"], "code_digest": "sha256:verify", **changed}


async def test_the_key_opens_the_part_in_the_job_and_nowhere_else(nodes: Nodes, job: Job) -> None:
    (blob,) = wrapped(await job.ask()).values()
    aad = f"{job.agreement['id']}|train"
    key = unwrap(job.key, blob, aad.encode())
    sealed, plain = nodes.folder / "sealed", nodes.folder / "plain"
    sealed.write_bytes(nodes["p01"].runtime.get(Zone).lying[f"{job.agreement['id']}/train"])
    open_stream(sealed, plain, key, aad.encode())
    assert plain.read_bytes().startswith(b"PAR1")
    for other, context in ((X25519PrivateKey.generate(), aad), (job.key, f"{job.agreement['id']}|holdout")):
        with pytest.raises(Refusal, match="key-not-ours"):
            unwrap(other, blob, context.encode())
    sealed.write_bytes(nodes["p01"].runtime.get(Zone).lying[f"{job.agreement['id']}/holdout"])
    with pytest.raises(Refusal, match="ciphertext-broken"):
        open_stream(sealed, nodes.folder / "other", key, f"{job.agreement['id']}|holdout".encode())


async def test_a_release_is_a_row_a_grant_and_a_line_in_the_journal(nodes: Nodes, job: Job) -> None:
    assert (await job.ask()).ok
    (row,) = await nodes["h01"].rows(KeyRelease)
    assert (row.task, row.part, row.kind, row.walls) == (job.id, "train", "train", "full")
    assert row.decision["allow"] is True
    (grant,) = [one for one in await nodes["h01"].rows(Grant) if one.kind == "key"]
    assert (grant.id, grant.state) == (job.id, "running")
    assert "key-released" in [one.kind for one in await nodes["h01"].rows(Entry)]


async def test_once_a_task_and_only_to_the_same_job(nodes: Nodes, job: Job) -> None:
    nodes.wire.lost.add("POST /keys/release")
    with pytest.raises(Exception, match="answer lost"):
        await job.ask()
    assert unwrap(job.key, *_blob(await job.ask(), job))
    other = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    assert await job.code(job_key=other) == "key-released-already"
    assert len(await nodes["h01"].rows(KeyRelease)) == 1


def _blob(answer: Any, job: Job) -> tuple[bytes, bytes]:
    return wrapped(answer)["train"], f"{job.agreement['id']}|train".encode()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"parts": ["holdout"]}, "holdout-mounted"),
        ({"parts": ["train", "holdout"]}, "holdout-mounted"),
        ({"code_digest": "sha256:other"}, "code-not-on-permit"),
        ({"image_digest": "sha256:other"}, "image-not-on-permit"),
        ({"walls": "thin"}, "zone-below-level"),
        ({"agreement": "another"}, "no-agreement"),
        ({"study": "urn:uuid:other"}, "no-agreement"),
        ({"permit": "permit-2"}, "no-permit"),
        ({"snapshot": "other"}, "snapshot-not-accepted"),
        ({"kind": "verify", "parts": ["train", "holdout"]}, "code-not-on-permit"),
        ({"kind": "explore"}, "envelope-invalid"),
        ({"parts": ["train", "train"]}, "envelope-invalid"),
        ({"job_key": "00"}, "envelope-invalid"),
        ({"job_key": "00" * 32}, "key-invalid"),
        ({"more": 1}, "envelope-invalid"),
    ],
)
async def test_no_key_leaves(nodes: Nodes, job: Job, changed: Json, code: str) -> None:
    assert await job.code(**changed) == code
    assert await nodes["h01"].rows(KeyRelease) == []


async def test_holdout_opens_for_the_zones_own_code_and_three_times(nodes: Nodes, staged: Json) -> None:
    for _ in range(3):
        job = Job(nodes["p01"].runtime, staged)
        assert set(wrapped(await job.ask(**verify(job)))) == {"train", "holdout"}
    fourth = Job(nodes["p01"].runtime, staged)
    assert await fourth.code(**verify(fourth)) == "verify-limit"


async def test_a_permits_tasks_are_counted_by_the_hospital_itself(nodes: Nodes, job: Job) -> None:
    for number in range(20):
        row = KeyRelease(
            task=f"task-{number}",
            agreement=job.agreement["id"],
            part="train",
            key="k",
            study=STUDY,
            kind="train",
            job_key="00",
            walls="full",
            code_digest="c",
            image_digest="i",
            decision={},
            at=1,
        )
        await nodes["h01"].add(row)
    assert await job.code() == "job-limit"


async def test_only_the_permits_zone_asks_and_under_its_own_signature(nodes: Nodes, job: Job) -> None:
    body, zone = job.request(), nodes["p01"].runtime
    by_a02 = signed(body, did("a02"), nodes["a02"].runtime.keys.sign)
    assert (await job.send(by_a02)).body["code"] == "signature-invalid"
    forged = signed(body, did("p01"), nodes["a02"].runtime.keys.sign)
    assert (await job.send(forged)).body["code"] == "signature-invalid"
    altered = signed(body, did("p01"), zone.keys.sign)
    altered["body"] = {**altered["body"], "walls": "user"}
    assert (await job.send(altered)).body["code"] == "signature-invalid"
    path = f"{url('h01')}/keys/release"
    answer = await ask(nodes["a02"].runtime, "POST", path, did("h01"), json=by_a02)
    assert answer.body["code"] == "zone-only"
    assert (await ask(zone, "POST", path, did("h01"), json={})).status == 400
    assert await nodes["h01"].rows(KeyRelease) == []


@pytest.mark.parametrize(
    ("row", "states", "suspended", "code"),
    [
        (None, {PERMIT: "suspended"}, (), "no-permit"),
        (None, {PERMIT: "ended"}, (), "expired"),
        (None, {PERMIT: "active"}, ("a02",), "not-a-member"),
        (permit(until=NOW), {PERMIT: "active"}, (), "expired"),
    ],
)
async def test_a_right_that_ended_releases_no_key(
    nodes: Nodes, job: Job, row: Any, states: dict[str, str], suspended: tuple[str, ...], code: str
) -> None:
    if row is not None:
        await nodes["h01"].add(row)
    await nodes.standing(states, suspended)
    assert await job.code() == code
    assert await nodes["h01"].rows(KeyRelease) == []


async def test_the_hospital_leans_on_its_own_records_alone(nodes: Nodes, job: Job) -> None:
    await nodes["h01"].add(proven(job.agreement["id"], proof=None))
    assert await job.code() == "receipt-incomplete"
    await nodes["h01"].add(proven(job.agreement["id"]), described(min_walls="full"))
    assert await job.code(walls="user") == "zone-below-level"
    await nodes["h01"].add(Agreement(side="provider", **{**job.agreement, "state": "ENDED"}))
    assert await job.code() == "no-agreement"


async def test_stop_releases_no_further_key_and_tells_the_zone(nodes: Nodes, job: Job) -> None:
    assert (await job.ask()).ok
    path = f"/api/studies/{STUDY}/stop"
    assert (await nodes["h01"].call("keykeeper", "POST", path, {"reason": "x"}))[1]["code"] == "duty-missing"
    status, said = await nodes["h01"].call("acceptor", "POST", path, {"reason": "의심되는 이용"})
    assert (status, said["agreements"]) == (200, [job.agreement["id"]])
    await nodes.settle()
    assert await job.code() == "provider-stopped"
    assert await Job(nodes["p01"].runtime, job.agreement).code() == "provider-stopped"
    (told,) = nodes["p01"].runtime.get(Zone).stopped
    assert (told["agreement"], told["snapshot"], told["by"]) == (
        job.agreement["id"],
        job.agreement["snapshot"],
        did("h01"),
    )
    grants = {row.kind: row.state for row in await nodes["h01"].rows(Grant)}
    assert grants["key"] == "ended"
    assert {"stop-pressed", "stop-told"} <= {row.kind for row in await nodes["h01"].rows(Entry)}


async def test_stop_pressed_again_does_nothing_more_and_waits_for_a_zone_that_is_down(
    nodes: Nodes, staged: Json
) -> None:
    nodes.wire.down.add(url("p01").removeprefix("http://"))
    for _ in range(2):
        assert (await nodes["h01"].call("steward", "POST", f"/api/studies/{STUDY}/stop", {"reason": "x"}))[0] == 200
    await nodes.restart("h01")
    assert await Job(nodes["p01"].runtime, staged).code() == "provider-stopped"
    nodes.wire.down.clear()
    await nodes.later()
    assert len(nodes["p01"].runtime.get(Zone).stopped) == 1
    (snapshot,) = await nodes["h01"].rows(Snapshot)
    assert (snapshot.stopped, snapshot.stopped_by) == (True, "steward")


async def destroy(nodes: Nodes, agreements: list[str], name: str = "p01") -> Any:
    return await ask(
        nodes[name].runtime,
        "POST",
        f"{url('h01')}/studies/{STUDY}/destroy-keys",
        did("h01"),
        json={"agreements": agreements},
    )


async def test_destroyed_keys_are_gone_with_the_snapshot_and_the_register_says_when(nodes: Nodes, job: Job) -> None:
    assert (await job.ask()).ok
    (key,) = await nodes["h01"].rows(DataKey)
    path = folder(nodes["h01"]) / "data-keys" / key.id
    dek = path.read_bytes()
    answer = await destroy(nodes, [job.agreement["id"]])
    public = {did("h01"): nodes["h01"].runtime.keys.public("receipt")}
    body = opened(answer.body, "keys-destroyed", public, did("h01"))
    assert body["keys"] == [{"key_id": key.id, "agreement": job.agreement["id"], "destroyed_at": nodes.clock.at}]
    left = [one for one in folder(nodes["h01"]).rglob("*") if one.is_file() and dek in one.read_bytes()]
    assert left == []
    assert list((folder(nodes["h01"]) / "snapshots").iterdir()) == []
    (entry,) = (await nodes["h01"].call("steward", "GET", "/api/register"))[1]
    assert entry["destroyed_at"] == nodes.clock.at
    assert await job.code() in ("key-destroyed", "snapshot-not-accepted")
    nodes.clock.move(60_000)
    assert (await destroy(nodes, [job.agreement["id"]])).body == answer.body


async def test_only_the_zone_of_the_permit_closes_a_study(nodes: Nodes, staged: Json) -> None:
    assert (await destroy(nodes, [staged["id"]], "a02")).body["code"] == "zone-only"
    assert (await destroy(nodes, ["another"])).body["code"] == "no-agreement"
    (key,) = await nodes["h01"].rows(DataKey)
    assert key.state == "held"
    assert (folder(nodes["h01"]) / "data-keys" / key.id).exists()


async def test_a_destruction_that_a_crash_ended_is_carried_on(
    nodes: Nodes, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.transfer import ending

    def died(*_: Any) -> None:
        raise OSError("died")

    with monkeypatch.context() as dying:
        dying.setattr(ending.keys, "destroy", died)
        with pytest.raises(OSError, match="died"):
            await destroy(nodes, [job.agreement["id"]])
    await nodes.restart("h01")
    assert await job.code() == "key-destroyed"
    answer = await destroy(nodes, [job.agreement["id"]])
    assert len(answer.body["body"]["keys"]) == 1
    assert list((folder(nodes["h01"]) / "data-keys").iterdir()) == []


async def test_key_bytes_never_stand_in_an_answer_or_a_row(nodes: Nodes, job: Job) -> None:
    answer = await job.ask()
    (key,) = await nodes["h01"].rows(DataKey)
    dek = (folder(nodes["h01"]) / "data-keys" / key.id).read_bytes()
    database = (nodes.folder / "h01.sqlite").read_bytes()
    for form in (dek, dek.hex().encode(), base64.b64encode(dek)):
        assert form not in database
        assert form not in answer.text.encode()
