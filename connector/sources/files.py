"""Where this hospital keeps what nobody else may read: sources, pseudonym keys, plain snapshots, each in its place."""

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from connector.kit.erase import erase, sync
from vocab.errors import Refusal

KEY_BYTES: Final = 32


def source(folder: Path, name: str) -> Path:
    """The source called `name` in the node's folder. Raises `Refusal("source-unreadable")` for anything else."""
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise Refusal("source-unreadable", why=name[:100])
    return path


def new_pseudonym_key(folder: Path, study: str) -> None:
    """Makes the study's key (0600), or keeps the one that an earlier try left."""
    place = folder / "pseudonym-keys"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place / _name(study)
    if path.exists():
        return
    scratch = path.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(path)
    sync(place)


def pseudonym_key(folder: Path, study: str) -> bytes:
    """The study's key. Raises `Refusal("pseudonym-key-missing")`, also when others could read the file."""
    path = folder / "pseudonym-keys" / _name(study)
    if not path.is_file() or path.stat().st_mode & 0o077:
        raise Refusal("pseudonym-key-missing", study=study)
    return path.read_bytes()


def snapshot(folder: Path, snapshot_id: str) -> Path:
    """The folder of a snapshot's plain files."""
    return folder / "snapshots" / snapshot_id


def demand_unchanged(where: Path, parts: dict[str, dict[str, Any]]) -> None:
    """Raises `Refusal("snapshot-changed")` when a file is not the one that was cut."""
    for part in parts.values():
        path = where / part["file"]
        seen = sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if seen != part["sha256"]:
            raise Refusal("snapshot-changed", what=part["file"], needed=part["sha256"], seen=seen)


def sweep(folder: Path, known: set[str]) -> None:
    """Erases snapshots that no row knows: a cut that a crash ended, or one whose erasing a crash ended."""
    place = folder / "snapshots"
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.name not in known:
            erase(path)


def _name(study: str) -> str:
    return sha256(study.encode()).hexdigest()[:32]
