"""A host user for every job that no other process has: root only. Two launchers on one machine share the counter."""

import fcntl
import os
from pathlib import Path
from typing import Final

from compute.sandbox import watch

#: First of each range, best first: above what systemd and container tools hand out; inside a small container's map.
_FIRST: Final = (1_879_048_192, 50_000)
_COUNT: Final = 10_000


def fresh_uid(counter: Path) -> int:
    """A uid that nothing runs as, and that was not given out lately."""
    counter.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    first = _first()
    fd = os.open(counter, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        last = int(os.read(fd, 32) or b"0")
        for step in range(1, _COUNT):
            number = (last + step) % _COUNT
            if not watch.of_user(first + number):
                break
        os.pwrite(fd, f"{number:<31}\n".encode(), 0)
        return first + number
    finally:
        os.close(fd)


def _first() -> int:
    """The first range that this user namespace maps whole."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    mapped = [(int(start), int(count)) for start, _, count in (line.split() for line in lines)]
    for first in _FIRST:
        if any(start <= first and first + _COUNT <= start + count for start, count in mapped):
            return first
    return _FIRST[-1]
