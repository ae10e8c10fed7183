"""Tasks at the zone: submitted, run on keys that hospitals released, stopped, found dead; each ends once."""

import asyncio
from typing import Any

import pytest

from compute.metering.model import Meter
from compute.tasks.model import Task
from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import document, ended, in_state, submitted, task
from tests.unit.zone.world import PERMIT, STUDY, World, did

Json = dict[str, Any]


async def test_a_task_runs_on_what_the_hospitals_gave_keys_for(both: World, engine: Bare) -> None:
    seen: dict[str, bytes] = {}

    def work(inputs: Any, _executors: Any) -> dict[str, bytes]:
        seen.update(inputs)
        return {"metrics.json": b"{}", "undeclared.txt": b"x"}

    engine.work = work
    found = await ended(both, await submitted(both, engine))
    assert found["state"] == "COMPLETE", found
    assert seen["h01.train.parquet"] == b"train of h01"
    assert seen["train.py"] == b"print('train')\n"
    log = found["logs"][0]
    assert [one["path"] for one in log["outputs"]] == ["/out/metrics.json"]
    assert "undeclared outputs: 1" in log["system_logs"]


async def test_nothing_a_task_left_lies_plain_in_the_folder(both: World, engine: Bare) -> None:
    engine.work = lambda *_: {"metrics.json": b"a line that no one may read"}
    await ended(both, await submitted(both, engine))
    for path in (both.folder / "p01").rglob("*"):
        assert not path.is_file() or b"a line that no one" not in path.read_bytes()


async def test_the_meter_goes_to_the_company_and_both_sign(both: World, engine: Bare) -> None:
    found = await submitted(both, engine)
    await ended(both, found)

    async def signed() -> bool:
        rows = await both.authored("task-end")
        return [row.state for row in rows] == ["complete"]

    await both.eventually(signed, "the task-end receipt")
    subject = (await both.authored("task-end"))[0].envelope["body"]["subject"]
    assert subject["started_minutes"] == 1
    assert subject["cpu_ms"] == 12
    assert subject["outcome"] == "COMPLETE"
    assert subject["agreements"] == sorted(one.agreement for one in both.hospitals.values())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": "print('other')\n"}, "code-not-on-permit"),
        ({"image": "sha256:" + "cd" * 32}, "image-not-on-permit"),
        ({"tags": {"study": STUDY, "permit": "another"}}, "no-permit"),
        ({"tags": {"study": "another", "permit": PERMIT}}, "no-permit"),
        ({"part": "holdout"}, "holdout-mounted"),
        ({"agreement": "a-stranger"}, "no-agreement"),
    ],
)
async def test_what_the_permit_does_not_say_is_refused_at_once(
    both: World, engine: Bare, change: Json, code: str
) -> None:
    asked = document(both, engine)
    if "code" in change:
        asked["inputs"][0]["content"] = change["code"]
    if "image" in change:
        asked["executors"][0]["image"] = f"dure-task@{change['image']}"
    if "part" in change:
        asked["inputs"][1]["url"] = asked["inputs"][1]["url"].replace("train", "holdout")
    if "agreement" in change:
        asked["inputs"][1]["url"] = "dsp://agreement/a-stranger/train"
    asked["tags"] = change.get("tags", asked["tags"])
    status, said = await both.call("a02", "POST", "/ga4gh/tes/v1/tasks", asked)
    assert (status >= 400, said["code"]) == (True, code)
    assert await both.rows(Task) == []


async def test_another_company_has_no_permit(both: World, engine: Bare) -> None:
    _, said = await both.call("a03", "POST", "/ga4gh/tes/v1/tasks", document(both, engine))
    assert said["code"] == "no-permit"


async def test_what_is_not_staged_cannot_be_mounted(world: World, engine: Bare) -> None:
    await world.staged("h01")
    world.agreed("h03")
    _, said = await world.call("a02", "POST", "/ga4gh/tes/v1/tasks", document(world, engine))
    assert said["code"] == "no-agreement"


async def test_a_hospital_that_gives_no_key_ends_the_task_before_it_began(both: World, engine: Bare) -> None:
    both.hospitals["h03"].refuses = "provider-stopped"
    found = await ended(both, await submitted(both, engine))
    assert found["state"] == "SYSTEM_ERROR"
    assert "code: provider-stopped" in found["logs"][0]["system_logs"]
    assert engine.ran == []
    receipts = await both.authored("task-certificate")
    assert len(receipts) == 2
    assert not any(one["key_released"] for one in (receipts[0].payload or {})["objects"])
    assert (await both.rows(Meter))[0].started_minutes == 0


async def test_the_hospitals_stop_kills_what_runs_and_says_how_long_it_took(both: World, engine: Bare) -> None:
    engine.hold = True
    found = await submitted(both, engine)
    await in_state(both, found, "RUNNING")
    hospital = both.hospitals["h01"]
    message = {"agreement": hospital.agreement, "snapshot": hospital.snapshot, "reason": "a complaint"}
    assert (await both.call("h03", "POST", f"/studies/{STUDY}/stop", message))[0] == 404
    assert (await both.call("h01", "POST", f"/studies/{STUDY}/stop", message))[0] == 202
    said = await ended(both, found)
    assert said["state"] == "SYSTEM_ERROR"
    assert "code: provider-stopped" in said["logs"][0]["system_logs"]
    noted = await both.eventually(lambda: both.journal("task-stopped"), "the note")
    assert 0 <= noted[0].values["ms"] < 5000
    _, again = await both.call("a02", "POST", "/ga4gh/tes/v1/tasks", document(both, engine))
    assert again["code"] == "provider-stopped"


