"""The real process, killed all over the play; the next start carries on, withdraws the study and plays a new one.

DURE_KILLS says how often (5), DURE_SEED when (printed, so that a run can be repeated). Every second time the launcher
is killed with it: then nobody is left who could clear up before the next start.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select

from compute.launcher.forge import make_yard
from compute.sandbox import watch
from compute.staging.model import Slot
from compute.staging.model import Study as ZoneStudy
from connector.kit.db import Store
from connector.kit.leaks import scan
from connector.play.scenario import ROWS
from connector.rights.model import PermitRow
from connector.sources.eligible import identifiers
from connector.studies.model import Study
from tests.flows.evidence import certified, twice, unfinished
from vocab.words import word

KILLS = int(os.environ.get("DURE_KILLS", "5"))
SEED = int(os.environ.get("DURE_SEED", str(random.randrange(1 << 30))))
#: Kills are spread over the play by what it has done, not by the clock: a slow machine would never reach its end.
ROWS_PLAYED = sum(row.built for row in ROWS.values()) - 4
NODES = ("op", "h01", "h03", "a02", "a03", "p01")
SCRIPT = Path(sys.executable).parent / "dure"
#: What is printed once all nodes are ready.
READY = word("play.ready", "en", seconds="|").split("|")[0]
#: A process by its id and the moment at which it began.
Process = tuple[int, str]

pytestmark = pytest.mark.timeout(KILLS * 600 + 1200)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A space of its own, removed at the end: it weighs some hundred MB."""
    yield tmp_path / "space"
    shutil.rmtree(tmp_path / "space", ignore_errors=True)


def test_after_every_kill_the_space_carries_on_and_nothing_happened_twice(folder: Path) -> None:
    chance = random.Random(SEED)
    print(f"\nDURE_SEED={SEED}")
    moments = [ROWS_PLAYED / KILLS * (number + chance.random()) for number in range(KILLS)]
    chance.shuffle(moments)
    left: set[Process] = set()
    for number, moment in enumerate(moments):
        with started(folder) as run:
            if moment < 1:
                time.sleep(moment * 8)
            else:
                copied = ready(run, folder, left)
                left = set()
                reached(run, int(moment))
                time.sleep(moment % 1 * 2 * (1 - moment / ROWS_PLAYED))  # its last rows take milliseconds
            left |= killed(run, launcher_too=number % 2 == 1)
            print(f"kill {number + 1} at {moment:.2f}: {run.last()}", flush=True)
        if moment >= 1:
            assert planted_outside(folder, copied) == []
    with started(folder) as run:
        copied = ready(run, folder, left)
        family = set()
        while run.process.poll() is None:
            family |= run.family()
            time.sleep(0.2)
    assert run.process.returncode == 0, run.printed()[-4000:]
    assert len(family) > 3
    assert left_over(folder, family) == []
    assert planted_outside(folder, copied) == []
    assert planted_outside(folder, copy_of_the_outside(folder)) == []
    with stores(folder) as found:
        whole(found)


