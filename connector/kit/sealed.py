"""Files under a key: sealed in pieces, opened whole or not at all, and keys handed to exactly one process.

The pieces follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015: counter and last-piece mark in the
nonce) with AES-256-GCM; keys are wrapped with HPKE (RFC 9180), whose authenticated data we carry in `info`.

    file  = MAGIC (16) | salt (32) | commitment (32) | piece | piece | ...      piece = 65,536 bytes and a tag of 16
    key   = HKDF-SHA256(caller's key, salt, SUITE | SHA-256(aad)): 32 bytes of key, 32 bytes of commitment

So another context, another key, a flipped bit, a missing end or two swapped pieces all end in one refusal.
"""

import hashlib
import hmac
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vocab.errors import Refusal

#: How a key travels. Every envelope that carries a wrapped key names it.
WRAP_SUITE: Final = "dure-hpke-x25519-aes256gcm-1"
#: How a file is sealed.
SEAL_SUITE: Final = "dure-stream-aes256gcm-1"

_MAGIC: Final = b"dure sealed v1\r\n"
_SALT: Final = 32
_HEADER: Final = len(_MAGIC) + _SALT + 32
_PIECE: Final = 64 * 1024
_TAG: Final = 16
_HPKE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was written: bytes of ciphertext, its digest, and the digest of what lies inside (hex SHA-256)."""

    bytes: int
    sha256: str
    plain_sha256: str


def new_key() -> bytes:
    """A fresh 32-byte key."""
    return os.urandom(32)


def part_key(dek: bytes, part: str) -> bytes:
    """The key of one part of a snapshot (`train`, `holdout`): whoever holds it cannot reach the key of another part."""
    return HKDF(SHA256(), 32, None, b"dure-part-1\n" + part.encode()).derive(dek)


def seal_file(src: Path, dst: Path, key: bytes, aad: bytes) -> Sealed:
    """Seals `src` into a new `dst` in the context `aad`; the opener must know it. An error leaves no partial `dst`."""
    salt = os.urandom(_SALT)
    cipher, commitment = _keys(key, salt, aad)
    whole, inside = hashlib.sha256(), hashlib.sha256()
    with src.open("rb", buffering=0) as reader, _whole_file(dst) as writer:
        header = _MAGIC + salt + commitment
        writer.write(header)
        whole.update(header)
        count = len(header)
        for piece, nonce in _pieces(reader, _PIECE):
            inside.update(piece)
            sealed = cipher.encrypt(nonce, piece, None)
            whole.update(sealed)
            count += writer.write(sealed)
    return Sealed(count, whole.hexdigest(), inside.hexdigest())


def open_stream(src: Path | BinaryIO, dst: Path, key: bytes, aad: bytes) -> int:
    """Opens `src` into `dst` and returns the bytes written.

    Raises `Refusal("ciphertext-broken")` if anything is not as it was sealed; `dst` does not exist then.
    """
    if isinstance(src, Path):
        with src.open("rb", buffering=0) as reader:
            return open_stream(reader, dst, key, aad)
    header = _read(src, _HEADER)
    magic, salt, commitment = header[: len(_MAGIC)], header[len(_MAGIC) : -32], header[-32:]
    if len(header) < _HEADER or magic != _MAGIC:
        raise Refusal("ciphertext-broken", why="header")
    cipher, expected = _keys(key, salt, aad)
    if not hmac.compare_digest(commitment, expected):
        raise Refusal("ciphertext-broken", why="key")
    count = 0
    with _whole_file(dst) as writer:
        out = memoryview(bytearray(_PIECE))
        for piece, nonce in _pieces(src, _PIECE + _TAG):
            try:
                size = cipher.decrypt_into(nonce, piece, None, out[: max(len(piece) - _TAG, 0)])
            except (InvalidTag, ValueError):
                raise Refusal("ciphertext-broken", why="content") from None
            count += writer.write(out[:size])
    return count


def wrap(key: bytes, recipient: bytes, aad: bytes) -> bytes:
    """`key` for the holder of the raw X25519 key `recipient` alone, bound to `aad`. Raises `Refusal("key-invalid")`."""
    try:
        return _HPKE.encrypt(key, X25519PublicKey.from_public_bytes(recipient), _info(aad))
    except ValueError:
        raise Refusal("key-invalid") from None


def unwrap(private: X25519PrivateKey, blob: bytes, aad: bytes) -> bytes:
    """The key in `blob`. Raises `Refusal("key-not-ours")` if it was wrapped for another key or another context."""
    try:
        return _HPKE.decrypt(blob, private, _info(aad))
    except (InvalidTag, ValueError):
        raise Refusal("key-not-ours") from None


def _info(aad: bytes) -> bytes:
    return WRAP_SUITE.encode() + b"\n" + aad


def _keys(key: bytes, salt: bytes, aad: bytes) -> tuple[AESGCM, bytes]:
    """The cipher of one file, and the commitment to its key: GCM alone would let one file open under two keys."""
    info = SEAL_SUITE.encode() + b"\n" + hashlib.sha256(aad).digest()
    derived = HKDF(SHA256(), 64, salt, info).derive(key)
    return AESGCM(derived[:32]), derived[32:]


def _pieces(reader: BinaryIO, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Each piece with its nonce; the last one (also of an empty file) is marked as last."""
    piece, number = _read(reader, size), 0
    while True:
        following = _read(reader, size) if len(piece) == size else b""
        yield piece, number.to_bytes(11, "big") + (b"\x00" if following else b"\x01")
        if not following:
            return
        piece, number = following, number + 1


def _read(reader: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end: an unbuffered read may return less than asked."""
    found = reader.read(size)
    while len(found) < size and (more := reader.read(size - len(found))):
        found += more
    return found


@contextmanager
def _whole_file(path: Path) -> Iterator[io.FileIO]:
    """A new file, only its owner may read it, that stays only if the block ends well."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with io.FileIO(fd, "wb") as writer:
            yield writer
    except BaseException:
        path.unlink(missing_ok=True)
        raise
