"""C2SP tlog-tiles: which file holds which hashes and entries, what growth writes, and how the files are read back.

A tile holds up to 256 hashes of complete subtrees of height 8 * level; an entry bundle the entries of a level 0 tile,
each after its length in two bytes. Files never change once a checkpoint covers them: write them before the checkpoint.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vocab.tlog import hash as tree
from vocab.tlog.broken import HASH_BYTES, LogBroken

#: Gives the bytes of a path relative to the log; raises `OSError` or `LookupError` where there is none.
Fetch = Callable[[str], bytes]

WIDTH: Final = 256
HEIGHT: Final = 8
ENTRIES: Final = "entries"
LONGEST_ENTRY: Final = 65_535


def path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where a tile lies: `tile/0/x001/234`, partial ones `tile/entries/000.p/17`."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < WIDTH else "")


def spread(count: int, since: int = 0) -> Iterator[tuple[int, int]]:
    """(index, width) of the tiles that `count` hashes fill, from the one that hash number `since` lies in."""
    for first in range(since - since % WIDTH, count, WIDTH):
        yield first // WIDTH, min(WIDTH, count - first)


def bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle. Raises `LogBroken("entry-too-long")`: what is larger is logged by its digest."""
    for entry in entries:
        if len(entry) > LONGEST_ENTRY:
            raise LogBroken("entry-too-long", needed=LONGEST_ENTRY, seen=len(entry))
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def unbundled(data: bytes) -> list[bytes]:
    """The entries of a bundle; reading stops at one too many. Raises `ValueError` when it ends inside an entry."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) <= WIDTH:
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data):
            raise ValueError(f"ends inside entry {len(entries)} of the bundle")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def growth(old: int, new: int, read: tree.Read, entry: Callable[[int], bytes]) -> dict[str, bytes]:
    """The files that a checkpoint of size `new` needs and one of size `old` did not. `entry` gives entry by number."""
    files: dict[str, bytes] = {}
    if old == new:
        return files
    for index, width in spread(new, old):
        files[path(ENTRIES, index, width)] = bundle([entry(index * WIDTH + i) for i in range(width)])
    level, before, count = 0, old, new
    while count > before:
        for index, width in spread(count, before):
            hashes = [read(level * HEIGHT, index * WIDTH + i) for i in range(width)]
            files[path(level, index, width)] = b"".join(hashes)
        level, before, count = level + 1, before // WIDTH, count // WIDTH
    return files


def fetched(fetch: Fetch, name: str) -> bytes:
    """The file. Raises `LogBroken("log-file-missing")`."""
    try:
        return fetch(name)
    except (OSError, LookupError):
        raise LogBroken("log-file-missing", path=name) from None


def _tile(fetch: Fetch, level: int | str, index: int, width: int) -> tuple[str, bytes, int]:
    """The partial tile, or else the full one that may have taken its place: its path, bytes and width."""
    name = path(level, index, width)
    try:
        return name, fetched(fetch, name), width
    except LogBroken:
        if width == WIDTH:
            raise
    try:
        full = path(level, index)
        return full, fetched(fetch, full), WIDTH
    except LogBroken:
        raise LogBroken("log-file-missing", path=name) from None


def hashes_of(fetch: Fetch, level: int, index: int, width: int) -> tuple[str, list[bytes]]:
    """The first `width` hashes of a tile, with the path they came from.

    Raises `LogBroken`: log-file-missing, log-file-malformed.
    """
    name, data, present = _tile(fetch, level, index, width)
    if len(data) != present * HASH_BYTES:
        raise LogBroken("log-file-malformed", path=name, needed=present * HASH_BYTES, seen=len(data))
    return name, [data[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]


def entries_of(fetch: Fetch, index: int, width: int) -> tuple[str, list[bytes]]:
    """The first `width` entries of a bundle, with the path they came from. Raises as `hashes_of`."""
    name, data, present = _tile(fetch, ENTRIES, index, width)
    try:
        entries = unbundled(data)
    except ValueError as error:
        raise LogBroken("log-file-malformed", path=name, needed=present, seen=str(error)) from None
    if len(entries) != present:
        raise LogBroken("log-file-malformed", path=name, needed=present, seen=len(entries))
    return name, entries[:width]


def reader(fetch: Fetch, size: int) -> tree.Read:
    """Reads the hashes of a log of `size` from its files, each file once. The hashes are unverified: a proof made from
    them must be checked against a signed root."""
    kept: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        row, below = divmod(level, HEIGHT)
        first, count = index << below, 1 << below
        at = first // WIDTH
        if (row, at) not in kept:
            width = min(WIDTH, (size >> row * HEIGHT) - at * WIDTH)
            kept[row, at] = hashes_of(fetch, row, at, width)[1]
        inside = first % WIDTH
        return tree.folded(kept[row, at][inside : inside + count])

    return read
