"""Walls that stand: the process that becomes them, the one that waits inside, and how both end."""

import fcntl
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from compute.sandbox import filter as calls
from compute.sandbox import gate, kernel, landlock, limits, watch
from compute.sandbox.cgroup import Group
from compute.sandbox.command import ARGUMENTS, DOOR, FILTER, Hold, Room, bwrap, first_program, leave
from compute.sandbox.model import Json, Limits
from vocab.errors import Refusal

_PATIENCE: Final = 20.0  # seconds until the first word from inside; a loaded machine needs a few
_CREDENTIALS: Final = struct.Struct("iII")
_LOADERS: Final = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
_HIGH: Final = 100
#: By controller (none: version 2), the files of a group that say its limits.
_LIMITS: Final = {
    "": ("memory.max", "cpu.max"),
    "memory": ("memory.limit_in_bytes",),
    "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
}


@dataclass(slots=True)
class Standing:
    """Walls around one executor. `main` is what we started, `inside` the process that waits, `evidence` the gate's."""

    room: Room
    hold: Hold
    main: int
    door: socket.socket
    stdout: int
    stderr: int
    inside: int = 0
    evidence: Json = field(default_factory=dict)

    def let_in(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """The process inside becomes the task."""
        self.door.sendall(leave(self.room, self.hold, arguments, environment))
        self.door.close()

    def pull_down(self, group: Group | None) -> bool:
        """Kills everything inside, frozen or not. True if nothing is left."""
        with suppress(OSError):
            self.door.close()
        if group:
            group.kill()
        with suppress(OSError):
            os.kill(self.main, signal.SIGKILL)
        return not watch.kill_until_gone(lambda: watch.descendants(os.getpid()), 5.0)


def raise_walls(room: Room, hold: Hold, allowed: Limits, group: Group | None, host: dict[str, int]) -> Standing:
    """Puts up the walls and looks at them from outside. Raises `Refusal("gate-failed")`, with nothing left standing."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    program = calls.program(thin=hold.level == "thin", signals=landlock.abi() >= landlock.SIGNALS)
    parent = os.getpid()
    counted = watch.threads(watch.of_user(hold.uid)) if hold.level == "thin" else 0
    main = os.fork()
    if main == 0:
        _become(room, hold, allowed, group is not None, (theirs.detach(), out_end, err_end), program, parent, counted)
    theirs.close()
    os.close(out_end)
    os.close(err_end)
    standing = Standing(room, hold, main, ours, out, err)
    try:
        if group:  # while the walls go up: the first entry into a group costs as much as the walls (rcu)
            group.take([main])
        _first_word(standing)
        if group:
            group.take(watch.descendants(main))
        standing.evidence = gate.look(standing.inside)
        if wrong := gate.faults(standing.evidence, host, hold, group):
            raise Refusal("gate-failed", why=", ".join(wrong))
    except BaseException:
        standing.pull_down(group)
        raise
    return standing


def _first_word(standing: Standing) -> None:
    """Waits for the process inside and learns from the kernel who it is."""
    standing.door.settimeout(_PATIENCE)
    try:
        word, extra, _, _ = standing.door.recvmsg(8192, socket.CMSG_SPACE(_CREDENTIALS.size))
    except TimeoutError:
        raise Refusal("gate-failed", why="silence") from None
    if not word:
        raise Refusal("gate-failed", why=_complaint(standing) or "it died")
    for level, kind, value in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            standing.inside, _, _ = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])
    standing.door.settimeout(5.0)
    if not standing.inside:
        raise Refusal("gate-failed", why="nobody")


def _complaint(standing: Standing) -> str:
    """The last line that the walls wrote before they fell."""
    text, until = b"", time.monotonic() + 1.0
    while len(text) < 4096 and select.select([standing.stderr], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(standing.stderr, 4096)
        if not piece:
            break
        text += piece
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def _become(
    room: Room,
    hold: Hold,
    allowed: Limits,
    grouped: bool,
    ends: tuple[int, int, int],
    program: bytes,
    parent: int,
    counted: int,
) -> NoReturn:
    """The child: takes its limits, gives up its user, and becomes the walls. Never returns."""
    try:
        _descriptors(ends, program, b"\0".join(word.encode() for word in bwrap(room, hold)))
        limits.apply(allowed, processes=allowed.processes + counted, grouped=grouped)
        os.umask(0o077)
        if os.geteuid() == 0 and (hold.user_namespace or hold.level == "thin"):
            os.setgroups([])
            os.setresgid(hold.uid, hold.uid, hold.uid)
            os.setresuid(hold.uid, hold.uid, hold.uid)
        kernel.die_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        words = first_program(room, hold)
        if hold.level == "thin":
            _thin(room, program)
            os.execve(words[0], words, {"LD_LIBRARY_PATH": str(room.image / "lib")})  # noqa: S606
        os.execvpe("bwrap", ["bwrap", "--args", str(ARGUMENTS), "--", *words], {"PATH": os.defpath})  # noqa: S606
    except BaseException as error:  # noqa: BLE001 - the last thing this process does is to say why
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(126)


def _descriptors(ends: tuple[int, int, int], program: bytes, arguments: bytes) -> None:
    """0 nothing, 1 and 2 the pipes, then door, filter, arguments; all others closed."""
    door, out, err = ends
    given = {0: os.open("/dev/null", os.O_RDONLY), 1: out, 2: err, DOOR: door}
    given |= {FILTER: _memory(program), ARGUMENTS: _memory(arguments)}
    moved = {target: fcntl.fcntl(fd, fcntl.F_DUPFD, _HIGH) for target, fd in given.items()}
    for target, fd in moved.items():
        os.dup2(fd, target, inheritable=True)
    os.closerange(ARGUMENTS + 1, 1 << 20)


def _memory(content: bytes) -> int:
    fd = os.memfd_create("x")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _own_limits() -> list[Path]:
    """The files that say our own group's limits: DuckDB reads them when it starts, and dies where it may not."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller, names in _LIMITS.items():
            if controller in controllers.split(","):
                group = Path("/sys/fs/cgroup") / controller / path.lstrip("/")
                found += [group / name for name in names if (group / name).is_file()]
    return found


def _thin(room: Room, program: bytes) -> None:
    """Landlock and the filter around this process; its session is what a sweep knows it by."""
    os.setsid()
    os.closerange(FILTER, ARGUMENTS + 1)
    os.chdir(room.base / "out")
    loader = [Path(one) for one in _LOADERS if Path(one).exists()]
    read = [room.image, room.base / "in", room.base / "code", Path("/proc/self"), Path("/dev/urandom"), *loader]
    read += _own_limits()
    landlock.restrict(read, [room.base / "out", room.tmp, room.shm, Path("/dev/null")])
    kernel.load_filter(program)
