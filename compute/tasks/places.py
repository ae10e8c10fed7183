"""Where a task's files lie outside its walls: code and plain files on their way in, outputs on their way out.

In memory where the machine has it. What a task left is sealed to the zone's own key before it touches a disk.
"""

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from compute.launcher.model import Output
from compute.tasks.model import Result
from connector.kit.runtime import Runtime
from connector.kit.sealed import new_key, open_stream, seal_file, unwrap, wrap
from vocab.errors import Refusal

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - memory, not a disk


def yard(runtime: Runtime) -> Path:
    """The folder of all tasks of this node."""
    folder = runtime.settings.folder.resolve()
    if os.access(_MEMORY, os.W_OK):
        return _MEMORY / f"dure-zone-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    return folder / "work"


def fresh(runtime: Runtime, task: str) -> Path:
    """An empty folder for a task, ours alone."""
    place = yard(runtime) / task
    wipe(place)
    for folder in (place, place / "code", place / "in", place / "out"):
        folder.mkdir(mode=0o700, parents=True)
    return place


def put(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Writes `files` below `folder`: name -> path, as the launcher wants them."""
    found = {}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        found[name] = str(path)
    return found


def wipe(place: Path) -> None:
    """Overwrites and removes everything below `place`."""
    for file in place.rglob("*") if place.is_dir() else ():
        if file.is_file() and not file.is_symlink():
            with suppress(OSError):
                file.chmod(0o600)
                file.write_bytes(bytes(min(file.stat().st_size, 1 << 26)))
    shutil.rmtree(place, ignore_errors=True)


def sealed(runtime: Runtime, task: str, place: Path, outputs: list[Output]) -> list[Result]:
    """Seals what a task left to the zone's own key. Raises `Refusal("input-changed")` for bytes not as collected."""
    folder = runtime.settings.folder / "results" / task
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    found = []
    for number, one in enumerate(outputs):
        aad, key, file = _aad(task, one.name), new_key(), folder / f"{number}.sealed"
        seen = seal_file(place / "out" / one.name, file, key, aad)
        if seen.plain_sha256 != one.sha256:
            raise Refusal("input-changed", name=one.name, why="digest", needed=one.sha256, seen=seen.plain_sha256)
        wrapped = base64.b64encode(wrap(key, runtime.keys.public("sealing"), aad)).decode()
        relative = str(file.relative_to(runtime.settings.folder))
        found.append(
            Result(
                task=task,
                name=one.name,
                bytes=one.bytes,
                sha256=one.sha256,
                file=relative,
                key=wrapped,
                made_at=runtime.now(),
            )
        )
    return found


def content(runtime: Runtime, result: Result) -> bytes:
    """The bytes of a result, opened in memory and nowhere else."""
    aad = _aad(result.task, result.name)
    key = unwrap(runtime.keys.sealing, base64.b64decode(result.key), aad)
    place = yard(runtime) / f"open-{os.urandom(8).hex()}"
    place.mkdir(mode=0o700, parents=True)
    try:
        open_stream(runtime.settings.folder / result.file, place / "content", key, aad)
        return (place / "content").read_bytes()
    finally:
        wipe(place)


def _aad(task: str, name: str) -> bytes:
    return f"{task}|{name}".encode()
