"""Who belongs to a task and what they use, where no control group says so: read from /proc."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Use:
    """What a task's processes use at this moment."""

    processes: int
    memory_mb: int
    cpu_ms: int


def descendants(root: int) -> list[int]:
    """`root`'s children and theirs, nearest first, `root` not among them."""
    found, waiting = [], [root]
    while waiting:
        for child in _children(waiting.pop(0)):
            found.append(child)
            waiting.append(child)
    return found


def session(sid: int) -> list[int]:
    """Every process of session `sid`. A task in thin walls cannot leave its session."""
    return [pid for pid in _all() if _session_of(pid) == sid]


def of_user(uid: int) -> list[int]:
    """Every process of host user `uid`."""
    return [pid for pid in _all() if user_of(pid) == uid]


def in_namespace(kind: str, inode: int) -> list[int]:
    """Every process that lives in the namespace `inode` and that we may look at."""
    found = []
    for pid in _all():
        with suppress(OSError):
            if (_PROC / str(pid) / "ns" / kind).stat().st_ino == inode:
                found.append(pid)
    return found


def use(pids: list[int]) -> Use:
    """What `pids` use together; shared memory counts for each who maps it."""
    memory = cpu = 0
    for pid in pids:
        with suppress(OSError, ValueError, KeyError):
            status = status_of(pid)
            memory += sum(int(status.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem"))
            cpu += sum(int(word) for word in _stat(pid)[11:15])  # own and waited-for children, user and system
    return Use(len(pids), memory // 1024, cpu * 1000 // _TICKS)


def threads(pids: list[int]) -> int:
    """How many threads `pids` have: what RLIMIT_NPROC counts for a user."""
    found = 0
    for pid in pids:
        with suppress(OSError, KeyError):
            found += int(status_of(pid)["Threads"])
    return found


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Sends `number` to each of `pids` that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_until_gone(seek: Callable[[], list[int]], seconds: float) -> list[int]:
    """Kills what `seek` finds until it finds nothing; returns what was left after `seconds`."""
    until = time.monotonic() + seconds
    while left := [pid for pid in seek() if alive(pid)]:
        signal_all(left, signal.SIGKILL)
        _reap()
        if time.monotonic() > until:
            return left
        time.sleep(0.003)
    _reap()
    return []


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status as words."""
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def start_of(pid: int) -> int:
    """When `pid` started, in ticks since boot: with it a number used again is not taken for the old process."""
    return int(_stat(pid)[19])


def ticks_now() -> int:
    """Now, on the clock of `start_of`."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


def began_between(pid: int, since: int, until: int) -> bool:
    """True if `pid` lives and began between two ticks."""
    try:
        return since <= start_of(pid) <= until
    except OSError:
        return False


def filtered(pid: int) -> bool:
    """True if a system call filter holds `pid`."""
    try:
        return status_of(pid).get("Seccomp") == "2"
    except OSError:
        return False


def ancestors(pid: int) -> list[int]:
    """The parents of `pid`, nearest first."""
    found: list[int] = []
    with suppress(OSError):
        while (pid := int(_stat(pid)[1])) > 1:
            found.append(pid)
    return found


def command_of(pid: int) -> str:
    """The words that `pid` was started with; empty if it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat after the name, which may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def alive(pid: int) -> bool:
    """True if `pid` is a process that could still do something."""
    try:
        return _stat(pid)[0] not in "ZX"
    except OSError:
        return False


def _session_of(pid: int) -> int:
    try:
        return int(_stat(pid)[3])
    except OSError:
        return -1


def user_of(pid: int) -> int:
    """The host user of `pid`; -1 if it is gone."""
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        return -1


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                found += [int(word) for word in (thread / "children").read_text().split()]
    return found


def _all() -> list[int]:
    return [int(one.name) for one in _PROC.iterdir() if one.name.isdigit()]


def _reap() -> None:
    """Collects our own dead children, so that they do not look alive."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
