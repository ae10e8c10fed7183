"""The real process, killed at random moments; the next start carries on, withdraws the study and plays a new one.

DURE_KILLS says how often (5), DURE_SEED when (printed, so that a run can be repeated). Every second time the launcher
is killed with it: then nobody is left who could clear up before the next start.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import select

from compute.sandbox import watch
from compute.staging.model import Study as ZoneStudy
from connector.kit.db import Store
from connector.kit.leaks import scan
from connector.sources.eligible import identifiers
from connector.studies.model import Study
from tests.flows.evidence import certified, twice, unfinished

KILLS = int(os.environ.get("DURE_KILLS", "5"))
SEED = int(os.environ.get("DURE_SEED", str(random.randrange(1 << 30))))
#: Seconds of a play in which it is killed: it takes about a minute where nothing else runs.
EARLIEST, LATEST = 4.0, 55.0
NODES = ("op", "h01", "h03", "a02", "a03", "p01")
SCRIPT = Path(sys.executable).parent / "dure"
#: A process by its id and the moment at which it began.
Process = tuple[int, str]

pytestmark = pytest.mark.timeout(KILLS * 240 + 900)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A space of its own, removed at the end: it weighs some hundred MB."""
    yield tmp_path / "space"
    shutil.rmtree(tmp_path / "space", ignore_errors=True)


def test_after_every_kill_the_space_carries_on_and_nothing_happened_twice(folder: Path) -> None:
    chance = random.Random(SEED)
    print(f"\nDURE_SEED={SEED}")
    stratum = (LATEST - EARLIEST) / KILLS
    moments = [EARLIEST + stratum * (number + chance.random()) for number in range(KILLS)]
    chance.shuffle(moments)
    left: set[Process] = set()
    for number, seconds in enumerate(moments):
        left, row = killed_after(folder, seconds, left, launcher_too=number % 2 == 1)
        print(f"kill {number + 1} after {seconds:.1f} s, at {row}", flush=True)
    with started(folder, "--json") as process:
        ready(process, folder, left)
        printed, _ = process.communicate(timeout=900)
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    assert process.returncode == 0, printed[-4000:]
    assert lines, printed
    assert json.loads(lines[-1])["passed"], printed[-4000:]
    assert planted_outside(folder) == []
    with stores(folder) as found:
        whole(found)


def killed_after(folder: Path, seconds: float, left: set[Process], *, launcher_too: bool) -> tuple[set[Process], str]:
    """Starts the play, looks whether anything of the last one is left, and kills it after `seconds`.

    Returns the processes that it had, and the last row that it printed.
    """
    with started(folder, "--json") as process:
        begun = time.monotonic()
        if left:
            ready(process, folder, left)
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        had = [process.pid, *watch.descendants(process.pid)]
        family = {(pid, since(pid)) for pid in had}
        launchers = [pid for pid in had if b"compute.launcher" in command(pid)]
        process.send_signal(signal.SIGKILL)
        for pid in launchers if launcher_too else ():
            os.kill(pid, signal.SIGKILL)
        printed, _ = process.communicate(timeout=60)
    return family, printed.strip().rpartition("\n")[2][:120]


@contextmanager
def started(folder: Path, *options: str) -> "Iterator[subprocess.Popen[str]]":
    words = [str(SCRIPT), "up", "--exit", "--data", str(folder), *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ready(process: "subprocess.Popen[str]", folder: Path, left: Iterable[Process]) -> None:
    """Waits until the nodes answer; from then on nothing of the killed run may be left."""
    url = next(iter(json.loads((folder / "space.json").read_text())["nodes"].values()))["url"]
    end = time.monotonic() + 120
    while not answers(url):
        assert process.poll() is None, process.communicate()[0][-2000:]
        assert time.monotonic() < end, "not ready after two minutes"
        time.sleep(0.2)
    assert [pid for pid, began in left if since(pid) == began] == [], "processes of the killed run"
    assert planted_outside(folder) == []


def answers(url: str) -> bool:
    """Whether a node answers: then every node's start was begun; the zone's own was finished before its first task."""
    words = [sys.executable, "-c", f"import httpx; httpx.get('{url}/.well-known/did.json', trust_env=False)"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def since(pid: int) -> str:
    """When a process began; empty for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] == "Z" else stat[19]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def planted_outside(folder: Path) -> list[str]:
    """Planted identifiers outside the hospitals' folders, in files of the space and of this machine's shared places.

    The control: inside, they are found.
    """
    source = folder / "h01" / "source.sqlite"
    planted = identifiers(source)
    needles = {kind: set(sorted(planted[kind])[:300]) for kind in ("resident_number", "phone")}
    assert scan([source], needles).found, "the scan finds nothing where everything is: it proves nothing"
    zone = str(folder / "p01")
    places = [folder / node for node in ("op", "a02", "a03", "p01", "play")]
    places += [*Path("/dev/shm").glob("dure-*"), Path("/var/lib/dure/launchers")]
    outside = [path for place in places for path in place.rglob("*") if path.is_file() and looked_at(path)]
    assert any(str(path).startswith(zone) for path in outside)
    return [str(one) for one in scan(outside, needles).found]


def looked_at(path: Path) -> bool:
    """All but keys and doors; another test's work may come and go meanwhile."""
    return path.suffix not in (".pem", ".sock") and os.access(path, os.R_OK)


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
    for one in begun:
        assert twice(found, one.id) == []
        assert one.state in ("closed", "withdrawn"), (one.id, one.state)
    zoned = found["p01"].read_now(lambda session: session.exec(select(ZoneStudy)).all())
    assert zoned
    for study in zoned:
        assert study.state == "closed", (study.id, study.state)
        results = certified(found["p01"], study.id)
        assert study.id in results
        assert all(result.startswith("DELETED") for result in results.values()), results
        late = [line for line in unfinished(found, study.id) if "statement" not in line and "settlement" not in line]
        assert late == []
    print(f"{len(begun)} studies, {len(zoned)} of them in the zone")
