"""How much memory the play takes at its peak: this process, the launcher and every task, shared pages counted once."""

import os
import threading
from pathlib import Path
from typing import Self

#: Seconds between looks: short enough to see a task, long enough to cost nothing.
INTERVAL = 0.4


class Peak:
    """Looks at the process tree while the block runs."""

    def __init__(self) -> None:
        self.mb = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(INTERVAL):
            self.mb = max(self.mb, sum(_pss(pid) for pid in _tree(os.getpid())) // 1024)


def _tree(root: int) -> list[int]:
    """`root` and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found, level = [], [root]
    while level:
        found += level
        level = [child for one in level for child in children.get(one, [])]
    return found


def _pss(pid: int) -> int:
    """Proportional memory in kB; 0 for a process that is gone or not ours to look at."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
