"""The pure half of a C2SP tlog-witness: reads an add-checkpoint request, decides, and writes the answer.

The caller looks up what it knows of the origin, and stores the new size and root in the same transaction in which they
were compared, before the answer goes out. Otherwise two requests at once could roll the witness back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from vocab.errors import Refusal
from vocab.tlog import note as notes
from vocab.tlog.broken import HASH_BYTES, LogBroken, base64ed, decimal, unbase64
from vocab.tlog.hash import EMPTY
from vocab.tlog.note import Checkpoint, Key, Note, Sign, Signature
from vocab.tlog.proof import check_consistency

MOST_HASHES: Final = 63


@dataclass(frozen=True)
class Asked:
    """An add-checkpoint request: the size that the log believes us to know, its proof from there, its checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Known:
    """The newest tree of a log that this witness cosigned; before the first, the empty one."""

    size: int = 0
    root: bytes = EMPTY


class Answer(NamedTuple):
    """What goes back over HTTP."""

    status: int
    media_type: str
    body: bytes


def request(old: int, proof: list[bytes], checkpoint: bytes) -> bytes:
    """The body of an add-checkpoint request, with the signed checkpoint as it is."""
    return "".join(f"{line}\n" for line in [f"old {old}", *map(base64ed, proof), ""]).encode() + checkpoint


def asked(body: bytes) -> Asked:
    """Reads a request. Raises `Refusal("witness-request-malformed")` (400)."""
    head, blank, signed = body.partition(b"\n\n")
    try:
        first, *lines = head.decode().split("\n")
        if not blank or not first.startswith("old ") or len(lines) > MOST_HASHES:
            raise ValueError("old size, at most 63 hashes, an empty line and a checkpoint expected")
        read = notes.note(signed)
        tree = notes.checkpoint(read.text)
        old = decimal(first[4:])
        if old > tree.size:
            raise ValueError("old size above the checkpoint's")
        return Asked(old, tuple(unbase64(line, HASH_BYTES) for line in lines), read, tree)
    except (ValueError, LogBroken) as error:
        why = error.code if isinstance(error, LogBroken) else str(error)
        raise Refusal("witness-request-malformed", why=why) from None


def agreed(request: Asked, log: Key | None, known: Known) -> Checkpoint:
    """The checkpoint to store and cosign. `log` is the trusted key of its origin, None if there is none.

    Raises `Refusal`, in the order of the specification: witness-log-unknown (404), witness-log-signature (403),
    witness-size (409), witness-fork (409), witness-proof (422).
    """
    tree = request.checkpoint
    if log is None or log.name != tree.origin:
        raise Refusal("witness-log-unknown", origin=tree.origin)
    if not _signed_by(request.note, log):
        raise Refusal("witness-log-signature", origin=tree.origin)
    if request.old != known.size:
        raise Refusal("witness-size", needed=known.size, seen=request.old)
    if tree.size == known.size and tree.root != known.root:
        raise Refusal("witness-fork", size=known.size, needed=known.root.hex(), seen=tree.root.hex())
    try:
        check_consistency(known.size, known.root, tree.size, tree.root, list(request.proof))
    except LogBroken:
        raise Refusal("witness-proof", old=known.size, new=tree.size) from None
    return tree


def _signed_by(note: Note, log: Key) -> bool:
    try:
        return log in notes.signers(note, [log])
    except LogBroken:
        return False


def cosignature(checkpoint: Checkpoint, key: Key, sign: Sign, now: int) -> Answer:
    """The answer to an agreed request: one signature line. Only after the checkpoint is stored."""
    line = str(notes.cosigned(str(checkpoint), key, sign, now))
    return Answer(200, "text/plain; charset=utf-8", line.encode())


def refused(refusal: Refusal, known: Known) -> Answer:
    """The answer to a refused request; a 409 tells the size from which the log must prove."""
    if refusal.status == 409:
        return Answer(409, "text/x.tlog.size", f"{known.size}\n".encode())
    return Answer(refusal.status, "text/plain; charset=utf-8", f"{refusal.code}\n".encode())


def known_size(body: bytes) -> int:
    """What a witness says in a 409. Raises `LogBroken("note-malformed")`."""
    try:
        return decimal(body.decode().removesuffix("\n"))
    except ValueError as error:
        raise LogBroken("note-malformed", why=str(error)) from None


def cosignatures(checkpoint: Checkpoint, body: bytes, keys: Collection[Key]) -> tuple[Signature, ...]:
    """The signatures of a 200 answer that are by `keys` and hold; unknown ones are dropped.

    Raises `LogBroken`: note-malformed, signature-broken.
    """
    note = Note(str(checkpoint), notes.signatures(body))
    return tuple(notes.signers(note, keys).values())
