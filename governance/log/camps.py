"""The trust policy: a majority of the hospitals and a majority of the companies must have cosigned. A pure function.

Neither camp, nor the operator with one of them, can then agree on another history.
"""

from collections.abc import Sequence
from typing import Final

from vocab.tlog import note
from vocab.tlog.note import Key
from vocab.tlog.policy import Group, Policy

#: Seats of a camp: checkpoints carry at most 16 signatures, one of them the log's own.
SEATS: Final = 7

_GROUPS: Final = {"hospital": "hospitals", "company": "companies"}
QUORUM: Final = "both"


def trusted(log: Key, members: Sequence[tuple[str, str, str]]) -> Policy | None:
    """The policy over `members` (DID, camp, witness vkey) in order; None while a camp has nobody.

    Witnesses are named by their DIDs. With more members than seats the first ones in order sit.
    """
    witnesses: dict[str, Key] = {}
    groups: dict[str, Group] = {}
    for camp, group in _GROUPS.items():
        seats: dict[str, Key] = {}
        for did, key in ((did, note.key(vkey)) for did, of, vkey in members if of == camp):
            # a key that already sits would count twice, and policies that name it twice are refused
            taken = any(key.public == other.public for other in (*witnesses.values(), *seats.values()))
            if len(seats) < SEATS and not taken and not did.split()[1:]:
                seats[did] = key
        if not seats:
            return None
        witnesses |= seats
        groups[group] = Group(len(seats) // 2 + 1, tuple(seats))
    groups[QUORUM] = Group(len(_GROUPS), tuple(_GROUPS.values()))
    return Policy((log,), witnesses, groups, QUORUM)
