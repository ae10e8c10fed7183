"""A job's private place: the only one where its inputs are ever plain.

Walls of level `full` and `user` have it in a tmpfs inside a mount namespace that only the job's process and its task
see: it ends with the process, whatever ends the process. `thin` has a folder, which must be wiped.
"""

import hashlib
import io
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.launcher.model import Input, JobSpec, Json
from compute.sandbox import kernel
from compute.sandbox.command import Hold, Room
from connector.kit.erase import overwrite
from vocab.errors import Refusal

_NAME: Final = re.compile(r"(?!\.+(/|$))[A-Za-z0-9_.-]{1,120}(/(?!\.+(/|$))[A-Za-z0-9_.-]{1,120}){0,7}", re.ASCII)
_MB: Final = 1 << 20
_SCRATCH_MB: Final = 128  # for /tmp and /dev/shm together
_FILES: Final = 16384
_SHM: Final = Path("/dev/shm")  # noqa: S108 - memory, not a disk, where a machine has it


@dataclass(slots=True)
class Place:
    """The private place of one job. `medium` is what the evidence says of it."""

    base: Path
    hold: Hold
    medium: Json

    def room(self, image: Path, number: int) -> Room:
        """The room of executor `number`, with a fresh /tmp and /dev/shm; those of the one before are gone."""
        room = Room(image, self.base, number)
        for folder in (self.base / f"tmp{number - 1}", self.base / f"shm{number - 1}"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (room.tmp, room.shm):
            self._owned(folder)
        return room

    def furnish(self, spec: JobSpec) -> Json:
        """Makes the folders, copies code and plain files in, and returns what was copied with its SHA-256."""
        for name in ("in", "code"):
            (self.base / name).mkdir(mode=0o755)
        self._owned(self.base / "out")
        given = {f"code/{name}": source for name, source in spec.code.items()}
        given |= {f"in/{name}": source for name, source in spec.plain.items()}
        return {name: self._copied(Path(source), name) for name, source in given.items()}

    def target(self, name: str) -> Path:
        """Where input `name` will lie plain. Raises `Refusal("spec-invalid")` for a name that is none."""
        target = self.base / "in" / checked_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def shown(self, path: Path) -> None:
        """Lets the task read what only we could."""
        path.chmod(0o444)

    def _owned(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, self.hold.uid, self.hold.uid)

    def _copied(self, source: Path, name: str) -> str:
        checked_name(name)
        target = self.base / name
        for folder in reversed(target.relative_to(self.base).parents):
            (self.base / folder).mkdir(mode=0o755, exist_ok=True)
        with _regular(source, name) as reader:
            content = reader.read()
        target.write_bytes(content)
        self.shown(target)
        return hashlib.sha256(content).hexdigest()


def make_place(spec: JobSpec, hold: Hold, mount_point: Path, folder: Path | None) -> Place:
    """The place for this job: at `mount_point`, seen by nobody else, or for thin walls the `folder`."""
    if folder is not None:
        place = Place(folder, hold, {"kind": "folder", "memory": _in_memory(folder), "noswap": False})
        place._owned(folder)
        return place
    size = _needed_mb(spec)
    _room_left(size)
    user = os.geteuid()
    _own_mounts(user)
    options = f"size={size}m,nr_inodes={_FILES + len(spec.inputs)},mode=0755"
    flags = kernel.NOSUID | kernel.NODEV
    noswap = user == 0
    try:
        kernel.mount("place", str(mount_point), "tmpfs", flags, options + (",noswap" if noswap else ""))
    except OSError:
        if not noswap:
            raise
        noswap = False
        kernel.mount("place", str(mount_point), "tmpfs", flags, options)
    return Place(mount_point, hold, {"kind": "tmpfs", "memory": True, "noswap": noswap, "size_mb": size})


def thin_folder(name: str, state: Path) -> Path:
    """Where a thin job's folder would be: in memory if the machine has a place for that."""
    return (_SHM if _in_memory(_SHM) and os.access(_SHM, os.W_OK) else state) / f"dure-{name}"


def wipe(folder: Path) -> bool:
    """Overwrites and removes everything below `folder`. True if it is gone."""
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                overwrite(Path(path) / name)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def open_input(one: Input) -> io.FileIO:
    """The ciphertext of `one`, found to be what was agreed. Raises `Refusal("input-changed")`."""
    reader = _regular(Path(one.path), one.name)
    if os.fstat(reader.fileno()).st_size != one.bytes:
        reader.close()
        raise Refusal("input-changed", name=one.name, why="size")
    seen = hashlib.file_digest(reader, "sha256").hexdigest()
    if seen != one.sha256:
        reader.close()
        raise Refusal("input-changed", name=one.name, why="digest", needed=one.sha256, seen=seen)
    reader.seek(0)
    return reader


def checked_name(name: str) -> str:
    """`name`, if it may be one inside. Raises `Refusal("spec-invalid")`."""
    if not _NAME.fullmatch(name):
        raise Refusal("spec-invalid", why=f"name {ascii(name)[:80]}")
    return name


def _regular(path: Path, name: str) -> io.FileIO:
    """A regular file, opened unbuffered and without following a link: a socket in a bind would be a door."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal("input-changed", name=name, why=error.strerror) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Refusal("input-changed", name=name, why="not a regular file")
    return io.FileIO(fd, "rb")


def _own_mounts(user: int) -> None:
    """A mount namespace of our own; a plain user needs a user namespace for that, in which it stays itself."""
    group = os.getegid()
    kernel.unshare(kernel.NEW_MOUNTS | (kernel.NEW_USER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    kernel.private_mounts()


def _needed_mb(spec: JobSpec) -> int:
    files = [Path(path) for path in (*spec.code.values(), *spec.plain.values())]
    plain = sum(path.stat().st_size for path in files if path.is_file())
    pages = 8192 * (len(files) + len(spec.inputs))  # each file ends in a page of its own
    return (sum(one.bytes for one in spec.inputs) + plain + pages) // _MB + 1 + spec.limits.output_mb + _SCRATCH_MB


def _room_left(needed_mb: int) -> None:
    """Raises `Refusal("no-room")` rather than let the kernel choose whom to kill."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    left = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
    if needed_mb > left:
        raise Refusal("no-room", needed=needed_mb, seen=left)


def _in_memory(folder: Path) -> bool:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return any(kind == "tmpfs" and folder.is_relative_to(at) and at != "/" for _, at, kind, *_ in mounts)
