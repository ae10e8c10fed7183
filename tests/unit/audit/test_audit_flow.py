"""What the operator answers is checked from its proofs alone; what it leaves out or alters is noticed."""

import copy
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.evidence import audits
from connector.evidence.service import Receipts, author
from connector.kit.db import Unit
from tests.space import Kept, Space, keep
from tests.unit.evidence.evidence_parties import waits
from vocab.errors import Refusal
from vocab.tlog.policy import policy
from vocab.tlog.proof import check_proof

DATASET, STUDY = "D-H01-DM", "urn:uuid:5f0c7a34-0000-4000-8000-000000000001"
KINDS = ("agreement", "task-end", "closing-certificate")


def today(space: Space) -> str:
    return (datetime.fromtimestamp(space.clock.now() / 1000, UTC) + timedelta(hours=9)).date().isoformat()


async def tell(space: Space, name: str, kind: str, other: str | None, subject: dict[str, Any]) -> None:
    runtime = space.nodes[name].runtime

    def made(unit: Unit) -> str:
        party = space.nodes[other].runtime.did if other else None
        row = author(unit, runtime, kind, about=kind, subject=subject, payload=subject, counterparty=party, study=STUDY)
        return row.id

    await waits(space, name, await runtime.store.run(made), lambda row: row.proof)


def believing(space: Space) -> None:
    """Every party believes the others."""
    for node in space.nodes.values():
        for kind in KINDS:
            node.runtime.get(Receipts).checks[kind] = lambda *_: None


async def play(space: Space) -> None:
    """One study runs today."""
    believing(space)
    now, a02 = space.clock.now(), space.nodes["a02"].runtime.did
    permit = {"permit": "permit-1", "study": STUDY}
    until = {"from": now - 1000, "until": now + 86_400_000}
    decided = {**permit, **until, "datasets": [DATASET], "applicant": a02, "decision": "d" * 64}
    await tell(space, "op", "decision", None, decided)
    agreed = {**permit, "agreement": "a-1", "dataset": DATASET, "snapshot": "5", "policy": "6", "offer": "7"}
    await tell(space, "h01", "agreement", "a02", agreed)
    ran = {"task": "t-1", "study": STUDY, "agreements": ["a-1"], "started": now + 1, "ended": now + 60_000}
    await tell(space, "p01", "task-end", "a02", ran)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("audit"), ("op", "h01", "a02", "p01"), play)


@pytest.fixture
async def audited(ran: Kept, tmp_path: Path) -> AsyncIterator[Space]:
    async with ran.again(tmp_path) as space:
        believing(space)
        yield space


async def asked(space: Space) -> dict[str, Any]:
    transport = httpx.ASGITransport(space.nodes["op"].app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=space.space.nodes["op"].url) as client:
        answer = await client.get("/audit", params={"dataset": DATASET, "on": today(space)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_anybody_can_ask_and_check_the_answer(audited: Space) -> None:
    said = await asked(audited)
    trusted = policy((audited.space.nodes["op"].folder / "log.policy").read_bytes())
    found = audits.check(said, trusted)
    (right,) = found["could"]
    assert (right["agreement"], [one["task"] for one in right["did"]]) == ("a-1", ["t-1"])
    assert len(said["leaves"]) == 3


async def test_an_answer_that_leaves_out_or_alters_anything_is_refused(audited: Space) -> None:
    said = await asked(audited)

    def changed(change: Any) -> str:
        copied = copy.deepcopy(said)
        change(copied)
        with pytest.raises(Refusal) as refused:
            audits.check(copied)
        return refused.value.code

    def subject(one: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = one["leaves"][-1]["envelope"]["body"]["subject"]
        return found

    assert changed(lambda one: one["answer"]["could"][0].update(did=[])) == "audit-differs"
    assert changed(lambda one: one["leaves"].pop()) == "audit-differs"
    assert changed(lambda one: one["answer"].update(could=[])) == "audit-differs"
    assert changed(lambda one: subject(one).update(task="t-2")) == "signature-invalid"
    assert changed(lambda one: one["leaves"][0].update(proof=one["leaves"][1]["proof"])) == "inclusion-broken"
    assert changed(lambda one: one["leaves"][0].update(index=7)) == "audit-malformed"
    assert changed(lambda one: one.update(policy="quorum none")) == "policy-malformed"
    assert changed(lambda one: one.update(leaves=5)) == "audit-malformed"
    assert changed(lambda one: one["keys"].clear()) == "signature-invalid"


async def test_the_whole_log_gives_the_same_answer(audited: Space) -> None:
    said = (await asked(audited))["answer"]
    folder = audited.space.nodes["op"].folder
    trusted = policy((folder / "log.policy").read_bytes())
    again = audits.whole(
        lambda name: (folder / "log" / name).read_bytes(), trusted, said["operator"], DATASET, said["on"]
    )
    assert again == said


async def pack(space: Space) -> bytes:
    transport = httpx.ASGITransport(space.nodes["op"].app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=space.space.nodes["op"].url) as client:
        answer = await client.post(
            "/api/audit/packs",
            json={"dataset": DATASET, "on": today(space)},
            headers={"authorization": f"Bearer {space.space.token('op', 'admin')}"},
        )
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_the_evidence_pack_verifies_by_its_own_files_and_repeats_to_the_byte(audited: Space) -> None:
    data = await pack(audited)
    assert await pack(audited) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = dict(line.split("  ")[::-1] for line in files.pop("manifest-sha256.txt").decode().splitlines())
    assert manifest == {name: hashlib.sha256(held).hexdigest() for name, held in files.items()}
    trusted = policy(files["log/log.policy"])
    trusted.cosigned(files["log/checkpoint"])
    leaves = [name for name in files if name.startswith("leaves/") and name.endswith(".json")]
    assert len(leaves) == 3
    for name in leaves:
        check_proof(files[name.replace(".json", ".tlog-proof")], files[name], trusted)
    assert audits.check(json.loads(files["result.json"]))["could"]
    assert files["result.csv"].decode().splitlines()[1].startswith("could,,")
    assert "sha256sum -c" in files["README.ko.md"].decode()


async def test_a_question_that_is_none_is_refused(audited: Space) -> None:
    transport = httpx.ASGITransport(audited.nodes["op"].app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=audited.space.nodes["op"].url) as client:
        for params in ({"dataset": DATASET, "on": "yesterday"}, {"on": "2026-11-23"}):
            assert (await client.get("/audit", params=params)).status_code == 422
        wrong = await client.get("/audit", params={"dataset": DATASET, "on": "2026-02-30"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "day-malformed")
        assert (await client.post("/api/audit/packs", json={})).status_code == 401
