"""From a request to ciphertext in the zone: only there, only sealed, once; after lost answers and restarts too."""

import hashlib
from typing import Any

import pytest

from connector.evidence.model import Entry, Receipt
from connector.identity.service import ask
from connector.kit.sealed import open_stream, part_key
from connector.negotiation.model import Agreement
from connector.rights.model import Grant
from connector.sources.model import Snapshot
from connector.transfer import keys
from connector.transfer.model import DataKey, Transfer
from tests.unit.transfer.conftest import described, folder, proven
from tests.unit.transfer.nodes import PERMIT, STUDY, Nodes, did, url
from tests.unit.transfer.stand_in_zone import Zone
from vocab.errors import Refusal
from vocab.messages import transfer as messages

Json = dict[str, Any]


async def asked(nodes: Nodes, agreement: Json, name: str = "a02", **wanted: Any) -> Transfer:
    """What became of one request."""
    body = {"study": STUDY, "provider": did("h01"), "agreement": agreement["id"], **wanted}
    status, row = await nodes[name].call("pi", "POST", "/api/transfers", body)
    assert status == 201, row
    await nodes.settle()
    rows = {one.id: one for one in await nodes[name].rows(Transfer)}
    found: Transfer = rows[row["id"]]
    return found


async def state(nodes: Nodes, name: str) -> str:
    return str((await nodes[name].rows(Transfer))[-1].state)


def zone(nodes: Nodes) -> Zone:
    return nodes["p01"].runtime.get(Zone)


async def test_both_parts_lie_sealed_in_the_zone_and_the_key_at_home(nodes: Nodes, staged: Json) -> None:
    assert (await state(nodes, "a02"), await state(nodes, "h01")) == ("COMPLETED", "COMPLETED")
    assert sorted(zone(nodes).lying) == [f"{staged['id']}/holdout", f"{staged['id']}/train"]
    (key,) = await nodes["h01"].rows(DataKey)
    path = folder(nodes["h01"]) / "data-keys" / key.id
    assert path.stat().st_mode & 0o777 == 0o600
    (snapshot,) = await nodes["h01"].rows(Snapshot)
    for name, part in snapshot.parts.items():
        lying = zone(nodes).lying[f"{staged['id']}/{name}"]
        sealed, plain = nodes.folder / f"{name}.sealed", nodes.folder / name
        sealed.write_bytes(lying)
        open_stream(sealed, plain, part_key(path.read_bytes(), name), f"{staged['id']}|{name}".encode())
        assert hashlib.sha256(plain.read_bytes()).hexdigest() == part["sha256"]
        assert b"PAR1" not in lying
    assert not (folder(nodes["h01"]) / "outgoing" / key.id).exists()


async def test_a_part_does_not_open_in_another_context_or_with_another_parts_key(nodes: Nodes, staged: Json) -> None:
    (key,) = await nodes["h01"].rows(DataKey)
    dek = (folder(nodes["h01"]) / "data-keys" / key.id).read_bytes()
    sealed = nodes.folder / "sealed"
    sealed.write_bytes(zone(nodes).lying[f"{staged['id']}/train"])
    own = staged["id"]
    for part, aad in (("train", "other|train"), ("train", f"{own}|holdout"), ("holdout", f"{own}|train")):
        with pytest.raises(Refusal, match="ciphertext-broken"):
            open_stream(sealed, nodes.folder / "plain", part_key(dek, part), aad.encode())


async def test_the_zone_signs_what_lies_there(nodes: Nodes, staged: Json) -> None:
    (receipt,) = [one for one in await nodes["h01"].rows(Receipt) if one.type == "staging"]
    assert receipt.state == "complete"
    assert [one["did"] for one in receipt.envelope["signatures"]] == [did("h01"), did("p01")]
    subject = receipt.envelope["body"]["subject"]
    lying = {name: hashlib.sha256(content).hexdigest() for name, content in zone(nodes).lying.items()}
    assert {part["object"]: part["sha256"] for part in subject["parts"]} == lying
    assert set(subject) == {"slot", "agreement", "snapshot", "study", "dataset", "parts"}
    assert set(receipt.payload or {}) == {"site", "key_id", "synthetic", "min_walls"}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"zone": did("a02")}, "zone-only"),
        ({"zone": "https://a02.example/upload"}, "zone-only"),
        ({"format": "HttpData-PULL"}, "zone-only"),
        ({"format": "HttpData-PUSH"}, "zone-only"),
    ],
)
async def test_data_go_to_the_permits_zone_by_push_or_nowhere(
    nodes: Nodes, agreement: Json, wanted: dict[str, str], code: str
) -> None:
    row = await asked(nodes, agreement, **wanted)
    assert (row.state, row.code) == ("TERMINATED", code)
    assert await nodes["h01"].rows(Transfer) == []
    assert await nodes["h01"].rows(DataKey) == []
    assert zone(nodes).slots == {}
    assert code in [entry.code for entry in await nodes["h01"].rows(Entry)]


