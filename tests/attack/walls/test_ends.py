"""However a job ends, its plaintext and its key are gone and an outsider can see it."""

import asyncio
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wallkit import Jobs, until

from compute.launcher import ends, forge
from compute.launcher.client import Launcher
from compute.launcher.model import Level
from compute.sandbox import watch

CANARY = "canary-7f3a91c2-2b64-4f0e"
SLEEP = "import time; time.sleep(60)"
SHM = Path("/dev/shm")


def holds_canary(files: Iterable[Path]) -> list[Path]:
    """The files that hold the canary. What cannot be read holds nothing that we could find."""
    found = []
    for path in files:
        try:
            if path.is_file() and CANARY.encode() in path.read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


def inside(launcher: Launcher) -> list[Path]:
    """The canary as seen through the processes that hold it now."""
    pids = watch.descendants(launcher.pid or 0)
    return holds_canary(Path(f"/proc/{pid}/root/in/data.csv") for pid in pids)


def on_the_host(*folders: Path) -> list[Path]:
    """The canary in files that any process of this machine could open."""
    places = [*folders, *SHM.glob("dure-*"), Path("/var/lib/dure/launchers")]
    return holds_canary(path for place in places for path in place.rglob("*"))


def mounted_anywhere() -> bool:
    """True if a process lives in a mount namespace that has a job's place."""
    for one in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if " - tmpfs place " in one.read_text():
                return True
        except OSError:
            continue
    return False


async def held(jobs: Jobs, level: Level, launcher: Launcher, tmp_path: Path) -> str:
    """A job that holds the canary in the open, which this scan can find: the positive control."""
    spec = await jobs.begun(jobs.spec(SLEEP, level, secret=CANARY))
    await until(lambda: inside(launcher) or on_the_host())
    assert (level == "thin") == bool(on_the_host(tmp_path)), "thin lies in a folder, the others in no folder at all"
    assert (level != "thin") == mounted_anywhere()
    return spec.job


def job_process(launcher: Launcher) -> int:
    """The process that has the key: the launcher's only child."""
    (pid,) = [pid for pid in watch.descendants(launcher.pid or 0) if parent(pid) == launcher.pid]
    return pid


def parent(pid: int) -> int:
    return int(watch.status_of(pid)["PPid"])


async def test_after_a_stop_the_plaintext_is_gone(jobs: Jobs, level: Level, launcher: Launcher, tmp_path: Path) -> None:
    job = await held(jobs, level, launcher, tmp_path)
    ended = await launcher.stop(job, "stopped")
    assert ended.evidence["end"]["nothing_left"]
    assert on_the_host(tmp_path) == []
    assert not mounted_anywhere()


async def test_after_a_kill_of_the_job_s_process_the_plaintext_is_gone(
    jobs: Jobs, level: Level, launcher: Launcher, tmp_path: Path
) -> None:
    job = await held(jobs, level, launcher, tmp_path)
    os.kill(job_process(launcher), signal.SIGKILL)
    ended = await launcher.wait(job)
    assert (ended.state, ended.reason) == ("system-error", "process-died")
    assert ended.evidence["end"]["nothing_left"]
    assert ended.evidence["end"]["key"] == "gone-with-its-process"
    assert on_the_host(tmp_path) == []
    assert not mounted_anywhere()


async def test_after_a_kill_of_the_launcher_the_plaintext_is_gone_and_the_next_one_says_so(
    jobs: Jobs, level: Level, launcher: Launcher, tmp_path: Path
) -> None:
    job = await held(jobs, level, launcher, tmp_path)
    task = watch.descendants(launcher.pid or 0)[-1]
    before = launcher.pid
    os.kill(before or 0, signal.SIGKILL)
    await until(lambda: not watch.alive(task))  # the kernel's doing: nobody has swept yet
    await until(lambda: not mounted_anywhere())
    await until(lambda: launcher.pid not in (None, before))
    swept = await launcher.sweep(set())
    assert swept[job]["nothing_left"]
    assert on_the_host(tmp_path) == []
    assert not mounted_anywhere()
    assert not watch.alive(task)
    assert (await launcher.sweep(set()))[job]["nothing_left"]
    await launcher.forget(job)
    assert await launcher.sweep(set()) == {}


async def test_when_the_node_goes_everything_goes(jobs: Jobs, level: Level, launcher: Launcher, tmp_path: Path) -> None:
    job = await held(jobs, level, launcher, tmp_path)
    task = watch.descendants(launcher.pid or 0)[-1]
    await launcher.close()
    assert not watch.alive(task)
    assert on_the_host(tmp_path) == []
    again = Launcher(launcher.socket, launcher.image)
    await again.open()
    try:
        swept = await again.sweep(set())
        assert swept[job]["nothing_left"], str(swept)
    finally:
        await again.close()


async def test_what_a_launcher_left_that_died_while_it_tried_its_walls_is_cleaned_by_the_next(
    jobs: Jobs, level: Level, launcher: Launcher
) -> None:
    yard = forge.make_yard(launcher.socket)
    await launcher.close()
    begun = forge.begin(yard, replace(jobs.spec(SLEEP, level), job=f"{forge.TRIAL}{level}"), level, True)
    os.kill(begun.entry.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, begun.entry.pid, 0)
    begun.lines.end.close()
    left = [Path(one) for one in begun.entry.folders.values()]
    assert bool(left) == (level == "full")
    assert all(one.exists() for one in left)
    again = Launcher(launcher.socket, launcher.image)
    await again.open()
    try:
        assert not [one for one in left if one.exists()]
        assert await again.sweep(set()) == {}
    finally:
        await again.close()


async def test_a_sweep_spares_what_lives(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    living = await jobs.begun(jobs.spec(SLEEP, level))
    dying = await jobs.begun(jobs.spec(SLEEP, level))
    swept = await launcher.sweep({living.job})
    assert set(swept) == {dying.job}
    ended = await launcher.stop(living.job, "done")
    assert ended.state == "stopped"


async def test_a_late_sweep_takes_nobody_else_s_process_for_its_own(
    jobs: Jobs, level: Level, launcher: Launcher
) -> None:
    """The numbers of ended namespaces and sessions are given out again."""
    living = await jobs.begun(jobs.spec(SLEEP, level))
    yard = forge.make_yard(launcher.socket)
    (entry,) = yard.entries()
    task = watch.descendants(launcher.pid or 0)[-1]
    late = replace(entry, job="late", uid=entry.uid + entry.own_uid, folders={}, folder="", pid=0)
    seen = ends.clean(late).evidence
    assert seen["nothing_left"], seen
    assert watch.alive(task)
    assert (await launcher.stop(living.job, "done")).evidence["end"]["nothing_left"]


async def test_evidence_is_given_again_until_it_is_forgotten(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    ended = await jobs.done(jobs.spec("", level))
    assert (await launcher.wait(ended.job)).evidence == ended.evidence
    await launcher.forget(ended.job)
    assert await launcher.sweep(set()) == {}
