"""When a right ends, what leaned on it ends: within seconds where the operator is heard, else with the lease."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from compute.sandbox import watch
from compute.tasks import places
from connector.play.hands import Said
from tests.flows.evidence import certificates
from tests.flows.small import ENDED, WAIT, Small, opened
from tests.space import eventually

Json = dict[str, Any]
#: design.md 5: connected, a right's end stops what runs within 5 s. Here with room for a busy machine.
SECONDS = 20.0


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Small]:
    """A study whose ciphertext lies in the zone, and whose task runs."""
    async with opened(tmp_path) as small:
        small.need_walls()
        await small.played("staged")
        await started(small)
        yield small


async def started(small: Small) -> None:
    small.ran = await small.submit(WAIT, "nothing.json")
    await small.reached(small.ran, "RUNNING")
    assert below_the_launcher()


def below_the_launcher() -> list[int]:
    """The processes that hold a task's key and plaintext; none when no task runs."""
    ours = str(os.getpid())
    mine = [pid for pid in watch.descendants(os.getpid()) if watch.status_of(pid)["PPid"] == ours]
    (launcher,) = [pid for pid in mine if "compute.launcher" in watch.command_of(pid)]
    return watch.descendants(launcher)


async def gone(small: Small) -> Json:
    """The task ended without being complete, nothing of it is left, and the zone certifies that."""
    begun = time.monotonic()
    row = await small.reached(small.ran, *ENDED)
    assert row["state"] != "COMPLETE"
    assert time.monotonic() - begun < SECONDS
    zone = small.space.nodes["p01"].runtime
    assert not (places.yard(zone) / small.ran).exists()
    assert not below_the_launcher()

    async def said() -> str | None:
        return certificates(zone.store, small.study).get(small.ran)

    assert (await eventually(said, "the task's certificate")).startswith("DELETED")
    return row


def reasons(row: Json) -> str:
    return " ".join(row["logs"][0]["system_logs"])


async def journalled(small: Small, kind: str) -> bool:
    rows = await small.hand("p01", "operator").get("/api/journal", study=small.study, limit=500)
    return any(row["kind"] == kind and row["values"].get("task") == small.ran for row in rows)


async def test_a_right_that_ends_stops_what_runs_within_seconds(running: Small) -> None:
    op, study = "op", running.study
    chair, admin = running.hand(op, "chair"), running.hand(op, "admin")
    why = {"reason": "민원을 확인하는 동안 멈춘다."}

    await chair.post(f"/api/applications/{study}/suspend", why)
    assert "permit-suspended" in reasons(await gone(running))
    with pytest.raises(Said):
        await running.submit(WAIT, "nothing.json")
    await chair.post(f"/api/applications/{study}/resume", why)

    await eventually(lambda: _starts(running), "a task starts again")
    company = {"did": running.did("a02"), **why}
    await admin.post("/api/members/suspend", company)
    zone = running.space.nodes["p01"].runtime

    async def stopped() -> bool:
        return bool(certificates(zone.store, study).get(running.ran))

    await eventually(stopped, "the suspended company's task is certified", SECONDS)
    with pytest.raises(Said):
        await running.submit(WAIT, "nothing.json")
    await admin.post("/api/members/reinstate", company)

    await eventually(lambda: _starts(running), "a task starts again")
    pressed = await running.hand("h03", "acceptor").post(f"/api/studies/{study}/stop", why)
    assert pressed["stopped"]
    assert "provider-stopped" in reasons(await gone(running))
    with pytest.raises(Said) as said:
        await running.submit(WAIT, "nothing.json")
    assert said.value.code not in {"500", "internal"}


async def _starts(small: Small) -> bool:
    try:
        await started(small)
    except Said:
        return False
    return True


async def test_cut_off_from_the_operator_a_task_freezes_with_the_lease_and_is_killed_ten_minutes_later(
    running: Small,
) -> None:
    clock, network = running.space.clock, running.space.network
    lease = 61
    network.cut("p01", "op")
    clock.forward(lease)
    await eventually(lambda: journalled(running, "task-frozen"), "the task is frozen")
    assert (await running.task(running.ran))["state"] not in ENDED
    assert below_the_launcher()

    network.heal()
    clock.forward(20)  # the zone asks three times a lease
    running.space.nodes["p01"].runtime.outbox.nudge()
    await eventually(lambda: journalled(running, "task-thawed"), "the task goes on")

    network.cut("p01", "op")
    clock.forward(lease + 600)
    row = await gone(running)
    assert "lease-lost" in reasons(row)
    assert row["state"] == "SYSTEM_ERROR"


async def test_without_the_operator_nothing_starts_and_the_study_goes_on_when_it_is_back(running: Small) -> None:
    await running.hand("a02", "pi").post(f"/api/studies/{running.study}/tasks/{running.ran}/cancel")
    assert (await gone(running))["state"] == "CANCELED"
    running.space.network.cut("p01", "op")
    running.space.clock.forward(61)
    task = await running.submit()
    row = await running.reached(task, *ENDED)
    assert row["state"] == "SYSTEM_ERROR"
    assert "operator-unreachable" in reasons(row)
    running.space.network.heal()
    await running.counted()
