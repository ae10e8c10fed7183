"""Files that must be gone: overwritten, removed, and durably so. What a disk keeps elsewhere is out of reach."""

import errno
import os
import stat
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
        with suppress(OSError):  # a socket, a second name: only this name goes
            overwrite(path)
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


def overwrite(path: Path) -> None:
    """Overwrites a regular file that has no other name. A link is never followed: its target is somebody else's.

    Raises `OSError` for anything that is not such a file; nothing was changed then.
    """
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(held)
        if not stat.S_ISREG(seen.st_mode) or seen.st_nlink != 1:
            raise OSError(errno.EINVAL, "not a regular file with one name", str(path))
        same = f"/proc/self/fd/{held}"  # the file that was looked at, whatever the path says by now
        os.chmod(same, 0o600)  # noqa: PTH101
        handle = os.open(same, os.O_WRONLY | os.O_CLOEXEC)
        try:
            left = seen.st_size
            while left > 0:
                left -= os.write(handle, bytes(min(left, _PIECE)))
            os.fsync(handle)
        finally:
            os.close(handle)
    finally:
        os.close(held)
