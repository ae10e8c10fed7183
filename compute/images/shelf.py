"""The shelf that images stand on: who uses which, and which may go.

A user holds a shared lock on its image's manifest: the kernel lets go of it when the user dies, however that happens.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: Images that stay although nobody uses them: the one before this one, for who goes back to it.
NEWEST: Final = 2


class Use:
    """An image stays where it is until `close`, or until this process ends."""

    def __init__(self, image: Path) -> None:
        self._handle = os.open(_manifest(image), os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        os.utime(self._handle)  # the newest is the one that was last put to use

    def close(self) -> None:
        """This user is done with it."""
        os.close(self._handle)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """One at a time builds, finds and clears up: a second builder waits and then finds the image."""
    with (root / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def prune(root: Path) -> list[Path]:
    """Removes the images that nobody uses but the newest, and what killed builders left. Only inside `alone`."""
    for abandoned in root.glob(".building-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    manifests = sorted(root.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    gone = [one.with_suffix("") for one in manifests[NEWEST:] if _removed(one)]
    for recipe in root.glob("recipe-*"):
        if not (root / f"{recipe.read_text().strip()}.json").exists():
            recipe.unlink()
    return gone


def _removed(manifest: Path) -> bool:
    """Whether nobody uses the image of `manifest`: then it is gone."""
    handle = os.open(manifest, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        manifest.unlink()
        shutil.rmtree(manifest.with_suffix(""), ignore_errors=True)
        return True
    finally:
        os.close(handle)


def _manifest(image: Path) -> Path:
    return image.with_name(image.name + ".json")