@pytest.mark.parametrize("right", ["permit", "member"])
async def test_a_right_that_ends_stops_the_task(both: World, engine: Bare, right: str) -> None:
    engine.hold = True
    found = await submitted(both, engine)
    await in_state(both, found, "RUNNING")
    if right == "permit":
        both.permits[PERMIT] = "suspended"
        await both.standing()
    else:
        await both.standing(suspended=("h03",))

    async def over() -> bool:
        return bool((await both.rows(Task))[0].ended_at)

    await both.eventually(over, "the end")
    code = {"permit": "permit-suspended", "member": "not-a-member"}[right]
    assert (await both.rows(Task))[0].code == code


async def test_cut_off_from_the_operator_it_is_held_and_then_killed(both: World, engine: Bare) -> None:
    engine.hold = True
    found = await submitted(both, engine)
    await in_state(both, found, "RUNNING")
    both.down.add("op")
    both.clock.elapsed += 61
    await both.eventually(lambda: both.journal("task-frozen"), "freezing")
    assert engine.jobs[found].frozen
    both.clock.elapsed += 600
    said = await ended(both, found)
    assert "code: lease-lost" in said["logs"][0]["system_logs"]
    assert len(await both.authored("task-certificate")) == 2


async def test_heard_again_in_time_it_goes_on(both: World, engine: Bare) -> None:
    engine.hold = True
    found = await submitted(both, engine)
    await in_state(both, found, "RUNNING")
    both.down.add("op")
    both.clock.elapsed += 61
    await both.eventually(lambda: both.journal("task-frozen"), "freezing")
    both.down.clear()
    await both.standing()
    await both.eventually(lambda: both.journal("task-thawed"), "thawing")
    assert not engine.jobs[found].frozen
    engine.let_go()
    assert (await ended(both, found))["state"] == "COMPLETE"


async def test_one_runs_at_a_time_and_a_waiting_one_can_be_cancelled(both: World, engine: Bare) -> None:
    engine.hold = True
    first, second = await submitted(both, engine), await submitted(both, engine)
    await in_state(both, first, "RUNNING")
    assert (await task(both, second))["state"] == "QUEUED"
    assert (await both.call("a02", "POST", f"/ga4gh/tes/v1/tasks/{second}:cancel", {}))[0] == 200
    assert (await task(both, second))["state"] == "CANCELED"
    assert (await both.call("a02", "POST", f"/ga4gh/tes/v1/tasks/{first}:cancel", {}))[0] == 200
    assert (await ended(both, first))["state"] == "CANCELED"
    assert len(await both.authored("task-certificate")) == 2
    engine.hold = False
    assert (await ended(both, await submitted(both, engine)))["state"] == "COMPLETE"


@pytest.mark.parametrize("where", ["submit", "start", "ended"])
async def test_when_the_launcher_dies_the_task_ends_with_its_evidence(both: World, engine: Bare, where: str) -> None:
    engine.breaks_at = where
    found = await ended(both, await submitted(both, engine))
    assert found["state"] == "SYSTEM_ERROR"
    certified = {one.payload["result"] for one in await both.authored("task-certificate") if one.payload}
    assert certified == (set() if where == "submit" else {"DELETED"})
    assert (await ended(both, await submitted(both, engine)))["state"] == "COMPLETE"


async def test_at_most_twenty_training_tasks_a_study(both: World, engine: Bare) -> None:
    rows = [
        Task(
            id=f"t{number}",
            kind="train",
            study=STUDY,
            permit=PERMIT,
            consumer=did("a02"),
            document={},
            code_digest="",
            image_digest="",
            inputs=[],
            outputs=[],
            executors=[],
            env={},
            limits={},
            state="ended",
            prepared_at=1,
            submitted_at=1,
        )
        for number in range(20)
    ]
    await both.add(*rows)
    _, said = await both.call("a02", "POST", "/ga4gh/tes/v1/tasks", document(both, engine))
    assert said["code"] == "job-limit"


@pytest.mark.parametrize("commits", range(12))
async def test_killed_after_any_commit_it_ends_once(both: World, engine: Bare, commits: int) -> None:
    """The node dies at the n-th commit after the submission, its jobs with it; it starts again, and everything is
    there once: one end, one certificate for each hospital, one meter, one receipt."""
    engine.work = lambda *_: {"metrics.json": b"{}"}
    found = await submitted(both, engine)
    loop, count, reached = asyncio.get_running_loop(), iter(range(commits)), asyncio.Event()

    def committed() -> None:
        if next(count, None) is None:
            loop.call_soon_threadsafe(reached.set)

    both.runtime.store.on_commit(committed)
    async with asyncio.timeout(60):
        await reached.wait()
    await both.stop()
    engine.die()
    await both.start(engine)
    said = await ended(both, found)

    async def whole() -> bool:
        certificates = [row for row in await both.authored("task-certificate") if row.state == "complete"]
        began = 0 if (await both.rows(Task))[0].started_at is None else 1
        return len(certificates) == 2 and len(await both.authored("task-end")) == began

    assert said["state"] in ("COMPLETE", "SYSTEM_ERROR")
    if said["state"] == "SYSTEM_ERROR" and (await both.rows(Task))[0].job_key is None:
        return  # it never had a key: there is nothing to certify
    await both.eventually(whole, f"certificates, {said}")
    assert len(await both.rows(Meter)) == 1
    assert {row.payload["result"] for row in await both.authored("task-certificate") if row.payload} == {"DELETED"}
    assert len(engine.ran) <= 1
    assert not engine.journal, "the engine was told that the evidence is stored"
