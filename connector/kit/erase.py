"""Files that must be gone: overwritten, removed, and durably so. What a disk keeps elsewhere is out of reach."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20


def erase(path: Path) -> None:
    """Erases a file, or a folder with everything below it. What is not there is gone already."""
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            erase(inner)
        path.rmdir()
    elif path.is_symlink() or not path.exists():
        path.unlink(missing_ok=True)
    else:
        _overwrite(path)
        path.unlink(missing_ok=True)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Makes what was created, renamed or removed in `folder` durable."""
    with suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _overwrite(path: Path) -> None:
    path.chmod(0o600)
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        left = os.fstat(handle).st_size
        while left > 0:
            left -= os.write(handle, bytes(min(left, _PIECE)))
        os.fsync(handle)
    finally:
        os.close(handle)
