"""The Merkle tree of RFC 6962 section 2.1 over SHA-256, without storage.

A complete subtree is named by (level, index): it spans the 2^level leaves from index * 2^level on. Whoever stores a
tree stores such hashes, once each, and they never change; `Read` gives them back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

Read = Callable[[int, int], bytes]
Nodes = dict[tuple[int, int], bytes]

#: The root of the tree without leaves.
EMPTY: Final = sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """The hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\x01" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root over `hashes`, level by level: leaves, or subtrees of one size, the last of which may be smaller.

    An odd one out moves up unchanged, which gives the shape that RFC 6962 describes from the top.
    """
    if not hashes:
        return EMPTY
    row = list(hashes)
    while len(row) > 1:
        odd = row[len(row) & ~1 :]
        row = [node(left, right) for left, right in zip(row[::2], row[1::2], strict=False)] + odd
    return row[0]


def peaks(size: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees that make up a tree, from left to right: all that must be kept to append to it."""
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, (size >> level) - 1


def grown(size: int, read: Read, leaves: Iterable[bytes]) -> Nodes:
    """The complete subtrees that come to be when `leaves` (leaf hashes) follow the first `size` ones.

    Reads only the peaks of the old tree. Store the result beside what is there, then the new size.
    """
    new: Nodes = {}
    for position, each in enumerate(leaves, start=size):
        level, index, value = 0, position, each
        new[level, index] = value
        while index & 1:
            left = new.get((level, index - 1)) or read(level, index - 1)
            level, index, value = level + 1, index >> 1, node(left, value)
            new[level, index] = value
    return new


def span(low: int, high: int, read: Read) -> bytes:
    """The root over leaves low to high - 1, which must lie as RFC 6962 cuts a tree: `low` a multiple of the size's next
    power of two."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, low >> level)
    middle = low + split(size)
    return node(span(low, middle, read), span(middle, high, read))


def root(size: int, read: Read) -> bytes:
    """The root of the first `size` leaves."""
    return span(0, size, read) if size else EMPTY


def split(size: int) -> int:
    """Where RFC 6962 cuts a tree of `size` > 1 leaves: the largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)
