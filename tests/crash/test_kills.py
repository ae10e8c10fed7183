"""The real process, killed at random moments; the next start carries on, withdraws the study and plays a new one.

DURE_KILLS says how often (5), DURE_SEED when (printed, so that a run can be repeated).
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.kit.leaks import scan
from connector.sources.eligible import identifiers

KILLS = int(os.environ.get("DURE_KILLS", "5"))
SEED = int(os.environ.get("DURE_SEED", str(random.randrange(1 << 30))))
#: Seconds after which a play is killed at the latest: it takes about a minute where nothing else runs.
LATEST = 55.0
NODES = ("op", "h01", "h03", "a02", "a03", "p01")
SCRIPT = Path(sys.executable).parent / "dure"

pytestmark = pytest.mark.timeout(KILLS * 180 + 900)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A space of its own, removed at the end: it weighs some hundred MB."""
    yield tmp_path / "space"
    shutil.rmtree(tmp_path / "space", ignore_errors=True)


def started(folder: Path) -> "subprocess.Popen[str]":
    command = [str(SCRIPT), "up", "--exit", "--json", "--data", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed_after(folder: Path, seconds: float) -> str:
    """Starts the play, kills it with SIGKILL after `seconds`, and returns the last row that it printed."""
    process = started(folder)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    printed, _ = process.communicate(timeout=60)
    return printed.strip().rpartition("\n")[2][:120]


def rows(folder: Path, node: str, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / node / "node.sqlite") as database:
        return database.execute(query).fetchall()


def test_after_every_kill_the_space_carries_on_and_nothing_happened_twice(folder: Path) -> None:
    chance = random.Random(SEED)
    print(f"\nDURE_SEED={SEED}")
    for number in range(KILLS):
        seconds = chance.uniform(4.0, LATEST)
        print(f"kill {number + 1} after {seconds:.1f} s, at {killed_after(folder, seconds)}", flush=True)
    process = started(folder)
    printed, _ = process.communicate(timeout=900)
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    last = json.loads(lines[-1]) if lines else {}
    assert process.returncode == 0, printed[-4000:]
    assert last["passed"], printed[-4000:]

    for node in NODES:
        twice = Counter(rows(folder, node, "select type, about, author, counterparty from receipt"))
        assert [key for key, count in twice.items() if count > 1 and key[0] != "statement"] == []
    assert rows(folder, "op", "select study, count(*) from settlement_run group by 1 having count(*) > 1") == []
    unfinished = "select id, state from task where state != 'ended'"
    assert rows(folder, "p01", unfinished) == []
    assert _planted(folder) == []


def _planted(folder: Path) -> list[str]:
    """Planted identifiers outside the hospitals' folders. The control: inside, they are found."""
    source = folder / "h01" / "source.sqlite"
    planted = identifiers(source)
    needles = {kind: set(sorted(planted[kind])[:300]) for kind in ("resident_number", "phone")}
    assert scan([source], needles).found, "the scan finds nothing where everything is: it proves nothing"
    outside = [
        path
        for node in ("op", "a02", "a03", "p01", "play")
        for path in (folder / node).rglob("*")
        if path.is_file() and path.suffix not in (".pem", ".sock")
    ]
    return [str(one) for one in scan(outside, needles).found]
