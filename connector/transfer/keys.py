"""Data keys on disk, and what they seal: one file a key, 0600, in its own folder; only ciphertext is made from here."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from connector.kit.erase import erase, sync
from connector.kit.sealed import new_key, part_key, seal_file
from vocab.errors import Refusal

Json = dict[str, Any]


def context(agreement: str, part: str) -> bytes:
    """The context in which a part is sealed and its key is wrapped."""
    return f"{agreement}|{part}".encode()


def make(folder: Path, key_id: str) -> bytes:
    """The key's bytes, made at first use. An earlier try that a crash ended is taken up."""
    place = folder / "data-keys"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place / key_id
    if not path.exists():
        scratch = path.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(path)
        sync(place)
    return path.read_bytes()


def read(folder: Path, key_id: str) -> bytes:
    """The key's bytes. Raises `Refusal("key-destroyed")`."""
    try:
        return (folder / "data-keys" / key_id).read_bytes()
    except FileNotFoundError:
        raise Refusal("key-destroyed", key=key_id) from None


def destroy(folder: Path, key_id: str) -> None:
    """Overwrites and removes the key and what ciphertext still lies here."""
    erase(outgoing(folder, key_id))
    for path in (folder / "data-keys" / key_id, (folder / "data-keys" / key_id).with_suffix(".new")):
        erase(path)


def outgoing(folder: Path, key_id: str) -> Path:
    """Where ciphertext waits until it lies in the zone."""
    return folder / "outgoing" / key_id


def seal(folder: Path, key_id: str, agreement: str, plain: Path, parts: dict[str, Json]) -> tuple[dict[str, Json], str]:
    """Seals each part of a snapshot; returns what was made of each, and the salt of the plaintext digests.

    Begun again after a crash, it begins from nothing. Raises `Refusal("snapshot-changed")`.
    """
    dek, target, salt = make(folder, key_id), outgoing(folder, key_id), secrets.token_bytes(16)
    erase(target)
    target.mkdir(mode=0o700, parents=True)
    made: dict[str, Json] = {}
    for name, part in sorted(parts.items()):
        sealed = seal_file(plain / part["file"], target / name, part_key(dek, name), context(agreement, name))
        if sealed.plain_sha256 != part["sha256"]:
            erase(target)
            raise Refusal("snapshot-changed", what=part["file"], needed=part["sha256"], seen=sealed.plain_sha256)
        made[name] = {
            "name": name,
            "object": f"{agreement}/{name}",
            "bytes": sealed.bytes,
            "sha256": sealed.sha256,
            "plain_sha256_salted": hashlib.sha256(salt + bytes.fromhex(sealed.plain_sha256)).hexdigest(),
        }
    sync(target)
    return made, salt.hex()
