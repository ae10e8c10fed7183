"""The log's public files: `checkpoint`, `tile/...`, and the tlog-policy beside them. Each is whole or not there."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: What may be asked for over HTTP: nothing that could lead out of the folder.
TILE: Final = re.compile(r"tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,6}[0-9]{3}(\.p/[0-9]{1,3})?", re.ASCII)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes each file under its final name only when it is whole on the disk; writing it again changes nothing."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.new")
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    for parent in {(folder / name).parent for name in files}:
        _sync(parent)


def read(path: Path) -> bytes | None:
    """The file, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