@dataclass(frozen=True, slots=True)
class Run:
    """One `dure up --exit`, and where it prints."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def printed(self) -> str:
        return self.output.read_text()

    def rows(self) -> int:
        """How many rows of the play have passed."""
        return sum(self.printed().count(mark) for mark in "✓✗")

    def last(self) -> str:
        """What it printed last."""
        return ([line.strip() for line in self.printed().splitlines() if line.strip()] or ["nothing yet"])[-1][:100]

    def family(self) -> set[Process]:
        """It and its descendants."""
        return {(pid, since(pid)) for pid in (self.process.pid, *watch.descendants(self.process.pid))}


@contextmanager
def started(folder: Path) -> Iterator[Run]:
    output = folder.parent / "printed"
    words = [str(SCRIPT), "up", "--exit", "--lang", "en", "--data", str(folder)]
    with output.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield Run(process, output)
    finally:
        process.kill()
        process.wait()


def killed(run: Run, *, launcher_too: bool) -> set[Process]:
    """Kills it, and returns the processes that it had."""
    assert run.process.poll() is None, run.printed()[-4000:]
    family = run.family()
    launchers = [pid for pid, _ in family if "compute.launcher" in command(pid)]
    run.process.send_signal(signal.SIGKILL)
    for pid in launchers if launcher_too else ():
        os.kill(pid, signal.SIGKILL)
    run.process.wait()
    return family


def reached(run: Run, rows: int) -> None:
    """Waits until so many rows were played."""
    end = time.monotonic() + 600
    while run.rows() < rows:
        assert run.process.poll() is None, run.printed()[-4000:]
        assert time.monotonic() < end, f"not at row {rows}: {run.printed()[-2000:]}"
        time.sleep(0.05)


def ready(run: Run, folder: Path, left: Iterable[Process]) -> Path:
    """Waits until the nodes are ready; from then on nothing of the killed run may be left.

    Returns what then lay outside the hospitals: looking through it takes longer than the play.
    """
    end = time.monotonic() + 180
    while READY not in run.printed():
        assert run.process.poll() is None, run.printed()[-4000:]
        assert time.monotonic() < end, f"not ready: {run.printed()[-2000:]}"
        time.sleep(0.1)
    copied = copy_of_the_outside(folder)
    assert left_over(folder, left) == []
    return copied


def left_over(folder: Path, left: Iterable[Process]) -> list[str]:
    """What is left of a run that is over: its processes, its tasks' control groups, mounts and shared memory.

    The next run may be under way, but has no task yet.
    """
    yard = make_yard(folder / "p01" / "launcher.sock")
    groups = [str(one) for one in Path("/sys/fs/cgroup").glob(f"**/dure-{yard.name}-*")]
    mounts = [str(one) for one in Path("/proc").glob("[0-9]*/mountinfo") if yard.name in text_of(one)]
    alive = [f"process {pid}: {command(pid)!r}" for pid, began in left if began and since(pid) == began]
    memory = [str(one) for one in Path("/dev/shm").glob(f"dure-{yard.name}-*")]
    return [*alive, *groups, *mounts, *memory]


def since(pid: int) -> str:
    """When a process began; empty for one that is gone."""
    stat = text_of(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return "" if not stat or stat[0] == "Z" else stat[19]


def command(pid: int) -> str:
    return text_of(Path(f"/proc/{pid}/cmdline"))


def text_of(path: Path) -> str:
    """A file that may be gone by now."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def copy_of_the_outside(folder: Path) -> Path:
    """All files of the space outside the hospitals, and of its launcher, as they are now."""
    copied = folder.parent / "outside"
    shutil.rmtree(copied, ignore_errors=True)
    places = [folder / node for node in ("op", "a02", "a03", "p01", "play")]
    places += [make_yard(folder / "p01" / "launcher.sock").state]
    for number, path in enumerate(one for place in places for one in place.rglob("*") if looked_at(one)):
        target = copied / path.parent.name / f"{number}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the run clears up meanwhile
            shutil.copyfile(path, target)
    return copied


def planted_outside(folder: Path, copied: Path) -> list[str]:
    """Planted identifiers in what lay outside the hospitals. The control: inside, they are found."""
    source = folder / "h01" / "source.sqlite"
    planted = identifiers(source)
    needles = {kind: set(sorted(planted[kind])[:300]) for kind in ("resident_number", "phone")}
    assert scan([source], needles).found, "the scan finds nothing where everything is: it proves nothing"
    outside = [path for path in copied.rglob("*") if path.is_file()]
    assert any(path.name.endswith("node.sqlite") for path in outside)
    return [str(one) for one in scan(outside, needles).found]


def looked_at(path: Path) -> bool:
    """All but keys and doors."""
    return path.is_file() and path.suffix != ".pem" and os.access(path, os.R_OK)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, Store]]:
    found = {name: Store(f"sqlite:///{folder / name / 'node.sqlite'}") for name in NODES}
    try:
        yield found
    finally:
        for store in found.values():
            store.close()


def whole(found: Mapping[str, Store]) -> None:
    """Of every study: nothing twice, and what was withdrawn was certified and countersigned first."""
    studies = found["a02"].read_now(lambda session: session.exec(select(Study)).all())
    begun = [one for one in studies if one.state != "draft"]
    assert begun
    permits = found["a02"].read_now(lambda session: session.exec(select(PermitRow)).all())
    ran_out = {one.study for one in permits if one.until <= time.time() * 1000}
    for one in begun:
        assert twice(found, one.id) == []
        assert one.state in ("closed", "withdrawn") or one.id in ran_out, (one.id, one.state)
    zoned = found["p01"].read_now(lambda session: session.exec(select(ZoneStudy)).all())
    assert zoned
    slots = found["p01"].read_now(lambda session: session.exec(select(Slot)).all())
    crooked = {slot.study for slot in slots if slot.site == "crooked"}
    for study in zoned:
        # the crooked hand's key is nobody's to destroy: that study is wiped, and waits for its hospital's word
        states = ("closed", "wiped") if study.id in crooked else ("closed",)
        assert study.state in states, (study.id, study.state)
        if study.state == "wiped":
            certified(found["p01"], study.id)
            continue
        results = certified(found["p01"], study.id)
        assert study.id in results
        assert all(result.startswith("DELETED") for result in results.values()), results
        late = [line for line in unfinished(found, study.id) if "statement" not in line and "settlement" not in line]
        assert late == []
    print(f"{len(begun)} studies, {len(zoned)} of them in the zone")