async def test_an_address_with_properties_is_no_address(nodes: Nodes, agreement: Json) -> None:
    """A consumer may not slip an endpoint or a token in beside the zone's DID."""
    callback = f"{url('a02')}/dsp/2025-1"
    message = messages.request(
        "pid-1", callback, agreement["id"], messages.to_zone(did("p01")), study=STUDY, permit=PERMIT
    )
    hidden = {"@type": "EndpointProperty", "name": "authorization", "value": "token"}
    message["dataAddress"]["endpointProperties"] = [hidden]
    path = f"{url('h01')}/dsp/2025-1/transfers/request"
    answer = await ask(nodes["a02"].runtime, "POST", path, did("h01"), json=message)
    assert answer.body["code"] == "zone-only"
    assert await nodes["h01"].rows(Transfer) == []


async def test_a_dataset_without_agreement_goes_nowhere(nodes: Nodes, agreement: Json) -> None:
    assert (await asked(nodes, {"id": "another"})).code == "no-agreement"
    assert (await asked(nodes, agreement, "a03", zone=did("p01"))).code == "no-agreement"
    assert zone(nodes).slots == {}


async def test_use_waits_for_the_receipt_that_both_signed_and_the_log_has(nodes: Nodes, agreement: Json) -> None:
    for half in ({"proof": None}, {"state": "one-sided"}, {"state": "authored"}):
        await nodes["h01"].add(proven(agreement["id"], **half))
        assert (await asked(nodes, agreement)).code == "receipt-incomplete"
    await nodes["h01"].add(proven(agreement["id"]))
    assert (await asked(nodes, agreement)).state == "COMPLETED"


@pytest.mark.parametrize(
    ("walls", "dataset", "code"),
    [
        ("user", {"min_walls": "full"}, "zone-below-level"),
        ("thin", {"min_walls": "thin", "synthetic": False}, "zone-below-level"),
        ("thin", {"min_walls": "thin"}, None),
        ("full", {"min_walls": "full", "synthetic": False}, None),
    ],
)
async def test_a_zone_with_too_low_walls_gets_nothing(
    nodes: Nodes, agreement: Json, walls: str, dataset: Json, code: str | None
) -> None:
    zone(nodes).walls = walls
    await nodes["h01"].add(described(**dataset))
    row = await asked(nodes, agreement)
    assert row.code == code
    assert bool(zone(nodes).lying) is (code is None)


