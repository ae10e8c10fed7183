"""The permit lease: what runs here runs only while the operator was heard from lately.

Cut off, it freezes when the lease ends and is killed, its plaintext with it, ten minutes later. Pure; all times are
monotonic seconds, so that no wall clock can stretch a lease.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: From frozen to killed (seconds).
GRACE: Final = 600


class LeaseState(StrEnum):
    """What may go on."""

    RUNNING = "running"
    FROZEN = "frozen"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Lease:
    """The state, and the seconds until it changes if nothing is heard (0 at the end)."""

    state: LeaseState
    seconds: float


def lease(contact: float | None, lease_seconds: int, now: float) -> Lease:
    """The lease at `now`. `contact`: when the operator was last heard from; never since the start: nothing may run."""
    if contact is None:
        return Lease(LeaseState.KILL, 0.0)
    silence = max(0.0, now - contact)
    if silence < lease_seconds:
        return Lease(LeaseState.RUNNING, lease_seconds - silence)
    if silence < lease_seconds + GRACE:
        return Lease(LeaseState.FROZEN, lease_seconds + GRACE - silence)
    return Lease(LeaseState.KILL, 0.0)
