"""C2SP signed notes, verifier keys, cosignatures and checkpoints: what a log and its witnesses sign, as text.

origin, size, root             the text; a log signs it as it is, a witness with the time in front
<empty line>
— name base64(key id, signature)
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vocab.tlog.broken import HASH_BYTES, LogBroken, base64ed, decimal, unbase64

Sign = Callable[[bytes], bytes]

#: signed-note asks verifiers to read at least 16; more are refused, so that nobody hides work in a checkpoint.
MOST_SIGNATURES: Final = 16
LONGEST_NOTE: Final = 256 * 1024
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_STAMP_BYTES: Final = 8


class Algorithm(IntEnum):
    """The signature type bytes of signed-note that we know. ML-DSA-44 cosignatures (6) would stand beside them."""

    ED25519 = 1
    COSIGNATURE_ED25519 = 4


class Scheme(NamedTuple):
    """How one algorithm signs: key length, signature length, whether the signing time stands before the signature."""

    key: int
    signature: int
    timed: bool


SCHEMES: Final = {
    Algorithm.ED25519: Scheme(key=32, signature=64, timed=False),
    Algorithm.COSIGNATURE_ED25519: Scheme(key=32, signature=64, timed=True),
}


@dataclass(frozen=True)
class Key:
    """A verifier key (vkey): who signs, how, with which public key."""

    name: str
    algorithm: Algorithm
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that stand before each signature of this key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64ed(bytes([self.algorithm]) + self.public)}"


class Signature(NamedTuple):
    """A signature line: name, key id, and what the algorithm makes of the rest."""

    name: str
    key_id: bytes
    payload: bytes

    def __str__(self) -> str:
        return f"— {self.name} {base64ed(self.key_id + self.payload)}\n"


@dataclass(frozen=True)
class Note:
    """A text, which ends in a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()


@dataclass(frozen=True)
class Checkpoint:
    """A log's statement: so many entries, this root (C2SP tlog-checkpoint). Extension lines are kept unread."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, base64ed(self.root), *self.extension))


def _named(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name) and not _CONTROL.search(name)


def key(vkey: str) -> Key:
    """Reads a vkey `name+id+base64(algorithm, public key)`. Raises `LogBroken("key-malformed")`."""
    name, _, rest = vkey.partition("+")
    stated, _, encoded = rest.partition("+")
    try:
        data = unbase64(encoded)
        algorithm = Algorithm(data[0])
        found = Key(name, algorithm, data[1:])
        if not _named(name) or len(found.public) != SCHEMES[algorithm].key or found.id.hex() != stated:
            raise ValueError("name, key length or key id")
    except (ValueError, IndexError) as error:
        raise LogBroken("key-malformed", key=name[:80], why=str(error)) from None
    return found


def note(data: bytes) -> Note:
    """Reads a signed note; no signature is checked yet. Raises `LogBroken("note-malformed")`."""
    try:
        if len(data) > LONGEST_NOTE:
            raise ValueError("too long")
        text = data.decode()
        body, blank, tail = text.rpartition("\n\n")
        if _CONTROL.search(text) or not blank or not tail.endswith("\n"):
            raise ValueError("text, empty line and signature lines expected")
        return Note(body + "\n", _signatures(tail))
    except ValueError as error:
        raise LogBroken("note-malformed", why=str(error)) from None


def signatures(lines: bytes) -> tuple[Signature, ...]:
    """Reads signature lines alone, as witnesses answer them. Raises `LogBroken("note-malformed")`."""
    try:
        return _signatures(lines.decode())
    except ValueError as error:
        raise LogBroken("note-malformed", why=str(error)) from None


def _signatures(text: str) -> tuple[Signature, ...]:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise ValueError(f"more than {MOST_SIGNATURES} signatures")
    return tuple(_signature(line) for line in lines)


def _signature(line: str) -> Signature:
    words = line.split(" ")
    if len(words) != 3 or words[0] != "—" or not _named(words[1]):
        raise ValueError("not a signature line")
    data = unbase64(words[2])
    if len(data) <= 4:
        raise ValueError("signature too short")
    return Signature(words[1], data[:4], data[4:])


def checkpoint(text: str) -> Checkpoint:
    """Reads a note's text as a checkpoint. Raises `LogBroken("checkpoint-malformed")`."""
    lines = text.split("\n")
    try:
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise ValueError("three lines or more expected, none empty")
        return Checkpoint(lines[0], decimal(lines[1]), unbase64(lines[2], HASH_BYTES), tuple(lines[3:]))
    except ValueError as error:
        raise LogBroken("checkpoint-malformed", why=str(error)) from None


def _message(text: str, stamp: int | None) -> bytes:
    return text.encode() if stamp is None else f"cosignature/v1\ntime {stamp}\n{text}".encode()


def signed(text: str, by: Key, sign: Sign) -> Signature:
    """The log's own signature. `sign` is the private half of `by`."""
    return Signature(by.name, by.id, sign(_message(text, None)))


def cosigned(text: str, by: Key, sign: Sign, now: int) -> Signature:
    """A witness's signature: at `now` (ms, told in seconds) this is the largest consistent tree it has seen."""
    stamp = now // 1000
    return Signature(by.name, by.id, stamp.to_bytes(_STAMP_BYTES) + sign(_message(text, stamp)))


def signed_at(by: Key, signature: Signature) -> int | None:
    """When a cosigner signed, in ms; None for algorithms that do not say."""
    timed = SCHEMES[by.algorithm].timed
    return int.from_bytes(signature.payload[:_STAMP_BYTES]) * 1000 if timed else None


def _holds(text: str, by: Key, payload: bytes) -> bool:
    scheme = SCHEMES[by.algorithm]
    head = _STAMP_BYTES if scheme.timed else 0
    stamp = int.from_bytes(payload[:head]) if scheme.timed else None
    if len(payload) != head + scheme.signature or (stamp or 0) >= 1 << 63:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(by.public).verify(payload[head:], _message(text, stamp))
    except InvalidSignature:
        return False
    return True


def signers(read: Note, keys: Collection[Key]) -> dict[Key, Signature]:
    """Which of `keys` signed. Signatures by other keys are passed over, as signed-note says.

    Raises `LogBroken("signature-broken")` if a signature under a known name and key id does not hold: a note that was
    changed is not a note with fewer signatures.
    """
    known = {(each.name, each.id): each for each in keys}
    found: dict[Key, Signature] = {}
    for signature in read.signatures:
        by = known.get((signature.name, signature.key_id))
        if by is None:
            continue
        if not _holds(read.text, by, signature.payload):
            raise LogBroken("signature-broken", by=by.name)
        found.setdefault(by, signature)
    return found
