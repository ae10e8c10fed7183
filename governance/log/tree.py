"""The tree over the log's rows: reading its hashes, letting it grow, making proofs. Inside units and reads, no I/O."""

from collections.abc import Callable, Iterable

from sqlmodel import Session, col, select

from governance.log.model import LogEntry, LogHash
from vocab.tlog import hash as merkle
from vocab.tlog.hash import Read
from vocab.tlog.tiles import WIDTH


def hashes(session: Session) -> Read:
    """Reads single hashes: good for proofs, which need a few of each level."""

    def read(level: int, index: int) -> bytes:
        row = session.get(LogHash, (level, index))
        if row is None:
            raise LookupError(f"hash {level}/{index}")
        return row.value

    return read


def rows_of_hashes(session: Session) -> Read:
    """Reads whole tiles at a time: good for writing files."""
    kept: dict[tuple[int, int], dict[int, bytes]] = {}

    def read(level: int, index: int) -> bytes:
        at = index // WIDTH
        if (level, at) not in kept:
            inside = col(LogHash.index).between(at * WIDTH, at * WIDTH + WIDTH - 1)
            rows = session.exec(select(LogHash.index, LogHash.value).where(LogHash.level == level, inside))
            kept[level, at] = dict(rows.all())
        return kept[level, at][index]

    return read


def rows_of_entries(session: Session) -> Callable[[int], bytes]:
    """Reads whole bundles of entries at a time."""
    kept: dict[int, dict[int, bytes]] = {}

    def entry(number: int) -> bytes:
        at = number // WIDTH
        if at not in kept:
            inside = col(LogEntry.index).between(at * WIDTH, at * WIDTH + WIDTH - 1)
            kept[at] = dict(session.exec(select(LogEntry.index, LogEntry.data).where(inside)).all())
        return kept[at][number]

    return entry


def grow(session: Session, size: int, entries: Iterable[bytes]) -> tuple[int, bytes]:
    """Adds the hashes that `entries` bring to a tree of `size`; returns the new size and root."""
    leaves = [merkle.leaf(entry) for entry in entries]
    new = merkle.grown(size, hashes(session), leaves)
    session.add_all(LogHash(level=level, index=index, value=value) for (level, index), value in new.items())
    session.flush()
    size += len(leaves)
    return size, merkle.root(size, hashes(session))