async def test_walls_that_fell_after_the_request_stop_the_push(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.barred.add("POST /slots")  # the push waits before anything has left
    row = await asked(nodes, agreement)
    assert row.state == "STARTED"
    zone(nodes).walls = "thin"
    nodes.wire.barred.clear()
    await nodes.later()
    assert (await nodes["a02"].rows(Transfer))[0].code == "zone-below-level"
    assert zone(nodes).lying == {}


async def test_one_flipped_byte_is_refused_and_pushed_again(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.flip = True
    row = await asked(nodes, agreement)
    assert row.state == "STARTED"
    assert next(one[2] for one in nodes.wire.sent if one[0] == "PUT") in (409, 422)
    assert zone(nodes).lying == {}
    await nodes.later()
    assert await state(nodes, "h01") == "COMPLETED"


@pytest.mark.parametrize("lost", ["POST /slots", "PUT /slots", "POST /dsp/2025-1/transfers/request", "GET /zone"])
async def test_a_lost_answer_changes_nothing_in_the_end(nodes: Nodes, agreement: Json, lost: str) -> None:
    nodes.wire.lost.add(lost)
    await asked(nodes, agreement)
    await nodes.later()
    await nodes.later()
    assert (await state(nodes, "a02"), await state(nodes, "h01")) == ("COMPLETED", "COMPLETED")
    assert (len(zone(nodes).slots), len(zone(nodes).lying)) == (1, 2)
    assert len([one for one in await nodes["h01"].rows(Receipt) if one.type == "staging"]) == 1
    assert len(await nodes["h01"].rows(DataKey)) == 1


async def test_a_hospital_that_dies_while_pushing_carries_on(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.lost.add("PUT /slots")
    await asked(nodes, agreement)
    (before,) = await nodes["h01"].rows(DataKey)
    await nodes.restart("h01")
    await nodes.later()
    assert await state(nodes, "h01") == "COMPLETED"
    (after,) = await nodes["h01"].rows(DataKey)
    assert (after.id, after.parts) == (before.id, before.parts)


async def test_ciphertext_that_a_crash_left_half_made_is_made_again(
    nodes: Nodes, agreement: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the first part's ciphertext and the second's."""

    def died(*_: Any) -> Any:
        raise OSError("died")

    def once(*given: Any) -> Any:
        monkeypatch.setattr(keys, "seal_file", died)
        return real(*given)

    real = keys.seal_file
    monkeypatch.setattr(keys, "seal_file", once)
    await asked(nodes, agreement)
    (key,) = await nodes["h01"].rows(DataKey)
    assert (len(list(keys.outgoing(folder(nodes["h01"]), key.id).iterdir())), key.parts) == (1, {})
    monkeypatch.setattr(keys, "seal_file", real)
    await nodes.restart("h01")
    await nodes.later()
    assert await state(nodes, "h01") == "COMPLETED"


async def test_a_zone_that_is_down_is_waited_for(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.barred.add("POST /slots")
    await asked(nodes, agreement)
    nodes.wire.down.add(url("p01").removeprefix("http://"))
    await nodes.later()
    assert await state(nodes, "h01") == "STARTED"
    nodes.wire.barred.clear()
    nodes.wire.down.clear()
    await nodes.later()
    assert await state(nodes, "h01") == "COMPLETED"


async def test_an_agreement_is_staged_once(nodes: Nodes, staged: Json) -> None:
    body = {"study": STUDY, "provider": did("h01"), "agreement": staged["id"]}
    status, said = await nodes["a02"].call("pi", "POST", "/api/transfers", body)
    assert (status, said["code"]) == (409, "transfer-exists")
    status, rows = await nodes["a02"].call("pi", "POST", f"/api/studies/{STUDY}/transfers")
    assert (status, [row["state"] for row in rows]) == (201, ["COMPLETED"])
    assert len(await nodes["h01"].rows(Transfer)) == 1


async def test_a_permit_that_ends_ends_the_transfer(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.barred.add("POST /slots")
    await asked(nodes, agreement)
    await nodes.standing({PERMIT: "ended"})
    await nodes.settle()
    nodes.wire.barred.clear()
    await nodes.later()
    assert (await state(nodes, "h01"), await state(nodes, "a02")) == ("TERMINATED", "TERMINATED")
    assert zone(nodes).lying == {}
    grants = {row.kind: row.state for row in await nodes["h01"].rows(Grant)}
    assert grants["transfer"] == "ended"


async def test_what_the_table_does_not_name_is_refused(nodes: Nodes, staged: Json) -> None:
    """A completed transfer takes no message any more; another organisation's process is unknown."""
    (theirs,), (ours,) = await nodes["h01"].rows(Transfer), await nodes["a02"].rows(Transfer)
    message = messages.step("TransferSuspensionMessage", ours.id, theirs.id)
    path = f"{url('h01')}/dsp/2025-1/transfers/{theirs.id}"
    answer = await ask(nodes["a02"].runtime, "POST", f"{path}/suspension", did("h01"), json=message)
    assert (answer.status, answer.body["@type"], answer.body["code"]) == (400, "TransferError", "transition-refused")
    answer = await ask(nodes["a03"].runtime, "POST", f"{path}/suspension", did("h01"), json=message)
    assert (answer.status, answer.body["code"]) == (404, "process-unknown")
    answer = await ask(nodes["a02"].runtime, "GET", path, did("h01"))
    assert answer.body["state"] == "COMPLETED"


async def test_a_suspended_transfer_waits_until_it_is_resumed(nodes: Nodes, agreement: Json) -> None:
    nodes.wire.barred.add("POST /slots")
    row = await asked(nodes, agreement)
    message = messages.step("TransferSuspensionMessage", row.id, str(row.provider_pid))
    path = f"{url('h01')}/dsp/2025-1/transfers/{row.provider_pid}"
    assert (await ask(nodes["a02"].runtime, "POST", f"{path}/suspension", did("h01"), json=message)).ok
    nodes.wire.barred.clear()
    await nodes.later()
    assert (await state(nodes, "h01"), zone(nodes).lying) == ("SUSPENDED", {})
    resumed = messages.start(row.id, str(row.provider_pid))
    assert (await ask(nodes["a02"].runtime, "POST", f"{path}/start", did("h01"), json=resumed)).ok
    await nodes.later()
    assert await state(nodes, "h01") == "COMPLETED"


async def test_a_void_agreement_moves_nothing(nodes: Nodes, agreement: Json) -> None:
    await nodes["h01"].add(Agreement(side="provider", **{**agreement, "state": "VOID"}))
    assert (await asked(nodes, agreement)).code == "no-agreement"
