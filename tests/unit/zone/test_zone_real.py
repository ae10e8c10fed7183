"""The whole way with the real launcher, the real image and the zone's own code: train, verify, release, close."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from compute.engines.service import Engines
from connector.kit.sealed import unwrap
from tests.unit.verification.verification_cohort import write
from tests.unit.zone.tasks import TES, ended
from tests.unit.zone.test_zone_closing import closed, countersigned
from tests.unit.zone.world import PERMIT, STUDY, World
from vocab.records.code import code_digest

pytestmark = pytest.mark.slow

Json = dict[str, Any]
STUDY_CODE = Path(__file__).parents[3] / "connector" / "play" / "study"
TRAIN, EXPORT = ({f"{one}.py": (STUDY_CODE / f"{one}.py").read_bytes()} for one in ("train", "export"))
COLUMNS = ["age", "sex", "index_year", "egfr", "residence", "uacr", "hba1c", "bmi", "ldl", "insulin", "outcome"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    folder = write(tmp_path_factory.mktemp("cohort"), {"h01": 4000, "h03": 1600})
    return {
        name: {part: (folder / f"{name}.{part}.parquet").read_bytes() for part in ("train", "holdout")}
        for name in ("h01", "h03")
    }


@pytest.fixture
async def real(tmp_path: Path, cohort: dict[str, dict[str, bytes]]) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    await world.standing()
    engine = world.runtime.get(Engines).engine
    if engine is None or engine.capabilities.level == "none":
        pytest.skip("apt-get install bubblewrap")
    permit = world.permit([code_digest(TRAIN), code_digest(EXPORT)], [engine.image.digest])
    permit.fields = {
        **permit.fields,
        "datasets": [{**one, "columns": COLUMNS} for one in permit.fields["datasets"]],
    }
    await world.add(permit)
    for name, parts in cohort.items():
        await world.staged(name, parts)
    yield world
    await world.stop()


async def run(world: World, code: dict[str, bytes], outputs: list[str], *options: str) -> Json:
    engine = world.runtime.get(Engines).demand()
    inputs = [{"path": f"/code/{name}", "content": content.decode()} for name, content in code.items()]
    inputs += [
        {"url": f"dsp://agreement/{one.agreement}/train", "path": f"/in/{one.name}.train.parquet"}
        for one in world.hospitals.values()
    ]
    document = {
        "inputs": inputs,
        "outputs": [{"path": f"/out/{name}", "url": "dure:held"} for name in outputs],
        "executors": [
            {"image": f"dure-task@{engine.image.digest}", "command": ["python3", f"/code/{next(iter(code))}", *options]}
        ],
        "tags": {"study": STUDY, "permit": PERMIT},
    }
    status, said = await world.call("a02", "POST", f"{TES}/tasks", document)
    assert status == 200, said
    found = await ended(world, said["id"])
    assert found["state"] == "COMPLETE", found["logs"]
    return found


async def verified(world: World, task: str, control: Json | None) -> Json:
    asked = {"task": task, "model": "model.onnx", "control": control, "threshold": 0.2, "intended_use": "card-use"}
    status, said = await world.call("a02", "POST", f"/studies/{STUDY}/verifications", asked)
    assert status == 201, said

    async def look() -> Json | None:
        found = (await world.call("a02", "GET", f"/verifications/{said['id']}"))[1]
        return found if found["state"] != "running" else None

    return dict(await world.eventually(look, "the verification"))


async def released(world: World, task: str, files: list[str]) -> Json:
    asked = {"study": STUDY, "task": task, "files": files, "requester": "analyst"}
    status, said = await world.call("a02", "POST", "/releases", asked)
    assert status == 201, said
    return dict(said)


async def test_a_study_from_training_to_its_end(real: World) -> None:
    trained = await run(real, TRAIN, ["model.onnx", "metrics.json", "table.csv"])
    controls = await run(real, TRAIN, ["controls.zip"], "--controls")
    report = await verified(real, trained["id"], {"task": controls["id"], "file": "controls.zip"})
    assert report["state"] == "passed", (report["code"], report["findings"])
    assert report["card"]["body"]["model"]["sha256"] == report["sha256"]

    asked = await released(real, trained["id"], ["model.onnx", "metrics.json", "table.csv"])
    assert asked["state"] == "review", asked["files"]
    assert {one["name"]: one["state"] for one in asked["files"]} == dict.fromkeys(
        ("model.onnx", "metrics.json", "table.csv"), "review"
    ), asked["files"]
    path = f"/api/releases/{asked['id']}/reviews"
    verdict = {"verdict": "release", "reason": "nothing of a patient in it"}
    for reviewer, code in (("operator", "duty-missing"), ("reviewer-2", "same-organisation")):
        status, said = await real.call(reviewer, "POST", path, verdict)
        assert said["code"] == code
    for reviewer, state in (("reviewer-1", "review"), ("reviewer-3", "released")):
        status, said = await real.call(reviewer, "POST", path, verdict)
        assert (status, said["state"]) == (201, state), said
    status, sent = await real.call("a02", "GET", f"/releases/{asked['id']}/files/model.onnx")
    assert status == 200, sent
    content = unwrap(real.keys("a02").sealing, base64.b64decode(sent["sealed"]), f"{asked['id']}|model.onnx".encode())
    assert hashlib.sha256(content).hexdigest() == report["sha256"]
    await countersigned(real, "release", 1)

    tried = await run(real, EXPORT, ["patients.csv", "small.csv", "total.csv", "part.csv", "model.pickle"])
    refused = await released(real, tried["id"], ["patients.csv", "small.csv", "total.csv", "part.csv", "model.pickle"])
    assert refused["state"] == "refused", refused["files"]
    codes = {one["name"]: {finding["code"] for finding in one["findings"]} for one in refused["files"]}
    assert "record-level" in codes["patients.csv"]
    assert "small-cell" in codes["small.csv"]
    assert "differencing" in codes["part.csv"] | codes["total.csv"]
    assert "format-refused" in codes["model.pickle"]

    await real.call("a02", "POST", f"/studies/{STUDY}/close", {})
    found = await closed(real)
    assert found["result"] != "UNPROVEN", found["exceptions"]
    assert len(found["tasks"]) == 4
    await countersigned(real, "closing-certificate", 2)
    await countersigned(real, "task-certificate", 8)


async def test_a_forest_that_remembers_is_refused_per_class(real: World) -> None:
    forest = await run(real, TRAIN, ["model.onnx", "metrics.json", "table.csv"], "--forest")
    report = await verified(real, forest["id"], None)
    assert report["state"] == "failed"
    asked = await released(real, forest["id"], ["model.onnx"])
    assert "memorised" in {finding["code"] for finding in asked["files"][0]["findings"]}
    assert asked["state"] == "refused"


async def test_walls_of_a_plain_user_hold_a_study_too(tmp_path: Path, cohort: dict[str, dict[str, bytes]]) -> None:
    world = World(tmp_path)
    await world.start(zone_settings={"at_most": "user"})
    try:
        await world.standing()
        engine = world.runtime.get(Engines).demand()
        if engine.capabilities.level != "user":
            pytest.skip("apt-get install bubblewrap")
        await world.add(world.permit([code_digest(TRAIN)], [engine.image.digest]))
        for name, parts in cohort.items():
            await world.staged(name, parts)
        trained = await run(world, TRAIN, ["model.onnx", "metrics.json", "table.csv"])
        assert trained["logs"][0]["metadata"]["walls"] == "user"
        await verified(world, trained["id"], None)
        await world.call("a02", "POST", f"/studies/{STUDY}/close", {})
        assert (await closed(world))["result"] in ("DELETED", "DELETED_WITH_EXCEPTIONS")
    finally:
        await world.stop()


async def test_thin_walls_take_synthetic_data_and_never_say_deleted_plainly(
    tmp_path: Path, cohort: dict[str, dict[str, bytes]]
) -> None:
    world = World(tmp_path)
    await world.start(zone_settings={"at_most": "thin"})
    try:
        await world.standing()
        engine = world.runtime.get(Engines).demand()
        assert (await world.call("operator", "GET", "/api/walls"))[1]["level"] == "thin"
        await world.add(world.permit([code_digest(TRAIN)], [engine.image.digest]))
        for name, parts in cohort.items():
            await world.staged(name, parts)
        trained = await run(world, TRAIN, ["model.onnx", "metrics.json", "table.csv"])
        assert (await verified(world, trained["id"], None))["report"]["model"] is not None
        await world.call("a02", "POST", f"/studies/{STUDY}/close", {})
        found = await closed(world)
        assert found["result"] == "DELETED_WITH_EXCEPTIONS"
        assert "thin-walls" in found["exceptions"]
        other = world.agreed("h01")
        other.seal(tmp_path, {"train": b"x"})
        _, said = await world.call("h01", "POST", "/slots", world.wanted(other, min_walls="user"))
        assert said["code"] == "zone-below-level"
    finally:
        await world.stop()
