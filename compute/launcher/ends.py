"""What is left of a job, looked at from outside, and taken away: the same after a good end, a stop, and a crash.

Before a job's process exists its journal entry does: whoever starts next finds it and cleans.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from compute.launcher import staging
from compute.launcher.model import Json
from compute.sandbox import gate, watch
from compute.sandbox.cgroup import Group
from compute.sandbox.model import Level

_PATIENCE: Final = 10.0
_LAUNCHER: Final = "compute.launcher"


@dataclass(frozen=True, slots=True)
class Entry:
    """The journal of one job: all that cleaning needs. `uid` is the job's own only if `own_uid`."""

    job: str
    level: Level
    boot_id: str
    uid: int
    own_uid: bool
    folders: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    noswap: bool = False
    pid: int = 0
    started: int = 0
    session: int = 0
    pid_namespace: int = 0
    mount_namespace: int = 0

    def with_process(self, pid: int) -> "Entry":
        """The entry once the job's process runs."""
        return replace(self, pid=pid, started=watch.start_of(pid))

    def save(self, file: Path) -> None:
        """Writes the entry whole or not at all."""
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Entry":
        """The entry in `file`."""
        return cls(**json.loads(file.read_text()))

    @property
    def group(self) -> Group | None:
        """The job's control group, if it had one."""
        return Group(self.folders) if self.folders else None


@dataclass(frozen=True, slots=True)
class Remains:
    """What cleaning found: the evidence, and the meters' last word."""

    evidence: Json
    cpu_ms: int
    peak_mb: int
    out_of_memory: bool


def clean(entry: Entry, others: Iterable[int] = ()) -> Remains:
    """Ends whatever lives of a job, takes its places away, and says what an outsider sees then.

    `others` are the processes of living jobs: the kernel may give one of them a namespace number that this one had.
    """
    began = time.monotonic()
    foreign = {pid for other in others for pid in (other, *watch.descendants(other))}
    here = entry.boot_id == gate.kernel()["boot_id"]
    left = _end_processes(entry, foreign) if here else []
    group = entry.group
    meters = (group.cpu_ms(), group.peak_mb(), group.out_of_memory()) if group and here else (0, 0, False)
    folder_gone = staging.wipe(Path(entry.folder)) if entry.folder else True
    evidence = {
        **gate.kernel(),
        "recovered_after_reboot": not here,
        "processes_left": len(left),
        "group": "none" if group is None else "removed" if group.remove() else "not-empty",
        "mount_namespace": _namespace_left(entry, here, foreign),
        "place": ("wiped" if folder_gone else "not-wiped") if entry.folder else "gone-with-its-mount-namespace",
        "noswap": entry.noswap,
        "key": "gone-with-its-process" if not _lives(entry, here) else "process-lives",
        "clean_ms": round((time.monotonic() - began) * 1000, 3),
    }
    evidence["nothing_left"] = _nothing_left(evidence)
    return Remains(evidence, *meters)


def _nothing_left(seen: Json) -> bool:
    """The one line that a certificate leans on."""
    return bool(
        seen["processes_left"] == 0
        and seen["group"] != "not-empty"
        and seen["mount_namespace"] != "alive"
        and seen["place"] != "not-wiped"
        and seen["key"] == "gone-with-its-process"
    )


def _end_processes(entry: Entry, foreign: set[int]) -> list[int]:
    """Kills the job's process first: the kernel then takes the mounts, the plaintext and the walls with it."""
    if _lives(entry, True):
        with suppress(ProcessLookupError):
            os.kill(entry.pid, signal.SIGKILL)
    if entry.group:
        entry.group.kill()
    now = watch.ticks_now()
    return watch.kill_until_gone(lambda: _belonging(entry, foreign, now), _PATIENCE)


def _belonging(entry: Entry, foreign: set[int], now: int) -> list[int]:
    """Every process that can only be this job's. Numbers are used again: a process that began later is another's."""
    found = set(entry.group.processes()) if entry.group else set()
    if _lives(entry, True):
        found.add(entry.pid)
    if entry.own_uid:
        found.update(watch.of_user(entry.uid))
    alike: set[int] = set()
    if entry.pid_namespace:
        alike.update(watch.in_namespace("pid", entry.pid_namespace))
    if entry.level == "thin" and entry.session:
        alike.update(watch.session(entry.session))
    mine = {pid for pid in alike - foreign if watch.filtered(pid) and _ours(entry, pid, now)}
    return sorted(found | mine)


def _ours(entry: Entry, pid: int, now: int) -> bool:
    """True if a process that looks like this job's can be it: its user, its time, and not under another launcher.

    The kernel gives the number of a namespace that ended to the next one, within the second.
    """
    if not watch.began_between(pid, entry.started, now) or watch.user_of(pid) != entry.uid:
        return False
    launchers = [one for one in watch.ancestors(pid) if _LAUNCHER in watch.command_of(one)]
    return not launchers or launchers[0] == os.getpid()


def _lives(entry: Entry, here: bool) -> bool:
    if not here or not entry.pid:
        return False
    try:
        return watch.start_of(entry.pid) == entry.started and watch.alive(entry.pid)
    except OSError:
        return False


def _namespace_left(entry: Entry, here: bool, foreign: set[int]) -> str:
    if not entry.mount_namespace:
        return "none"
    now = watch.ticks_now()
    alike = set(watch.in_namespace("mnt", entry.mount_namespace)) - foreign if here else set()
    return "alive" if any(_ours(entry, pid, now) for pid in alike) else "gone"
