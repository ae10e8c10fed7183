"""Every door, tried from inside, under every level of the walls that this machine gives."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wallkit import Jobs, needed, until

from compute.images.manifest import Image
from compute.launcher.client import Launcher
from compute.launcher.model import JobSpec, Level
from compute.sandbox import watch

HERE = Path(__file__).parent
PLAIN = 65534
SLEEP = "import time, os; open(os.environ['DURE_OUT'] + '/up', 'w').close(); time.sleep(60)"
IPC = 0o1666


@pytest.fixture
def world(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Things outside that a task must not reach, all of them open to every user of this machine."""
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    abstract, named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0dure-{port}")
    abstract.listen()
    os.chdir(tmp_path)
    named.bind("socket")
    Path("socket").chmod(0o777)
    named.listen()
    libc = ctypes.CDLL(None)
    shared = libc.shmget(port, 4096, 0o1000 | 0o666)
    assert shared >= 0
    for name in ("secret", "own"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o666)
    yield {
        "port": port,
        "socket": str(tmp_path / "socket"),
        "secret": str(tmp_path / "secret"),
        "own_file": str(tmp_path / "own"),
        "open_folder": str(tmp_path),
        "launcher": os.getpid(),
        "other": os.getpid(),
        "other_folder": str(tmp_path),
        "walls": "user namespace",
    }
    libc.shmctl(shared, 0, None)
    for one in (tcp, abstract, named):
        one.close()


def hostile(jobs: Jobs, level: Level, world: dict[str, Any], folder: Path) -> JobSpec:
    (folder / "world.json").write_text(json.dumps(world))
    return jobs.spec(HERE / "hostile.py", level, plain={"world.json": str(folder / "world.json")})


def open_doors(spec: JobSpec) -> list[str]:
    found = json.loads(Path(spec.outputs, "doors.json").read_text())
    assert found["tried"] > 35
    opened: list[str] = found["open"]
    return opened


async def test_no_door_is_open(
    jobs: Jobs, level: Level, world: dict[str, Any], launcher: Launcher, tmp_path: Path
) -> None:
    other = await jobs.begun(jobs.spec(SLEEP, level, secret="patients"))
    pid = await until(lambda: running(launcher))
    world |= {"launcher": launcher.pid, "other": pid, "other_folder": thin_folder() or str(tmp_path)}
    spec = hostile(jobs, level, world, tmp_path)
    ended = await jobs.done(spec)
    assert ended.state == "complete", ended
    assert open_doors(spec) == []
    await launcher.stop(other.job, "done")


def thin_folder() -> str:
    """Where the other job lies, if its walls are thin."""
    return next((str(one) for one in Path("/dev/shm").glob("dure-*")), "")


def running(launcher: Launcher) -> int:
    """The process that sleeps inside the other job's walls, as the host knows it."""
    for pid in watch.descendants(launcher.pid or 0):
        program, *words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if program.endswith("/usr/bin/python3") and any(word.endswith("entry.py") for word in words):
            return pid
    return 0


def test_without_walls_the_same_probe_finds_the_doors_open(world: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text(json.dumps({**world, "walls": "none"}))
    place = {**os.environ, "DURE_IN": str(tmp_path), "DURE_OUT": str(tmp_path)}
    command = [sys.executable, "-I", str(HERE / "hostile.py"), "print"]
    done = subprocess.run(command, env=place, capture_output=True, text=True, check=True)
    opened = json.loads(done.stdout)["open"]
    always = {"host tcp", "udp", "abstract unix socket", "unix socket by path", "shared memory", "netlink"}
    always |= {"look at other processes", "signal the launcher", "read outside", "write outside"}
    always |= {"change modes outside", "change times outside", "gain privileges", "no filter", "another job's folder"}
    assert set(opened) >= always - {"no filter"}
    if os.geteuid() == 0:
        assert "capabilities" in opened
        assert "write /" in opened
        Path("/dure-was-here").unlink(missing_ok=True)
        Path("/dev/dure-was-here").unlink(missing_ok=True)


def alone(spec: JobSpec, level: Level, user_namespace: bool, folder: Path, prefix: list[str]) -> dict[str, Any]:
    """The job without a launcher, as someone else."""
    words = [level, "yes" if user_namespace else "no", str(folder)]
    command = [*prefix, str(HERE / "one_job.py"), *words]
    paths = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
    place = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    text = json.dumps(spec.to_json())
    done = subprocess.run(command, env=place, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="run: sudo (full walls need root)")
def test_no_door_is_open_where_user_namespaces_are_switched_off(
    image: Image, world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed(bool(shutil.which("bwrap")), "apt-get install bubblewrap")
    monkeypatch.chdir(Path(__file__).parents[3])
    spec = hostile(
        Jobs(Launcher(tmp_path, image.path), image, tmp_path), "full", {**world, "walls": "dropped inside"}, tmp_path
    )
    found = alone(spec, "full", False, tmp_path, [sys.executable])
    assert found.get("ended", {}).get("state") == "complete", found
    assert found["prepared"]["evidence"]["user_namespace"] is False
    assert open_doors(spec) == []
    assert found["end"]["nothing_left"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a plain user runs everything above as itself")
@pytest.mark.parametrize("level", ["user", "thin"])
def test_no_door_is_open_when_the_launcher_is_a_plain_user(
    level: Level, image: Image, world: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed(level == "thin" or bool(shutil.which("bwrap")), "apt-get install bubblewrap")
    python = f"/usr/bin/python3.{sys.version_info.minor}"
    needed(Path(python).exists(), f"apt-get install python3.{sys.version_info.minor}")
    monkeypatch.chdir(Path(__file__).parents[3])
    os.chown(world["own_file"], PLAIN, PLAIN)
    spec = hostile(Jobs(Launcher(tmp_path, image.path), image, tmp_path), level, world, tmp_path)
    own = tmp_path / "own-folder"
    own.mkdir()
    for path in (own, Path(spec.outputs)):
        os.chown(path, PLAIN, PLAIN)
    user = ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}", "--clear-groups"]
    found = alone(spec, level, True, own, [*user, python])
    assert found.get("ended", {}).get("state") == "complete", found
    assert found["prepared"]["evidence"]["host_uids"] == [PLAIN]
    assert open_doors(spec) == []
    assert found["end"]["nothing_left"]
