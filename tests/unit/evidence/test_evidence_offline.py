"""What a file or a folder says can be checked by anybody, without a node; what was changed in it is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.evidence.offline import verify_certificate, verify_log
from connector.evidence.service import author
from connector.evidence.witness import key_of
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from tests.space import Space
from tests.unit.evidence.evidence_parties import agreeing, authored, waits
from vocab.errors import Refusal
from vocab.records import certificate
from vocab.records.envelope import signed


async def downloaded(space: Space, name: str, person: str, path: str) -> bytes:
    transport = httpx.ASGITransport(space.nodes[name].app, raise_app_exceptions=False)
    token = {"authorization": f"Bearer {space.space.token(name, person)}"}
    async with httpx.AsyncClient(transport=transport, base_url=space.space.nodes[name].url) as client:
        answer = await client.get(path, headers=token)
    assert answer.status_code == 200, answer.text
    return answer.content


def refused(path: Path, policy: Path | None = None) -> str:
    with pytest.raises(Refusal) as found:
        verify_certificate(path, policy)
    return found.value.code


async def test_the_file_of_a_receipt_holds_offline_and_any_change_is_named(nodes: Space, tmp_path: Path) -> None:
    await waits(nodes, "h01", await authored(nodes, "h01", None, "s-1"), lambda row: row.proof)
    row = await waits(nodes, "h01", await authored(nodes, "h01", "a02", "a-1"), lambda row: row.proof)
    data = json.loads(await downloaded(nodes, "h01", "steward", f"/api/receipts/{row.id}/file"))
    file = tmp_path / "evidence.json"

    def changed(change: Callable[[dict[str, Any]], object]) -> str:
        copied = json.loads(json.dumps(data))
        change(copied)
        file.write_text(json.dumps(copied))
        return refused(file)

    file.write_text(json.dumps(data))
    policy = nodes.space.nodes["op"].folder / "log.policy"
    found = verify_certificate(file, policy)
    assert found["anchored"]
    assert found["signed_by"] == sorted(nodes.nodes[name].runtime.did for name in ("h01", "a02"))
    assert not verify_certificate(file)["anchored"]
    assert changed(lambda one: one["payload"].update(text="other")) == "payload-altered"
    assert changed(lambda one: one["receipts"][0]["envelope"]["body"].update(about="b")) == "signature-invalid"
    assert changed(lambda one: one["receipts"][0]["envelope"]["signatures"].pop()) == "signature-missing"
    assert changed(lambda one: one["receipts"].append(one["receipts"][0])) == "receipts-differ"
    assert changed(lambda one: one["receipts"].clear()) == "evidence-file-malformed"
    assert changed(lambda one: one["keys"].popitem()) == "signature-invalid"
    proof = data["receipts"][0]["proof"]
    first = "B" if proof.splitlines()[2][0] == "A" else "A"
    broken = proof.replace(proof.splitlines()[2], first + proof.splitlines()[2][1:])
    assert changed(lambda one: one["receipts"][0].update(proof=broken)) == "inclusion-broken"
    file.write_text("[]")
    assert refused(file) == "evidence-file-malformed"
    assert refused(tmp_path / "nowhere") == "file-unreadable"


async def test_a_proof_is_no_good_under_another_trust_policy(nodes: Space, tmp_path: Path) -> None:
    row = await waits(nodes, "h01", await authored(nodes, "h01", None, "s-1"), lambda row: row.proof)
    file = tmp_path / "evidence.json"
    file.write_bytes(await downloaded(nodes, "h01", "steward", f"/api/receipts/{row.id}/file"))
    lines = (nodes.space.nodes["op"].folder / "log.policy").read_text().splitlines()
    other = tmp_path / "other.policy"
    stranger = key_of("did:web:stranger.example", b"\x01" * 32)
    log = next(line for line in lines if line.startswith("log "))
    other.write_text(f"{log}\nwitness stranger {stranger}\nquorum stranger\n")
    assert refused(file, other) == "quorum-missing"


def deletion(zone: Runtime, hospital: Runtime, key_signer: Runtime) -> dict[str, Any]:
    """A closing certificate of one part, whose key the hospital says is destroyed."""
    part = {
        "agreement": "a-1",
        "provider": hospital.did,
        "dataset": "D-H01-DM",
        "snapshot": "5" * 64,
        "part": "train",
        "object": "o-1",
        "bytes": 10,
        "sha256": "6" * 64,
        "key_id": "k-1",
        **dict.fromkeys(("staged", "overwritten", "unlinked", "synced"), True),
        "at": 1,
    }
    destroyed = {"type": "keys-destroyed", "study": "s", "keys": [{"key_id": "k-1", "destroyed_at": 1}]}
    body: dict[str, Any] = {
        "version": 1,
        "type": "closing-certificate",
        "zone": zone.did,
        "study": "s",
        "permit": "p",
        "consumer": "c",
        "method": certificate.METHOD,
        "limits": certificate.limits(certificate.CLOSING_LIMITS),
        "why": "closed",
        "walls": "full",
        "at": 2,
        "objects": [part],
        "tasks": [],
        "keys_destroyed": [signed(destroyed, key_signer.did, key_signer.keys.sign)],
        "results_destroyed": 0,
        "scan": {"proves": True, "found": [], "tables": 0},
    }
    result, exceptions = certificate.closing_result(body)
    return {**body, "result": result, "exceptions": exceptions}


async def certified(space: Space, body: dict[str, Any], tmp_path: Path) -> Path:
    """The file that the operator (who plays the zone here) has of it, countersigned by the hospital."""
    runtime = space.nodes["op"].runtime
    agreeing(space, "h01", "closing-certificate")

    def made(unit: Unit) -> str:
        h01 = space.nodes["h01"].runtime.did
        return author(
            unit, runtime, "closing-certificate", about="s", subject={}, payload=body, counterparty=h01, study="s"
        ).id

    row = await waits(space, "op", await runtime.store.run(made), lambda row: row.proof)
    file = tmp_path / "certificate.json"
    file.write_bytes(await downloaded(space, "op", "admin", f"/api/receipts/{row.id}/file"))
    return file


async def test_a_deletion_certificate_holds_with_the_hospitals_word_on_its_keys(nodes: Space, tmp_path: Path) -> None:
    op, h01 = nodes.nodes["op"].runtime, nodes.nodes["h01"].runtime
    found = verify_certificate(await certified(nodes, deletion(op, h01, h01), tmp_path))
    assert (found["type"], found["result"]) == ("closing-certificate", "DELETED")


async def test_a_certificate_whose_keys_somebody_else_calls_destroyed_does_not_hold(
    nodes: Space, tmp_path: Path
) -> None:
    op, h01, h03 = (nodes.nodes[name].runtime for name in ("op", "h01", "h03"))
    assert refused(await certified(nodes, deletion(op, h01, h03), tmp_path)) == "signature-missing"


async def test_a_certificate_that_says_more_than_its_evidence_does_not_hold(nodes: Space, tmp_path: Path) -> None:
    op, h01 = nodes.nodes["op"].runtime, nodes.nodes["h01"].runtime
    body = deletion(op, h01, h01)
    body["scan"] = {"proves": False}
    assert refused(await certified(nodes, body, tmp_path)) == "certificate-overstates"


async def test_one_flipped_byte_in_the_log_is_found_and_named(nodes: Space) -> None:
    row = await waits(nodes, "h01", await authored(nodes, "h01", "a02", "a-1"), lambda row: row.proof)
    folder = nodes.space.nodes["op"].folder
    bundle = max((folder / "log" / "tile" / "entries").rglob("*.p/*"), key=lambda path: int(path.name))
    data = bytearray(bundle.read_bytes())
    data[data.index(row.id.encode())] ^= 1
    bundle.write_bytes(data)
    with pytest.raises(Refusal) as found:
        verify_log(folder / "log", folder / "log.policy")
    assert (found.value.code, found.value.values["entry"]) == ("entry-broken", row.log_index)
