"""Checks a whole log from its files: signatures, quorum, every entry re-hashed to the signed root, and its growth.

Only the signed root is believed. Entries are hashed up to it; if they arrive, they are right, and a tile that differs
is the wrong one; if they do not, the first entry that differs from its tile is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vocab.tlog import hash as tree
from vocab.tlog.broken import LogBroken
from vocab.tlog.note import Checkpoint
from vocab.tlog.policy import Policy
from vocab.tlog.tiles import WIDTH, Fetch, entries_of, fetched, hashes_of, spread


@dataclass(frozen=True)
class Checked:
    """A log that holds: its size, its root, and the witnesses that cosigned, each with its time in ms."""

    size: int
    root: bytes
    cosigners: Mapping[str, int]


def check_log(read: Fetch, policy: Policy, old: bytes | None = None) -> Checked:
    """Checks everything that the log's checkpoint covers; with `old`, that the log only added to that checkpoint.

    `read` gives a file by its path in the log and raises `OSError` or `LookupError` where there is none.
    Raises `LogBroken`: what `Policy.cosigned` raises, log-file-missing, log-file-malformed, entry-broken, tile-broken,
    root-broken, log-other, log-shrank, log-rewritten.
    """
    signed = policy.cosigned(fetched(read, "checkpoint"))
    now = signed.checkpoint
    before = policy.log_signed(old).checkpoint if old is not None else None
    if before is not None and before.origin != now.origin:
        raise LogBroken("log-other", needed=before.origin, seen=now.origin)
    if before is not None and before.size > now.size:
        raise LogBroken("log-shrank", needed=before.size, seen=now.size)
    hashed = _hashed(read, now.size, before.size if before else 0)
    if tree.folded(hashed.blocks) != now.root:
        raise hashed.entry or LogBroken("root-broken", size=now.size)
    _check_tiles(read, hashed, now)
    if before is not None and tree.folded(hashed.before) != before.root:
        raise LogBroken("log-rewritten", size=before.size)
    return Checked(now.size, now.root, signed.cosigners)


@dataclass
class _Hashed:
    """The entries, hashed: the root over each bundle; those over the first so many entries; the first that is not what
    its tile says, as the fault it would be if the entry is wrong and if the tile is."""

    blocks: list[bytes] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    entry: LogBroken | None = None
    tile: LogBroken | None = None


def _hashed(read: Fetch, size: int, old: int) -> _Hashed:
    found = _Hashed()
    for index, width in spread(size):
        bundle, entries = entries_of(read, index, width)
        tile, stated = hashes_of(read, 0, index, width)
        leaves = [tree.leaf(entry) for entry in entries]
        if found.entry is None and leaves != stated:
            number = index * WIDTH + next(i for i in range(width) if leaves[i] != stated[i])
            found.entry = LogBroken("entry-broken", entry=number, path=bundle)
            found.tile = LogBroken("tile-broken", path=tile)
        found.blocks.append(tree.folded(leaves))
        covered = min(old - index * WIDTH, width)
        if covered > 0:
            found.before.append(found.blocks[-1] if covered == width else tree.folded(leaves[:covered]))
    return found


def _check_tiles(read: Fetch, hashed: _Hashed, now: Checkpoint) -> None:
    """The entries are right; so the tiles must say what they hash to."""
    if hashed.tile is not None:
        raise hashed.tile
    level, row = 1, hashed.blocks[: now.size // WIDTH]
    while row:
        above = []
        for index, width in spread(len(row)):
            part = row[index * WIDTH : index * WIDTH + width]
            name, stated = hashes_of(read, level, index, width)
            if stated != part:
                raise LogBroken("tile-broken", path=name)
            if width == WIDTH:
                above.append(tree.folded(part))
        level, row = level + 1, above
