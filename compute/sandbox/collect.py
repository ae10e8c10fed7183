"""The structural gate: what a task left in /out, looked at by descriptor after its last process is gone.

Only regular files with one name, plain modes and plain names leave; one finding holds back all of them, because a
partial release invites probing (research/compute.md 2.1).
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.sandbox.model import Finding, Output

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,120}", re.ASCII)
_DEPTH: Final = 8
_ENTRIES: Final = 2000
_FINDINGS: Final = 100
_MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Collected:
    """What was copied, or why nothing was."""

    outputs: list[Output]
    findings: list[Finding]


def collect(source: Path, target: Path, cap_mb: int) -> Collected:
    """Copies what lies below `source` into the folder `target`, or nothing if there is any finding."""
    with _folder(str(source), None) as top:
        findings, files, total = [], [], 0
        for count, (path, wrong, size) in enumerate(_looked_at(top, top, "", 1)):
            total += size
            code = "too-many" if count >= _ENTRIES else wrong or ("too-big" if total > cap_mb * _MB else "")
            if code:
                findings.append(Finding(code, _printable(path)))
            else:
                files.append(path)
            if len(findings) >= _FINDINGS or code == "too-many":
                break
        if findings:
            return Collected([], findings)
        return Collected([_copied(top, path, target) for path in files if not path.endswith("/")], [])


def _looked_at(top: int, folder: int, prefix: str, depth: int) -> Iterator[tuple[str, str, int]]:
    """Each entry as (path, finding or "", bytes); folders end in a slash and are entered unless something is wrong."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda one: one.name)
    for one in entries:
        path, seen = prefix + one.name, one.stat(follow_symlinks=False)
        code = _wrong(one.name, seen, os.fstat(top).st_dev, depth)
        if code or not stat.S_ISDIR(seen.st_mode):
            yield path, code, seen.st_size if stat.S_ISREG(seen.st_mode) else 0
            continue
        yield path + "/", "", 0
        with _folder(one.name, folder) as inner:
            yield from _looked_at(top, inner, path + "/", depth + 1)


def _wrong(name: str, seen: os.stat_result, device: int, depth: int) -> str:
    """What is wrong with one entry, or "". The first that applies."""
    folder, regular = stat.S_ISDIR(seen.st_mode), stat.S_ISREG(seen.st_mode)
    rules = (
        ("bad-name", not _NAME.fullmatch(name) or set(name) == {"."}),
        ("symlink", stat.S_ISLNK(seen.st_mode)),
        ("not-regular", not folder and not regular),
        ("other-device", seen.st_dev != device),
        ("setid", seen.st_mode & 0o7000 != 0),
        ("hard-link", regular and seen.st_nlink != 1),
        ("sparse", regular and seen.st_blocks * 512 < seen.st_size // 2),
        ("too-deep", folder and depth >= _DEPTH),
    )
    return next((code for code, applies in rules if applies), "")


def _copied(top: int, path: str, target: Path) -> Output:
    """One file, read once: the bytes that are hashed are the bytes that are written."""
    *folders, name = path.split("/")
    with _chain(top, folders) as folder:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, count = hashlib.sha256(), 0
    out = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while piece := os.read(fd, _MB):
            digest.update(piece)
            count += os.write(out, piece)
    finally:
        os.close(out)
        os.close(fd)
    return Output(path, count, digest.hexdigest())


@contextmanager
def _folder(name: str, parent: int | None) -> Iterator[int]:
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _chain(top: int, folders: list[str]) -> Iterator[int]:
    if not folders:
        yield top
        return
    with _folder(folders[0], top) as inner, _chain(inner, folders[1:]) as last:
        yield last


def _printable(path: str) -> str:
    """A name that may be shown and stored: no control or direction characters, no broken Unicode, not endless."""
    return ascii(path)[1:-1][:200]
