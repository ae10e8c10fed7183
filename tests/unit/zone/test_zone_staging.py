"""Slots and what arrives in them: only announced bytes, only from the provider, only under a proven agreement."""

import copy
from typing import Any

import pytest

from compute.staging.model import Slot, StagedObject
from tests.unit.zone.engines import Bare
from tests.unit.zone.world import PERMIT, STUDY, Hospital, World, did
from vocab.records.envelope import commitment, signed

Json = dict[str, Any]


@pytest.fixture
def hospital(world: World) -> Hospital:
    found = world.agreed("h01")
    found.seal(world.folder, {"train": b"train", "holdout": b"holdout"})
    return found


async def opened(world: World, hospital: Hospital, **changed: Any) -> Json:
    status, said = await world.call(hospital.name, "POST", "/slots", world.wanted(hospital, **changed))
    assert status == 201, said
    return dict(said)


async def put(world: World, slot: Json, part: str, content: bytes, by: str = "h01") -> tuple[int, Any]:
    return await world.call(by, "PUT", f"/slots/{slot['slot']}/{part}", content=content, slot_token=slot["token"])


async def test_ciphertext_arrives_and_only_its_owner_can_read_the_file(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    for part, (content, _) in hospital.parts.items():
        assert (await put(world, slot, part, content))[0] == 204
    for part, (content, _) in hospital.parts.items():
        path = world.folder / "p01" / "staging" / slot["slot"] / part
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    assert {row.state for row in await world.rows(StagedObject)} == {"staged"}


async def test_one_flipped_byte_and_nothing_is_kept(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    content = hospital.parts["train"][0]
    status, said = await put(world, slot, "train", content[:-1] + bytes([content[-1] ^ 1]))
    assert (status, said["code"]) == (422, "digest-differs")
    assert not list((world.folder / "p01" / "staging" / slot["slot"]).iterdir())
    assert (await put(world, slot, "train", content))[1]["code"] == "token-used"
    again = await opened(world, hospital)
    assert again["slot"] == slot["slot"]
    assert (await put(world, again, "train", content))[0] == 204


async def test_more_bytes_than_announced_are_cut_off(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    status, said = await put(world, slot, "train", hospital.parts["train"][0] + b"x")
    assert (status, said["code"]) == (422, "digest-differs")


async def test_a_token_is_good_once_a_part(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    content = hospital.parts["train"][0]
    assert (await put(world, slot, "train", content))[0] == 204
    assert (await put(world, slot, "train", content))[1]["code"] == "token-used"
    assert (await put(world, {**slot, "token": "wrong"}, "holdout", b"x"))[1]["code"] == "token-used"
    assert (await put(world, slot, "holdout", hospital.parts["holdout"][0]))[0] == 204


async def test_asked_again_the_same_slot_says_what_lies_in_it(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    await put(world, slot, "train", hospital.parts["train"][0])
    again = await opened(world, hospital)
    assert (again["slot"], again["staged"]) == (slot["slot"], ["train"])
    assert again["token"] != slot["token"]
    assert (await put(world, slot, "holdout", hospital.parts["holdout"][0]))[1]["code"] == "token-used"
    assert len(await world.rows(Slot)) == 1


async def test_another_member_finds_no_slot(world: World, hospital: Hospital) -> None:
    slot = await opened(world, hospital)
    status, said = await put(world, slot, "train", hospital.parts["train"][0], by="h03")
    assert (status, said["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"permit": "another"}, "no-permit"),
        ({"study": "another"}, "no-permit"),
        ({"consumer": did("a03")}, "no-permit"),
        ({"dataset": "D-H09-DM"}, "no-permit"),
        ({"dataset": "D-H03-DM"}, "not-a-provider"),
        ({"agreement": "another"}, "no-agreement"),
        ({"snapshot": "sha256:another"}, "no-agreement"),
        ({"min_walls": "full"}, "zone-below-level"),
        ({"synthetic": False, "walls": "thin"}, "zone-below-level"),
        ({"extra": 1}, "request-invalid"),
        ({"synthetic": "true"}, "request-invalid"),
    ],
)
async def test_a_slot_is_given_only_under_permit_and_agreement(
    world: World, hospital: Hospital, engine: Bare, change: Json, code: str
) -> None:
    engine.level = change.pop("walls", "user")
    status, said = await world.call("h01", "POST", "/slots", {**world.wanted(hospital), **change})
    assert (status >= 400, said["code"]) == (True, code)
    assert await world.rows(Slot) == []


@pytest.mark.parametrize("what", ["signature", "payload", "proof", "salt", "k", "one-sided", "shape"])
async def test_less_than_a_proven_receipt_is_no_agreement(world: World, hospital: Hospital, what: str) -> None:
    asked = world.wanted(hospital)
    receipt = copy.deepcopy(asked["receipt"])
    if what == "signature":
        receipt["envelope"]["signatures"][1]["signature"] = receipt["envelope"]["signatures"][0]["signature"]
    elif what == "one-sided":
        receipt["envelope"]["signatures"].pop()
    elif what == "payload":
        receipt["payload"]["agreement"]["permission"] = []
    elif what == "k":
        receipt["payload"]["k"] = 50
    elif what == "proof":
        receipt["proof"] = world.wanted(hospital)["receipt"]["proof"]
    elif what == "salt":
        receipt["salt"] = "00" * 16
    else:
        receipt["envelope"] = {}
    status, said = await world.call("h01", "POST", "/slots", {**asked, "receipt": receipt})
    assert (status >= 400, said["code"]) == (True, "receipt-incomplete")


async def test_a_second_slot_with_other_content_is_refused(world: World, hospital: Hospital) -> None:
    await opened(world, hospital)
    _, said = await world.call("h01", "POST", "/slots", world.wanted(hospital, key_id="another"))
    assert said["code"] == "slot-exists"


async def test_two_hospitals_cannot_be_shown_under_one_name(world: World, hospital: Hospital) -> None:
    await opened(world, hospital)
    other = world.agreed("h03")
    other.seal(world.folder, {"train": b"x"})
    _, said = await world.call("h03", "POST", "/slots", world.wanted(other, site="h01"))
    assert said["code"] == "slot-site-taken"


async def test_an_ended_permit_gives_no_slot(world: World, hospital: Hospital) -> None:
    world.permits[PERMIT] = "ended"
    await world.standing()
    _, said = await world.call("h01", "POST", "/slots", world.wanted(hospital))
    assert said["code"] == "expired"


async def test_a_refusal_is_stored_with_its_study(world: World, hospital: Hospital) -> None:
    await opened(world, hospital)
    rows = await world.journal("slot-opened")
    assert [(row.study, row.by) for row in rows] == [(STUDY, did("h01"))]


@pytest.mark.parametrize("lie", ["", "parts", "snapshot", "payload"])
async def test_the_zone_countersigns_what_lies_here_and_nothing_else(
    world: World, hospital: Hospital, lie: str
) -> None:
    slot = await opened(world, hospital)
    for part, (content, _) in hospital.parts.items():
        await put(world, slot, part, content)
    parts = [about for _, (_, about) in sorted(hospital.parts.items())]
    subject = {
        "slot": slot["slot"],
        "agreement": hospital.agreement,
        "snapshot": "sha256:other" if lie == "snapshot" else hospital.snapshot,
        "study": STUDY,
        "dataset": hospital.dataset,
        "parts": parts[:1] if lie == "parts" else parts,
    }
    payload = {"site": "h01", "key_id": hospital.key_id, "synthetic": lie != "payload", "min_walls": "thin"}
    status, said = await world.call("h01", "POST", "/receipts", staging_receipt(world, hospital, subject, payload))
    assert status == (409 if lie else 200), said


def staging_receipt(world: World, hospital: Hospital, subject: Json, payload: Json) -> Json:
    salt = b"0" * 16
    body = {
        "type": "staging",
        "id": f"urn:uuid:{hospital.agreement}",
        "study": STUDY,
        "about": subject["slot"],
        "author": did("h01"),
        "counterparty": did("p01"),
        "at": world.clock.now(),
        "subject": subject,
        "payload": commitment(salt, payload),
    }
    return {"envelope": signed(body, did("h01"), hospital.keys.sign), "payload": payload, "salt": salt.hex()}


async def test_a_part_may_be_larger_than_a_message(world: World) -> None:
    hospital = world.agreed("h01")
    hospital.seal(world.folder, {"train": b"x" * (3 << 20)})
    slot = await opened(world, hospital)
    assert (await put(world, slot, "train", hospital.parts["train"][0]))[0] == 204
    status, said = await world.call("h01", "POST", "/slots", {"site": "x" * (2 << 20)})
    assert status == 413, said


async def test_the_operator_may_lower_the_walls_and_then_data_that_need_higher_ones_stay_out(
    world: World, hospital: Hospital
) -> None:
    assert (await world.call("reviewer-1", "POST", "/api/walls", {"at_most": "thin"}))[1]["code"] == "duty-missing"
    assert (await world.call("operator", "POST", "/api/walls", {"at_most": "thin"}))[1]["level"] == "thin"
    _, said = await world.call("h01", "POST", "/slots", world.wanted(hospital, min_walls="user"))
    assert said["code"] == "zone-below-level"
    _, envelope = await world.call("h01", "GET", "/zone")
    assert envelope["body"]["walls"] == "thin"
