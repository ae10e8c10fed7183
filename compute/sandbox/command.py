"""The room that a task sees, and the bubblewrap arguments that build it (bwrap(1); research/compute.md 4.2).

All arguments travel through a descriptor and every source has a neutral name: a task can read `/proc/1/cmdline`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.sandbox.model import Level

ENTRY: Final = "/usr/lib/dure/entry.py"
PYTHON: Final = "/usr/bin/python3"
#: Descriptors of the process that becomes the walls.
DOOR, FILTER, ARGUMENTS = 3, 4, 5

_INSIDE: Final = "10001"
#: What a room has, by the name inside, and whether a task may write there.
_PLACES: Final = {"in": False, "code": False, "out": True}


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds a task: the level, its user on the host, and whether a user namespace is part of it."""

    level: Level
    uid: int
    user_namespace: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """Where the room's parts lie on the host. `number` counts the executors: each has its own /tmp and /dev/shm."""

    image: Path
    base: Path
    number: int = 0

    @property
    def tmp(self) -> Path:
        return self.base / f"tmp{self.number}"

    @property
    def shm(self) -> Path:
        return self.base / f"shm{self.number}"

    def outside(self, inside: str) -> str:
        """Where `inside` lies on the host; other words stay as they are."""
        head, _, rest = inside.removeprefix("/").partition("/")
        places = {"tmp": self.tmp, **{name: self.base / name for name in _PLACES}}
        places |= {name: self.image / name for name in ("usr", "bin", "lib")}
        if not inside.startswith("/") or head not in places:
            return inside
        return str(places[head] / rest) if rest else str(places[head])


def bwrap(room: Room, hold: Hold) -> list[str]:
    """The arguments that bubblewrap reads from `ARGUMENTS`."""
    return [*_walls(hold), *_sight(room)]


def first_program(room: Room, hold: Hold) -> list[str]:
    """What runs first inside: the entry, which shows itself and waits."""
    dropped_inside = hold.level == "full" and not hold.user_namespace
    words = [PYTHON, "-I", "-S", "-B", ENTRY, *([str(hold.uid)] if dropped_inside else [])]
    return [room.outside(word) for word in words] if hold.level == "thin" else words


def leave(room: Room, hold: Hold, arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """What the entry waits for: folder, count, arguments, environment."""
    words = [PYTHON if arguments[0] in ("python", "python3") else arguments[0], *arguments[1:]]
    places = {"DURE_IN": "/in", "DURE_OUT": "/out", "DURE_CODE": "/code", "DURE_TMP": "/tmp"}  # noqa: S108 - inside
    named = {**_ENVIRONMENT, **environment, **places, "HOME": "/tmp", "TMPDIR": "/tmp"}  # noqa: S108 - inside
    folder = "/out"
    if hold.level == "thin":
        words, folder = [room.outside(word) for word in words], room.outside(folder)
        named = {name: room.outside(value) for name, value in named.items()}
        named["LD_LIBRARY_PATH"] = str(room.image / "lib")
    parts = [folder, str(len(words)), *words, *(f"{name}={value}" for name, value in named.items())]
    return b"\0".join(part.encode() for part in parts) + b"\0\0"


_ENVIRONMENT: Final = {"PATH": "/usr/bin", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}


def _walls(hold: Hold) -> list[str]:
    if hold.user_namespace:
        words = f"--unshare-all --unshare-user --uid {_INSIDE} --gid {_INSIDE} --disable-userns --cap-drop ALL"
    else:
        words = """--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --cap-drop ALL
            --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP"""
    return [*words.split(), *f"--die-with-parent --new-session --hostname job --clearenv --seccomp {FILTER}".split()]


def _sight(room: Room) -> list[str]:
    """What is visible. A bind hides what was bound below it before, so the order matters."""
    words = ["--ro-bind", str(room.image), "/", "--proc", "/proc", "--dev", "/dev"]
    for name in ("/proc/kallsyms", "/proc/cmdline"):
        words += ["--ro-bind", "/dev/null", name]
    words += ["--bind", str(room.shm), "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - inside
    words += ["--bind", str(room.tmp), "/tmp"]  # noqa: S108 - inside
    for name, writable in _PLACES.items():
        words += ["--bind" if writable else "--ro-bind", str(room.base / name), f"/{name}"]
    return [*words, "--chdir", "/"]  # the entry goes on to /out, which only the task's user may enter
