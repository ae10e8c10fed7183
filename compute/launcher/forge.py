"""Makes the process of a job: writes its journal first, then forks. What can be put up here is found by trying."""

import hashlib
import os
import selectors
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from compute.images import manifest
from compute.launcher import ends, jobinit, staging, wire
from compute.launcher.ends import Entry
from compute.launcher.model import JobSpec, Json, Level, Limits, Walls
from compute.launcher.uids import fresh_uid
from compute.sandbox import gate
from compute.sandbox.cgroup import Group
from compute.sandbox.command import Hold
from compute.sandbox.model import not_above
from vocab.errors import Refusal

_SHARED: Final = Path("/var/lib/dure")
#: What a trial is called; no job may be called so.
TRIAL: Final = "_trial-"
_TRIAL_SECONDS: Final = 30.0
#: What is tried, best first. The second is for a root whose kernel has user namespaces switched off.
_ROOT_TRIALS: Final[tuple[tuple[Level, bool], ...]] = (("full", True), ("full", False), ("user", True), ("thin", True))
_PLAIN_TRIALS: Final[tuple[tuple[Level, bool], ...]] = (("user", True), ("thin", True))


@dataclass(frozen=True, slots=True)
class Yard:
    """Where this launcher keeps its things: `rooms` is the empty folder over which jobs mount, unseen by each other."""

    state: Path
    uids: Path
    name: str

    @property
    def journal(self) -> Path:
        return self.state / "jobs"

    @property
    def rooms(self) -> Path:
        return self.state / "room"

    def file(self, job: str) -> Path:
        """The journal entry of `job`."""
        return self.journal / f"{job.replace(':', '_')}.json"

    def entries(self) -> list[Entry]:
        """Every job that was begun here and not forgotten."""
        return [Entry.load(file) for file in sorted(self.journal.glob("*.json"))]


def make_yard(socket_path: Path) -> Yard:
    """The folders of the launcher at `socket_path`: for root where a task's user can reach them, else beside it."""
    name = hashlib.sha256(os.fsencode(socket_path.resolve())).hexdigest()[:12]
    base = socket_path.parent / "launcher"
    if os.geteuid() == 0 and os.access(_SHARED.parent, os.W_OK):
        base = _SHARED / "launchers" / name
    shared = base.is_relative_to(_SHARED)
    yard = Yard(base, (_SHARED if shared else base) / "uid", name)
    modes = {_SHARED: 0o755, base.parent: 0o711} if shared else {}
    for folder, mode in {**modes, base: 0o711, yard.journal: 0o700, yard.rooms: 0o755}.items():
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    return yard


@dataclass(slots=True)
class Begun:
    """A job's process, just forked."""

    entry: Entry
    lines: wire.Lines


def begin(yard: Yard, spec: JobSpec, level: Level, user_namespace: bool) -> Begun:
    """Forks the job's process. Its journal entry is on disk before anything of the job exists."""
    root = os.geteuid() == 0
    hold = Hold(level, fresh_uid(yard.uids) if root else os.geteuid(), user_namespace)
    name = f"{yard.name}-{os.urandom(6).hex()}"
    folder = staging.thin_folder(name, yard.state) if level == "thin" else None
    planned = Group.named(f"dure-{name}") if level == "full" else Group({})
    entry = Entry(
        job=spec.job,
        level=level,
        boot_id=gate.kernel()["boot_id"],
        uid=hold.uid,
        own_uid=root,
        folders=planned.folders,
        folder=str(folder or ""),
    )
    entry.save(yard.file(spec.job))
    group = planned.made(spec.limits)
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _live(jobinit.Job(spec, hold, group, yard.rooms, folder), theirs.detach(), parent)
    theirs.close()
    entry = replace(entry, folders=group.folders if group else {}).with_process(pid)
    entry.save(yard.file(spec.job))
    return Begun(entry, wire.Lines(ours))


def find_walls(yard: Yard, image: Path) -> tuple[Walls, bool]:
    """The highest walls that stand here, and whether they have a user namespace: each is put up until one holds.

    What a launcher that died while it tried has left is cleaned away first.
    """
    for entry in yard.entries():
        if entry.job.startswith(TRIAL):
            ends.clean(entry)
            yard.file(entry.job).unlink()
    why = [] if os.geteuid() == 0 else ["full: not root"]
    for level, user_namespace in _ROOT_TRIALS if os.geteuid() == 0 else _PLAIN_TRIALS:
        answer = _tried(yard, image, level, user_namespace)
        if "prepared" in answer:
            evidence = answer["prepared"]["evidence"]
            return Walls(level, evidence, "; ".join(why)), user_namespace
        refusal = answer.get("refused", {"code": "silence"})
        why.append(f"{level}: {refusal.get('why', refusal['code'])}")
    return Walls("none", {}, "; ".join(why)), False


def allowed(spec: JobSpec, walls: Walls) -> Level:
    """The level that this job gets. Raises `Refusal` if there is none for it."""
    level = not_above(walls.level, spec.at_most)
    if level == "none":
        raise Refusal("no-walls", why=walls.why_not_higher or "none allowed")
    if level == "thin" and not spec.synthetic:
        raise Refusal("synthetic-only", needed="user", seen=level)
    return level


def checked_image(path: Path, digest: str, known: set[tuple[Path, str]]) -> None:
    """Reads an image whole when this launcher first uses it. Only the launcher's own user can write there after that.

    Raises `Refusal("image-changed")`.
    """
    if (path, digest) not in known:
        manifest.verify(path, digest)
        known.add((path, digest))


def _tried(yard: Yard, image: Path, level: Level, user_namespace: bool) -> Json:
    """Puts up walls of this kind around nothing, and takes them down."""
    spec = JobSpec(
        job=f"{TRIAL}{level}-{int(user_namespace)}",
        image=str(image),
        image_digest="",
        executors=[["python", "-c", ""]],
        outputs="",
        limits=Limits(output_mb=1, memory_mb=128, seconds=60, processes=32),
        synthetic=True,
    )
    begun = begin(yard, spec, level, user_namespace)
    answer: Json = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(begun.lines.end, selectors.EVENT_READ)
        while not answer and not begun.lines.closed and waiting.select(_TRIAL_SECONDS):
            answer = next(iter(begun.lines.received()), {})
    begun.lines.end.close()
    ends.clean(begun.entry)
    yard.file(spec.job).unlink()
    return answer


def _live(job: jobinit.Job, end: int, parent: int) -> NoReturn:
    """The forked child: keeps nothing of the launcher but its own line, and never returns."""
    try:
        kept = os.dup2(end, 3) if end != 3 else 3
        os.closerange(4, 1 << 20)
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):
            os.dup2(nothing, fd)
        os.close(nothing)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        jobinit.main(job, wire.Lines(socket.socket(fileno=kept)), parent)
    except BaseException:  # noqa: BLE001 - the launcher sees the line end; a person sees why
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(0)
