"""A task takes no more than its limits, whatever it tries, and its end is its end."""

import asyncio

from wallkit import Jobs, left, until

from compute.launcher.client import Launcher
from compute.launcher.model import Level, Limits
from compute.sandbox import watch

FORKS = """
import os, time
made = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except OSError:
    pass
open(os.environ["DURE_OUT"] + "/made", "w").write(str(made))
os.kill(os.getpid(), 9) if made >= 400 else os._exit(0)
"""

MEMORY = """
import os
kept = []
for _ in range(600):
    kept.append(bytearray(os.urandom(1 << 20)))
"""

SHARED_MEMORY = """
import mmap, os
kept = []
for _ in range(600):
    kept.append(mmap.mmap(-1, 1 << 20))
    kept[-1].write(os.urandom(1 << 20))
"""

FILES = """
import os
where = os.environ["{place}"]
try:
    for number in range(200000):
        open(f"{{where}}/{{number}}", "w").close()
except OSError as error:
    os._exit(7)
"""

DISK = """
import os
where, left = os.environ["DURE_OUT"], 2000
try:
    for number in range(200):
        with open(f"{where}/{number}", "wb") as file:
            for _ in range(10):
                file.write(bytes(1 << 20))
                left -= 1
except OSError:
    os._exit(7)
"""

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for depth in range(3):
    if os.fork() == 0:
        try:
            os.setsid()
        except OSError:
            pass
        if os.fork():
            os._exit(0)
        break
open(os.environ["DURE_OUT"] + "/up", "w").close()
while True:
    time.sleep(0.01)
"""

SPIN = "while True: pass"


async def test_a_fork_bomb_stops_at_its_own_limit(jobs: Jobs, level: Level) -> None:
    spec = jobs.spec(FORKS, level, limits=Limits(1, 512, 60, 4, 40))
    ended = await jobs.done(spec)
    assert ended.evidence["end"]["nothing_left"]
    assert ended.state in ("complete", "executor-error")  # the second where the watcher was faster
    assert int(left(spec).get("made", "0")) <= 42


async def test_a_memory_bomb_dies_alone(jobs: Jobs, level: Level) -> None:
    for bomb in (MEMORY, SHARED_MEMORY):
        ended = await jobs.done(jobs.spec(bomb, level, limits=Limits(1, 160, 60, 4, 40)))
        assert ended.state == "memory", ended
        assert ended.peak_mb <= 320
        assert ended.outputs == []
        assert ended.evidence["end"]["nothing_left"]


async def test_a_flood_of_files_stops_before_the_kernel_feels_it(jobs: Jobs, level: Level) -> None:
    if level == "thin":
        return  # no mounts of its own: the node's disk quota holds it, and thin takes synthetic data only
    for place in ("DURE_OUT", "DURE_TMP"):
        ended = await jobs.done(jobs.spec(FILES.format(place=place), level))
        assert ended.exit_codes == [7]


async def test_no_file_is_longer_and_all_files_together_are_no_longer_than_allowed(jobs: Jobs, level: Level) -> None:
    spec = jobs.spec(DISK, level, limits=Limits(1, 512, 60, 8, 40))
    ended = await jobs.done(spec)
    assert ended.exit_codes == [7]
    assert ended.outputs == []


async def test_a_task_that_ignores_every_signal_ends_at_its_deadline(jobs: Jobs, level: Level) -> None:
    ended = await jobs.done(jobs.spec(STUBBORN, level, limits=Limits(1, 256, 1, 4, 40)))
    assert ended.state == "expired"
    assert ended.evidence["end"]["processes_left"] == 0
    assert ended.evidence["end"]["nothing_left"]


async def test_stop_ends_orphans_too(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    spec = await jobs.begun(jobs.spec(STUBBORN, level))
    await until(lambda: len(watch.descendants(launcher.pid or 0)) > 3)
    ended = await launcher.stop(spec.job, "the hospital pressed Stop")
    assert (ended.state, ended.reason) == ("stopped", "the hospital pressed Stop")
    assert ended.evidence["end"]["stop_ms"] < 10_000
    assert ended.evidence["end"]["nothing_left"]
    assert [pid for pid in watch.descendants(launcher.pid or 0) if watch.alive(pid)] == []


async def test_a_frozen_task_uses_no_time_until_it_is_thawed(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    spec = await jobs.begun(jobs.spec(SPIN, level))

    def used() -> int:
        return watch.use(watch.descendants(launcher.pid or 0)).cpu_ms

    await until(lambda: used() > 300)
    await launcher.freeze(spec.job)
    frozen = used()
    await asyncio.sleep(1.0)
    assert used() - frozen < 200  # the job's own process looks on, that is all
    await launcher.thaw(spec.job)
    await until(lambda: used() - frozen > 600)
    await launcher.freeze(spec.job)
    ended = await launcher.stop(spec.job, "lease")
    assert ended.evidence["end"]["nothing_left"]
    assert ended.cpu_ms > 200


async def test_what_a_task_prints_is_counted_and_kept_inside(jobs: Jobs, level: Level) -> None:
    code = "import sys; sys.stdout.write('x' * 200_000); sys.stderr.write('patient')"
    ended = await jobs.done(jobs.spec(code, level))
    assert ended.printed == [[200_000, 7]]
    assert ended.texts == []
    assert "patient" not in str(ended)
    trusted = await jobs.done(jobs.spec(code, level, trusted=True))
    assert trusted.texts == ["x" * 65_536, "patient"]
