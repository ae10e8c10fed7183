"""The installed script when this machine is in its way: one clear message with the remedy, exit status 3, no trace of
a stack, nothing half written; and when it is told to stop.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compute.sandbox import watch
from connector.evidence.model import Entry
from connector.kit.db import Store
from connector.kit.migrate import upgrade
from connector.play.space import Space, opened
from vocab.errors import catalogue
from vocab.words import word

SCRIPT = Path(sys.executable).parent / "dure"
HANGUL = re.compile("[가-힣]")


@dataclass
class Fault:
    """Something in the way: what is typed, what it must be answered with."""

    code: str
    words: list[str]
    #: Where nothing may change.
    folder: Path
    #: What the message must name, so that a person knows where to look.
    named: list[str]
    status: int = 3
    #: What starts the script: a mount namespace of its own, for disks that are not like this machine's.
    around: list[str] = field(default_factory=list)


def made(folder: Path) -> Space:
    """A space as the first `dure up` leaves it before its nodes start."""
    folder.mkdir()
    return opened(folder, None)


@contextmanager
def port_of_somebody_else(folder: Path) -> Iterator[Fault]:
    settings = made(folder).nodes["h03"]
    with socket.create_server((settings.host, settings.port)):
        yield Fault("port-taken", ["up", "--data", str(folder)], folder, [str(settings.port), "h03"])


@contextmanager
def chosen_port_of_somebody_else(folder: Path) -> Iterator[Fault]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = ["up", "--data", str(folder), "--port", str(port)]
        folder.mkdir()
        yield Fault("port-taken", words, folder, [str(port), "op"])


@contextmanager
def other_ports_than_its_own(folder: Path) -> Iterator[Fault]:
    kept = made(folder).nodes["op"].port
    wanted = kept - 1 if kept > 60_000 else kept + 1
    words = ["up", "--data", str(folder), "--port", str(wanted)]
    yield Fault("port-kept", words, folder, [str(kept), str(wanted), str(folder)])


@contextmanager
def another_dure_up(folder: Path) -> Iterator[Fault]:
    with started("up", "--data", str(folder)) as first:
        assert first.stdout
        assert str(folder) in first.stdout.readline()
        # the first one goes on writing: what must not change is somewhere else
        yield Fault("space-in-use", ["up", "--data", str(folder)], folder.parent / "elsewhere", [str(folder)])
        assert first.poll() is None, "the first one must not mind"


@contextmanager
def path_below_a_file(folder: Path) -> Iterator[Fault]:
    folder.mkdir()
    (folder / "file").write_text("x")
    yield Fault("space-unwritable", ["up", "--data", str(folder / "file" / "space")], folder, ["file"])


def _mounted(folder: Path, options: str) -> list[str]:
    """The words that start a command where `folder` is a disk of its own. Skips where no mount can be made."""
    folder.mkdir()
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    around = [*unshare, "sh", "-c", f'mount -t tmpfs -o {options} none "$0" && exec "$@"', str(folder)]
    tried = shutil.which("unshare") and subprocess.run([*around, "true"], check=False, capture_output=True)
    if not tried or tried.returncode:
        pytest.skip("this machine lets nobody mount: a full or read-only disk cannot be made")
    return around


@contextmanager
def read_only_disk(folder: Path) -> Iterator[Fault]:
    around = _mounted(folder, "ro")
    yield Fault(
        "space-unwritable", ["up", "--data", str(folder / "space")], folder, [str(folder / "space")], around=around
    )


@contextmanager
def small_disk(folder: Path) -> Iterator[Fault]:
    around = _mounted(folder, "size=4m")
    yield Fault("space-too-small", ["up", "--data", str(folder)], folder, [str(folder), "1500 MB"], around=around)


@contextmanager
def full_disk(folder: Path) -> Iterator[Fault]:
    """Not a byte left: not even the folder can be made."""
    around = _mounted(folder, "size=4m,nr_inodes=1")
    words = ["up", "--data", str(folder / "space")]
    yield Fault("space-unwritable", words, folder, [str(folder / "space")], around=around)


@contextmanager
def clock_behind_the_records(folder: Path) -> Iterator[Fault]:
    space = made(folder)
    store = Store(space.nodes["op"].database_url)
    try:
        upgrade(store.engine, "connector.migrations")
        with store.engine.begin() as connection:
            later = {"at": round(time.time() * 1000) + 3_600_000, "kind": "later", "outcome": "done", "values": {}}
            connection.execute(Entry.__table__.insert().values(**later))  # type: ignore[attr-defined]
    finally:
        store.close()
    words = ["up", "--data", str(folder)]
    yield Fault("clock-behind", words, folder, ["op", time.strftime("%Y-", time.gmtime())])


@contextmanager
def clock_behind_for_one_node(folder: Path) -> Iterator[Fault]:
    with clock_behind_the_records(folder) as fault:
        fault.words = ["run", str(folder / "op" / "settings.toml")]
        yield fault


@contextmanager
def unknown_setting(folder: Path) -> Iterator[Fault]:
    made(folder)
    file = folder / "h01" / "settings.toml"
    file.write_text('colour = "red"\n' + file.read_text())
    yield Fault("setting-unknown", ["run", str(file)], folder, ["colour", str(file)])


@contextmanager
def no_settings(folder: Path) -> Iterator[Fault]:
    folder.mkdir()
    yield Fault("settings-invalid", ["run", str(folder / "none.toml")], folder, ["none.toml"])


@contextmanager
def unknown_option(folder: Path) -> Iterator[Fault]:
    folder.mkdir()
    yield Fault("option-unknown", ["up", "--data", str(folder), "--colour"], folder, ["--colour"], status=2)


FAULTS = (
    port_of_somebody_else,
    chosen_port_of_somebody_else,
    other_ports_than_its_own,
    another_dure_up,
    path_below_a_file,
    read_only_disk,
    small_disk,
    full_disk,
    clock_behind_the_records,
    clock_behind_for_one_node,
    unknown_setting,
    no_settings,
    unknown_option,
)
#: Those of which programs hear too; `dure run` speaks to people and logs.
TOLD = (port_of_somebody_else, another_dure_up, path_below_a_file, small_disk, clock_behind_the_records, unknown_option)
Made = Callable[[Path], AbstractContextManager[Fault]]


def named(call: Made) -> str:
    return call.__name__.replace("_", "-")


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_what_is_in_the_way_is_one_message_with_its_remedy(tmp_path: Path, fault: Made) -> None:
    with fault(tmp_path / "space") as found:
        before = lying(found.folder)
        done = typed(tmp_path, found, "--lang", "ko")
        assert lying(found.folder) == before
    assert done.returncode == found.status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout in ("", title(done.stdout))
    first, *rest = done.stderr.splitlines()
    assert first.startswith(found.code + "  ")
    assert HANGUL.search(first)
    assert [name for name in found.named if name not in first] == []
    assert rest[-1].startswith("  할 일: ")
    assert HANGUL.search(rest[-1].removeprefix("  할 일: "))
    assert all(line.startswith("  ") for line in rest)


@pytest.mark.parametrize("fault", TOLD, ids=named)
def test_programs_get_it_as_one_json_object(tmp_path: Path, fault: Made) -> None:
    with fault(tmp_path / "space") as found:
        done = typed(tmp_path, found, "--json", "--lang", "en")
    assert done.returncode == found.status, done.stdout + done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert (said["code"], said["exit"]) == (found.code, found.status)
    assert [name for name in found.named if name not in said["what"]] == []
    assert said["do"]
    assert said["what"] != catalogue()[found.code].en or not found.named
    assert not HANGUL.search(line)


def typed(folder: Path, fault: Fault, *more: str) -> "subprocess.CompletedProcess[str]":
    """Types it, in a world whose locale says neither language."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    (folder / "tmp").mkdir()
    done = subprocess.run(
        [*fault.around, str(SCRIPT), *fault.words, *more],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**environment, "TMPDIR": str(folder / "tmp"), "PYTHONIOENCODING": "utf-8"},
    )
    assert list((folder / "tmp").glob("dure-bug-*")) == [], "a fault of the machine is none of ours"
    return done


