"""A study's snapshot, from its permit to its end: two people, one digest, nothing that a leak scan would find."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connector.evidence.model import Receipt
from connector.kit.db import Unit
from connector.rights.model import PermitRow
from connector.sources import api, service
from connector.sources.cut import pseudonym
from connector.sources.model import Snapshot
from connector.sources.profile import KR_MED_1
from tests.kept import apart
from tests.unit.transfer.nodes import DATASET, DAY, NOW, PERMIT, STUDY, Node, Nodes, did, permit, prepared
from vocab.records.envelope import digest, opened

CUT = {"study": STUDY, "dataset": DATASET}


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    found = Nodes(tmp_path, (api.room,))
    yield found
    for name in found.nodes:
        await found.stop(name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Nodes:
    """H01 prepared once, and stopped; each test goes on in a copy of its own."""

    async def play() -> Nodes:
        nodes = Nodes(tmp_path_factory.mktemp("prepared"), (api.room,))
        await prepared(nodes)
        await nodes.stop("h01")
        return nodes

    return apart(play())


@pytest.fixture
async def hospital(nodes: Nodes, kept: Nodes) -> Node:
    return await nodes.again(kept, "h01")


def folder(hospital: Node) -> Path:
    return hospital.runtime.settings.folder


async def made(hospital: Node, **wanted: Any) -> dict[str, Any]:
    status, body = await hospital.call("steward", "POST", "/api/snapshots", {**CUT, **wanted})
    assert status == 201, body
    found: dict[str, Any] = body
    return found


async def refused(hospital: Node, person: str, path: str, body: Any = None) -> str:
    status, said = await hospital.call(person, "POST", path, body)
    assert status >= 400, said
    return str(said["code"])


async def test_a_trial_keeps_figures_and_no_rows(hospital: Node) -> None:
    before = {path for path in folder(hospital).rglob("*") if path.is_file()}
    first = (await hospital.call("steward", "POST", "/api/trials", {"dataset": DATASET}))[1]
    second = (await hospital.call("steward", "POST", "/api/trials", {"dataset": DATASET}))[1]
    assert first["digest"] == second["digest"]
    assert first["result"]["k"] >= 5
    assert {path for path in folder(hospital).rglob("*") if path.is_file()} == before
    assert "pseudonym" not in first["result"]["profile"]["rungs"]


@pytest.mark.parametrize("path", ["/api/trials?after=", "/api/refusals/"])
@pytest.mark.parametrize("number", ["-9223372036854775809", "9223372036854775808", "1" * 5000])
async def test_a_number_that_no_store_can_keep_is_refused(hospital: Node, path: str, number: str) -> None:
    status, said = await hospital.call("steward", "GET", path + number)
    assert (status, said["code"]) == (422, "request-invalid")


PROFILE = KR_MED_1.document()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"k": None}, "profile-without-k"),
        ({"k": 4}, "k-too-low"),
        ({"pseudonym": "sha256"}, "plain-hash"),
        ({"rungs": {"note": "as-is"}}, "free-text"),
        ({"rungs": {"age": "finest"}}, "profile-malformed"),
        ({"k": "5"}, "request-invalid"),
        ({"more": 1}, "request-invalid"),
    ],
)
async def test_a_profile_is_refused_for_its_own_reason(hospital: Node, changed: dict[str, Any], code: str) -> None:
    given = {name: value for name, value in {**PROFILE, **changed}.items() if value is not None}
    assert await refused(hospital, "steward", "/api/trials", {"dataset": DATASET, "profile": given}) == code


async def test_what_was_cut_lies_in_its_own_folder_and_repeats(hospital: Node) -> None:
    row = await made(hospital)
    where = folder(hospital) / "snapshots" / row["id"]
    assert sorted(path.name for path in where.iterdir()) == ["holdout.parquet", "train.parquet"]
    assert {path.stat().st_mode & 0o777 for path in where.iterdir()} == {0o600}
    assert row["scan"]["clean"] is True
    assert row["scan"]["planted"] > 0
    status, again = await hospital.call("steward", "POST", f"/api/snapshots/{row['id']}/recheck")
    assert (status, again["digest"], again["repeats"]) == (200, row["digest"], True)
    assert [path.name for path in (folder(hospital) / "snapshots").iterdir()] == [row["id"]]


async def test_a_source_that_changed_does_not_repeat(hospital: Node) -> None:
    row = await made(hospital)
    with closing(sqlite3.connect(folder(hospital) / "source.sqlite")) as source:
        source.execute("UPDATE patients SET hba1c = 10.9")
        source.commit()
    assert await refused(hospital, "steward", f"/api/snapshots/{row['id']}/recheck") == "snapshot-changed"


async def test_who_cut_it_may_not_accept_it(hospital: Node) -> None:
    row = await made(hospital)
    path = f"/api/snapshots/{row['id']}/accept"
    assert await refused(hospital, "steward", path) == "same-person"
    assert await refused(hospital, "keykeeper", path) == "duty-missing"
    assert not (await hospital.rows(Snapshot))[0].accepted
    assert (await hospital.call("acceptor", "POST", path))[0] == 200


async def test_even_with_both_duties_nobody_accepts_their_own_cut(hospital: Node) -> None:
    _, row = await hospital.call("both", "POST", "/api/snapshots", CUT)
    path = f"/api/snapshots/{row['id']}/accept"
    assert await refused(hospital, "both", path) == "same-person"
    assert await refused(hospital, "steward", path) == "duty-missing"


async def test_the_accepted_snapshot_has_a_signed_record_a_receipt_and_a_register_row(hospital: Node) -> None:
    row = await made(hospital)
    for _ in range(2):
        assert (await hospital.call("acceptor", "POST", f"/api/snapshots/{row['id']}/accept"))[0] == 200
    record = (await hospital.call("steward", "GET", f"/api/snapshots/{row['id']}"))[1]["record"]
    key = {did("h01"): hospital.runtime.keys.public("receipt")}
    body = opened(record, "deidentification", key, did("h01"))
    assert (body["made_by"], body["accepted_by"], body["snapshot"]) == ("steward", "acceptor", row["digest"])
    (receipt,) = [one for one in await hospital.rows(Receipt) if one.type == "snapshot"]
    subject = receipt.envelope["body"]["subject"]
    assert (subject["snapshot"], subject["patients"], subject["record"]) == (
        row["digest"],
        row["patients"],
        digest(body),
    )
    (entry,) = (await hospital.call("steward", "GET", "/api/register"))[1]
    assert (entry["processed_by"], entry["accepted_by"], entry["patients"]) == ("steward", "acceptor", row["patients"])
    csv = (await hospital.call("steward", "GET", "/api/register.csv"))[1]
    assert STUDY in csv
    assert "개인정보 보호법 제28조의2" in csv
    assert "기관 a02" in csv


async def test_a_file_that_changed_after_the_cut_is_not_accepted(hospital: Node) -> None:
    row = await made(hospital)
    path = folder(hospital) / "snapshots" / row["id"] / "train.parquet"
    path.write_bytes(path.read_bytes() + b"\x00")
    assert await refused(hospital, "acceptor", f"/api/snapshots/{row['id']}/accept") == "snapshot-changed"


async def test_a_new_cut_replaces_one_that_nobody_accepted_and_no_other(hospital: Node) -> None:
    first, second = await made(hospital), await made(hospital)
    assert [path.name for path in (folder(hospital) / "snapshots").iterdir()] == [second["id"]]
    assert await refused(hospital, "acceptor", f"/api/snapshots/{first['id']}/accept") == "not-found"
    await hospital.call("acceptor", "POST", f"/api/snapshots/{second['id']}/accept")
    assert await refused(hospital, "steward", "/api/snapshots", CUT) == "snapshot-exists"
    assert [path.name for path in (folder(hospital) / "snapshots").iterdir()] == [second["id"]]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        (["ldl"], "column-outside-permit"),
        (["age", "egfr_followup"], "column-after-index"),
        (["note"], "column-outside-permit"),
    ],
)
async def test_a_column_that_may_not_leave_leaves_nothing(hospital: Node, columns: list[str], code: str) -> None:
    allowed = [name for name in KR_MED_1.columns if name != "ldl"]
    await hospital.add(permit(datasets=[{"id": DATASET, "provider": did("h01"), "columns": allowed}]))
    assert await refused(hospital, "steward", "/api/snapshots", {**CUT, "columns": columns}) == code
    assert list((folder(hospital) / "snapshots").glob("*")) == []


async def test_planted_identifiers_are_found_and_the_cut_is_gone(hospital: Node) -> None:
    """Somebody writes a phone number where the province belongs, and takes a finer rung."""
    with closing(sqlite3.connect(folder(hospital) / "source.sqlite")) as source:
        ((phone,),) = source.execute("SELECT phone FROM patients LIMIT 1").fetchall()
        source.execute("UPDATE patients SET sido = ? WHERE sido = '대구'", [phone])
        source.commit()
    profile = {**PROFILE, "rungs": {**KR_MED_1.rungs, "residence": "sido"}}
    assert await refused(hospital, "steward", "/api/snapshots", {**CUT, "profile": profile}) == "leak-found"
    assert list((folder(hospital) / "snapshots").glob("*")) == []
    assert await hospital.rows(Snapshot) == []


async def test_without_its_own_pseudonym_key_no_study_is_cut(nodes: Nodes, hospital: Node) -> None:
    other = "urn:uuid:00000000-0000-4000-8000-000000000002"
    await hospital.add(permit(id="permit-2", study=other))
    await nodes.standing({PERMIT: "active", "permit-2": "active"})
    wanted = {**CUT, "study": other}
    assert await refused(hospital, "steward", "/api/snapshots", wanted) == "pseudonym-key-missing"
    assert await refused(hospital, "steward", f"/api/studies/{other}/pseudonym-key") == "duty-missing"
    status, key = await hospital.call("keykeeper", "POST", f"/api/studies/{other}/pseudonym-key")
    assert (status, set(key)) == (201, {"study", "by", "at"})
    assert (await hospital.call("steward", "POST", "/api/snapshots", wanted))[0] == 201
    files = list((folder(hospital) / "pseudonym-keys").iterdir())
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    first, second = (path.read_bytes() for path in files)
    assert pseudonym(first, STUDY, "1") != pseudonym(second, STUDY, "1")


async def test_a_pseudonym_key_asked_for_again_is_the_same_key(hospital: Node) -> None:
    (path,) = (folder(hospital) / "pseudonym-keys").iterdir()
    before = path.read_bytes()
    assert (await hospital.call("keykeeper", "POST", f"/api/studies/{STUDY}/pseudonym-key"))[0] == 201
    assert path.read_bytes() == before


ANOTHERS = {"id": DATASET, "provider": did("h03"), "columns": ["age"]}


@pytest.mark.parametrize(
    ("row", "states", "code"),
    [
        (permit(study="urn:uuid:other"), {PERMIT: "active"}, "no-permit"),
        (permit(), {PERMIT: "suspended"}, "no-permit"),
        (permit(), {PERMIT: "ended"}, "expired"),
        (permit(), {"other": "active"}, "no-permit"),
        (permit(until=NOW - 1), {PERMIT: "active"}, "expired"),
        (
            permit(datasets=[{"id": DATASET, "provider": did("h03"), "columns": ["age"]}]),
            {PERMIT: "active"},
            "no-permit",
        ),
    ],
)
async def test_without_a_permit_in_force_nothing_is_cut(
    nodes: Nodes, hospital: Node, row: PermitRow, states: dict[str, str], code: str
) -> None:
    await hospital.add(row)
    await nodes.standing(states)
    assert await refused(hospital, "steward", "/api/snapshots", CUT) == code


async def test_an_old_standing_list_starts_no_cut(nodes: Nodes, hospital: Node) -> None:
    nodes.clock.move(2 * DAY)
    assert await refused(hospital, "steward", "/api/snapshots", CUT) == "standing-stale"


async def test_what_a_crash_left_half_cut_is_gone_after_the_restart(nodes: Nodes, hospital: Node) -> None:
    row = await made(hospital)
    left = folder(hospital) / "snapshots" / "half"
    left.mkdir()
    (left / "train.parquet").write_bytes(b"PAR1")
    again = await nodes.restart("h01")
    assert [path.name for path in (folder(again) / "snapshots").iterdir()] == [row["id"]]


async def test_the_register_outlives_the_snapshot(hospital: Node) -> None:
    row = await made(hospital)
    await hospital.call("acceptor", "POST", f"/api/snapshots/{row['id']}/accept")
    runtime = hospital.runtime

    def end(unit: Unit) -> None:
        service.destroyed(unit, runtime, row["id"])

    await runtime.store.run(end)
    (entry,) = (await hospital.call("steward", "GET", "/api/register"))[1]
    assert entry["destroyed_at"] == NOW
    found = await runtime.store.read(lambda session: service.snapshot_for(session, STUDY, DATASET))
    assert found is None


@pytest.mark.parametrize("file", ["../h01.sqlite", "people.json", "none.sqlite", "link.sqlite"])
async def test_a_source_is_a_readable_file_of_this_node(hospital: Node, file: str) -> None:
    (folder(hospital) / "people.json").write_text("[]")
    (folder(hospital) / "link.sqlite").symlink_to(folder(hospital) / "source.sqlite")
    code = await refused(hospital, "steward", "/api/sources", {"dataset": "D-X", "file": file})
    assert code in ("source-unreadable", "request-invalid")


async def test_a_snapshot_ends_with_its_permit_even_if_nobody_closes_the_study(nodes: Nodes, hospital: Node) -> None:
    row = await made(hospital)
    where = folder(hospital) / "snapshots" / row["id"]
    nodes.clock.move(93 * DAY)
    await nodes.settle()
    assert where.exists()
    nodes.clock.move(2 * DAY)
    await nodes.settle()
    assert not where.exists()
    assert (await hospital.rows(Snapshot))[0].destroyed_at == nodes.clock.at
