"""What an image is: its files, and one digest over all of them.

An image is a directory named by its digest: SHA-256 over the sorted lines `mode size sha256 path`. The manifest beside
it repeats the list with modification times, so that a second look costs an `lstat` a file; `verify` reads every byte.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vocab.errors import Refusal

_FIRST_LINE: Final = "dure-image-1\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or folder of an image; `mode` as in `st_mode`, `sha256` of the content or the link's target."""

    path: str
    mode: int
    size: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: where it lies, its digest, and the libraries of this machine that went into it."""

    path: Path
    digest: str
    sources: dict[str, list[int]]
    entries: list[Entry]


def digest(entries: list[Entry]) -> str:
    """The name of the image that consists of `entries`. Times are no part of it."""
    lines = [f"{one.mode:o} {one.size} {one.sha256} {one.path}\n" for one in sorted(entries, key=lambda one: one.path)]
    return hashlib.sha256((_FIRST_LINE + "".join(lines)).encode()).hexdigest()


def listed(folder: Path) -> list[Entry]:
    """Every file, link and folder below `folder`, each read to its last byte."""
    return [
        Entry(path, found.st_mode, _size(found), _content(folder / path, found), _mtime(found))
        for path, found in _walk(folder)
    ]


def unchanged(image: Image) -> bool:
    """True if no file of `image` was added, removed, resized, remoded or written since it was built."""
    try:
        seen = {path: (found.st_mode, _size(found), _mtime(found)) for path, found in _walk(image.path)}
    except OSError:
        return False
    return seen == {one.path: (one.mode, one.size, one.mtime_ns) for one in image.entries}


def verify(folder: Path, expected: str) -> None:
    """Raises `Refusal("image-changed")` unless every byte below `folder` is what `expected` says."""
    try:
        found = digest(listed(folder))
    except OSError as error:
        raise Refusal("image-changed", why=type(error).__name__) from None
    if found != expected:
        raise Refusal("image-changed", why="digest", needed=expected, seen=found)


def save(image: Image, file: Path) -> None:
    """Writes the manifest beside the image."""
    record = {"digest": image.digest, "sources": image.sources, "entries": [asdict(one) for one in image.entries]}
    file.write_text(json.dumps(record), "utf-8")


def load(file: Path) -> Image:
    """The image that the manifest `file` describes. Raises `OSError`, `ValueError` or `KeyError` if it is none."""
    record = json.loads(file.read_text("utf-8"))
    entries = [Entry(**one) for one in record["entries"]]
    return Image(file.with_suffix(""), record["digest"], record["sources"], entries)


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as found:
            for one in found:
                path, status = prefix + one.name, one.stat(follow_symlinks=False)
                yield path, status
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path + "/")


def _size(found: os.stat_result) -> int:
    """A folder's size is the file system's own business."""
    return 0 if stat.S_ISDIR(found.st_mode) else found.st_size


def _mtime(found: os.stat_result) -> int:
    return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else 0


def _content(path: Path, found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return ""
    if stat.S_ISLNK(found.st_mode):
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
