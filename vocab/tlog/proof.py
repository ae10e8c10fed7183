"""Inclusion and consistency proofs (RFC 6962 section 2.1), and the C2SP tlog-proof file that verifies offline.

Making and checking a proof take the same walk from the root down: at each cut the part not walked into is a hash of the
proof. So the walk stands once, as turns, and a proof can neither be too short nor carry a hash too many.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from vocab.tlog.broken import HASH_BYTES, LogBroken, base64ed, decimal, unbase64
from vocab.tlog.hash import EMPTY, Read, leaf, node, span, split
from vocab.tlog.policy import Policy, Signed

_HEAD: Final = "c2sp.org/tlog-proof@v1"


class Turn(NamedTuple):
    """The part passed by, leaves low to high - 1, and whether it lies to the right of the part walked into."""

    low: int
    high: int
    right: bool


def _walk(index: int, size: int, stop: int) -> tuple[int, list[Turn]]:
    """From the root towards leaf `index`, down to the first part that ends at leaf `stop`, or to the leaf alone.
    Gives where that part begins, and the turns from there up."""
    low, high, turns = 0, size, []
    while high != stop and high - low > 1:
        middle = low + split(high - low)
        right = index < middle
        turns.append(Turn(middle, high, right) if right else Turn(low, middle, right))
        low, high = (low, middle) if right else (middle, high)
    return low, turns[::-1]


def inclusion(index: int, size: int, read: Read) -> list[bytes]:
    """The proof that entry `index` is in the tree of `size`. Raises `ValueError` if it cannot be."""
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}")
    return [span(turn.low, turn.high, read) for turn in _walk(index, size, -1)[1]]


def consistency(old: int, new: int, read: Read) -> list[bytes]:
    """The proof that the first `old` entries of the tree of `new` are the tree of `old`. Raises `ValueError`."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not hold one of {old}")
    if old == 0:
        return []
    low, turns = _walk(old - 1, new, old)
    start = [span(low, old, read)] if low else []
    return start + [span(turn.low, turn.high, read) for turn in turns]


def check_inclusion(value: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """Holds if `proof` leads from the leaf hash `value` to `root`. Raises `LogBroken("inclusion-broken")`."""
    turns = _walk(index, size, -1)[1] if 0 <= index < size else None
    if turns is None or len(turns) != len(proof):
        raise LogBroken("inclusion-broken", index=index, size=size)
    for turn, other in zip(turns, proof, strict=True):
        value = node(value, other) if turn.right else node(other, value)
    if value != root:
        raise LogBroken("inclusion-broken", index=index, size=size)


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> None:
    """Holds if the tree of `new` only added to the tree of `old`. Raises `LogBroken("consistency-broken")`."""
    if not (_from_empty(old, old_root, new, new_root, proof) or _grew(old, old_root, new, new_root, proof)):
        raise LogBroken("consistency-broken", old=old, new=new)


def _from_empty(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    return old == 0 and old_root == EMPTY and not proof and (new > 0 or new_root == EMPTY)


def _grew(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    if not 0 < old <= new:
        return False
    low, turns = _walk(old - 1, new, old)
    if len(proof) != len(turns) + (low > 0):
        return False
    before = after = proof[0] if low else old_root
    for turn, other in zip(turns, proof[1:] if low else proof, strict=True):
        before, after = (before, node(after, other)) if turn.right else (node(other, before), node(other, after))
    return before == old_root and after == new_root


@dataclass(frozen=True)
class Proof:
    """A tlog-proof: entry number, inclusion path, the signed checkpoint as it was, and `extra`, which nobody signed."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        extra = [] if self.extra is None else [f"extra {base64ed(self.extra)}"]
        lines = [_HEAD, *extra, f"index {self.index}", *map(base64ed, self.path)]
        return ("\n".join(lines) + "\n\n").encode() + self.note


def proof(data: bytes) -> Proof:
    """Reads a tlog-proof file; nothing is verified yet. Raises `LogBroken("proof-malformed")`."""
    head, blank, signed = data.partition(b"\n\n")
    try:
        first, *lines = head.decode().split("\n")
        if first != _HEAD or not blank:
            raise ValueError("not a tlog-proof v1 file")
        extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index ") or len(lines) > 64:
            raise ValueError("index line and at most 63 hashes expected")
        return Proof(decimal(lines[0][6:]), tuple(unbase64(line, HASH_BYTES) for line in lines[1:]), signed, extra)
    except ValueError as error:
        raise LogBroken("proof-malformed", why=str(error)) from None


def check_proof(data: bytes, entry: bytes, policy: Policy) -> Signed:
    """Holds offline, without the log: `entry` is in a tree that the log signed and the quorum cosigned.

    Raises `LogBroken`: proof-malformed, inclusion-broken, or what `Policy.cosigned` raises.
    """
    read = proof(data)
    signed = policy.cosigned(read.note)
    check_inclusion(leaf(entry), read.index, signed.checkpoint.size, list(read.path), signed.checkpoint.root)
    return signed
