"""Control groups, version 1 and 2: what all processes of a task together may use, frozen and killed as one.

Version 2 wants its controllers switched on above us, which a container may forbid: then there is no group, and
`Group.made` says so by returning None.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.sandbox.model import Limits

_ROOT: Final = Path("/sys/fs/cgroup")
_ONE: Final[tuple[str, ...]] = ("memory", "pids", "cpu", "cpuacct", "freezer")
_NEEDED: Final[tuple[str, ...]] = ("memory", "pids", "freezer")
_PERIOD: Final = 100_000
_MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one task: folders by controller (version 1), or one folder under the name `unified` (version 2)."""

    folders: dict[str, str]

    @classmethod
    def named(cls, name: str) -> "Group":
        """Where a group of this name would be: to be written down before it is made."""
        return cls(_places(name))

    def made(self, limits: Limits) -> "Group | None":
        """The group, new and with its limits set, or None where this process may not make one."""
        if not self.folders:
            return None
        try:
            for folder in self.folders.values():
                Path(folder).mkdir()
            self._limit(limits)
        except OSError:
            self.remove()
            return None
        return self

    @property
    def version(self) -> str:
        """`v1` or `v2`."""
        return "v2" if "unified" in self.folders else "v1"

    def _file(self, controller: str, name: str) -> Path:
        return Path(self.folders.get("unified") or self.folders[controller]) / name

    def _limit(self, limits: Limits) -> None:
        memory, quota = str(limits.memory_mb * _MB), str(limits.cpus * _PERIOD)
        if self.version == "v2":
            self._file("memory", "memory.max").write_text(memory)
            self._file("memory", "memory.swap.max").write_text("0")
            self._file("memory", "memory.oom.group").write_text("1")
            self._file("cpu", "cpu.max").write_text(f"{quota} {_PERIOD}")
        else:
            self._file("memory", "memory.limit_in_bytes").write_text(memory)
            if "cpu" in self.folders:
                self._file("cpu", "cpu.cfs_quota_us").write_text(quota)
        self._file("pids", "pids.max").write_text(str(limits.processes))

    def take(self, pids: list[int]) -> None:
        """Puts `pids` in. One that is gone needs no place."""
        for door in self._doors():
            for pid in pids:
                with suppress(ProcessLookupError):
                    door.write_text(str(pid))

    def holds(self, pid: int) -> bool:
        """True if `pid` is in every folder of the group."""
        return all(str(pid) in door.read_text().split() for door in self._doors())

    def _doors(self) -> list[Path]:
        return [Path(folder) / "cgroup.procs" for folder in self.folders.values()]

    def processes(self) -> set[int]:
        """Who is in it, as seen from here."""
        found: set[int] = set()
        for door in self._doors():
            with suppress(OSError):
                found.update(int(line) for line in door.read_text().split())
        return found

    def freeze(self, frozen: bool) -> None:
        """Stops or continues every process in it."""
        if self.version == "v2":
            self._file("freezer", "cgroup.freeze").write_text(str(int(frozen)))
        else:
            self._file("freezer", "freezer.state").write_text("FROZEN" if frozen else "THAWED")

    def kill(self) -> None:
        """Ends every process in it, frozen or not, until none is left or a second has passed."""
        for _ in range(200):
            with suppress(OSError):
                self._file("freezer", "cgroup.kill").write_text("1")
            left = self.processes()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                self.freeze(False)
            if not left:
                return
            time.sleep(0.005)

    def peak_mb(self) -> int:
        """The most memory that was in use at once; 0 where the kernel does not say."""
        return (self._number("memory.peak") or self._number("memory.max_usage_in_bytes")) >> 20

    def cpu_ms(self) -> int:
        """Processor time of all that ever ran in it."""
        used = self._words("cpu", "cpu.stat").get("usage_usec")
        return used // 1000 if used is not None else self._number("cpuacct.usage") // 1_000_000

    def out_of_memory(self) -> bool:
        """True if the kernel killed something in it for memory."""
        words = self._words("memory", "memory.events") or self._words("memory", "memory.oom_control")
        return words.get("oom_kill", 0) > 0

    def remove(self) -> bool:
        """Takes the group away. False if something stayed in it for a second."""
        return all(_removed(Path(folder)) for folder in self.folders.values())

    def _number(self, name: str) -> int:
        with suppress(OSError, KeyError, ValueError):
            return int(self._file(name.partition(".")[0], name).read_text())
        return 0

    def _words(self, controller: str, name: str) -> dict[str, int]:
        with suppress(OSError, KeyError, ValueError):
            lines = self._file(controller, name).read_text().split("\n")
            return {key: int(value) for key, _, value in (line.partition(" ") for line in lines if line)}
        return {}


def _places(name: str) -> dict[str, str]:
    """Where a group of this name would lie: below our own group in version 1, at the top in version 2."""
    if (_ROOT / "cgroup.controllers").exists():
        switches = _ROOT / "cgroup.subtree_control"
        with suppress(OSError):
            switches.write_text("+memory +pids +cpu")
        with suppress(OSError):
            if {"memory", "pids", "cpu"} <= set(switches.read_text().split()):
                return {"unified": str(_ROOT / name)}
        return {}
    own = dict(_own())
    found = {one: str(own[one] / name) for one in _ONE if one in own}
    return found if all(one in found for one in _NEEDED) else {}


def _own() -> Iterator[tuple[str, Path]]:
    """The folder of this process's own group, by controller; the top where the path is not ours to see."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for one in filter(None, controllers.split(",")):
            top = _ROOT / one
            own = top / path.lstrip("/")
            if os.access(own, os.W_OK):
                yield one, own
            elif os.access(top, os.W_OK):
                yield one, top


def _removed(folder: Path) -> bool:
    """The kernel calls a group busy until the last of its dead was collected."""
    for _ in range(200):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            time.sleep(0.005)
        else:
            return True
    return False