def title(printed: str) -> str:
    """What `dure up` says first."""
    return printed if len(printed.splitlines()) <= 1 else ""


def lying(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything in a folder but what every start looks at or lays ready: the lock, the log, databases, whole keys."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
        if path.name not in (".lock", "dure.log") and path.parent.name != "keys" and "node.sqlite" not in path.name
    }


def family(root: int) -> set[tuple[int, str]]:
    """A process and everything below it, each with the moment at which it began: numbers are used again."""
    return {(pid, since(pid)) for pid in [root, *watch.descendants(root)]}


def since(pid: int) -> str:
    """When a process began; empty for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] == "Z" else stat[19]


@contextmanager
def started(*words: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen([SCRIPT, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def stopped(process: "subprocess.Popen[str]", by: signal.Signals) -> str:
    """What it still printed; nothing of it may be left."""
    had = family(process.pid)
    process.send_signal(by)
    printed, _ = process.communicate(timeout=60)
    assert "Traceback" not in printed
    assert [pid for pid, began in had if since(pid) == began] == [], "processes are left"
    return printed


def test_a_node_stops_when_it_is_told_to(tmp_path: Path) -> None:
    made(tmp_path / "space")
    with started("run", str(tmp_path / "space" / "h01" / "settings.toml"), "--lang", "en") as process:
        assert process.stdout
        assert "h01" in process.stdout.readline()
        printed = stopped(process, signal.SIGTERM)
    assert process.returncode == 0, printed


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_play_stops_where_it_is_and_leaves_no_process(tmp_path: Path, by: signal.Signals) -> None:
    with started("up", "--exit", "--json", "--data", str(tmp_path / "space"), "--lang", "en") as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["outcome"] == "done"  # nodes, launcher and a trial are there
        assert len(family(process.pid)) > 1
        printed = stopped(process, by)
    assert process.returncode == 128 + by
    last = json.loads(printed.splitlines()[-1])
    assert last["passed"] is False
    assert last["ready_s"] > 0


@pytest.mark.slow
def test_a_disk_that_fills_up_under_the_play_ends_it_with_the_remedy(tmp_path: Path) -> None:
    """The nodes live on a disk of their own, which somebody fills while they work."""
    folder = tmp_path / "space"
    around = _mounted(folder, "size=1600m")
    process = subprocess.Popen(
        [*around, SCRIPT, "up", "--exit", "--data", str(folder), "--lang", "en"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        ready = word("play.ready", "en", seconds=0).partition("0")[0].strip()
        while ready not in (line := process.stdout.readline()):
            assert line, process.stderr and process.stderr.read()
        filler = Path(f"/proc/{process.pid}/root{folder}/filler")
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(1600 << 20))
        printed, problem = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in printed + problem
    assert problem.startswith("store-failed  "), printed + problem
    assert process.returncode == 3
