"""What one process of a task may use; what all of them together may use is `cgroup` or `watch`."""

import resource
from typing import Final

from compute.sandbox.model import Limits

_MB: Final = 1 << 20
#: Threads reserve stacks that they hardly touch: without a group the sum is watched, this only stops a sudden bite.
_DATA_FACTOR: Final = 2
_OPEN_FILES: Final = 1024


def apply(limits: Limits, *, processes: int | None, grouped: bool) -> None:
    """Sets this process's limits, never above what they are. `processes`: how many this user may have, if counted."""
    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: _OPEN_FILES}
    wanted[resource.RLIMIT_FSIZE] = limits.output_mb * _MB
    if processes is not None:
        wanted[resource.RLIMIT_NPROC] = processes
    if not grouped:
        wanted[resource.RLIMIT_DATA] = limits.memory_mb * _MB * _DATA_FACTOR
    for which, value in wanted.items():
        _, hard = resource.getrlimit(which)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (allowed, allowed))
