"""The launcher: a process of its own that alone starts tasks. JSON lines on a Unix socket that its owner may open.

    {"id": 7, "call": "prepare", "spec": {...}}   ->   {"id": 7, "ok": {...}}  or  {"id": 7, "refused": {...}}
                                                       {"event": "executor-started", "job": "...", "number": 0}

It has no network, no database and no key. It ends when its standard input ends, which the node holds open.
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from compute.launcher import ends, forge, wire
from compute.launcher.check import checked_spec
from compute.launcher.ends import Entry
from compute.launcher.model import Ended, JobSpec, Json, Walls
from compute.launcher.wire import Lines
from vocab.errors import Refusal

Phase = Literal["preparing", "waiting", "starting", "running", "ended"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is answered later."""

    peer: Lines
    id: int

    def answer(self, value: Json) -> None:
        self.peer.send({"id": self.id, "ok": value})

    def refuse(self, refusal: Refusal) -> None:
        self.peer.send({"id": self.id, "refused": wire.refusal_to_json(refusal)})


@dataclass(slots=True)
class Running:
    """What the launcher knows of one job."""

    entry: Entry
    lines: Lines
    owner: Lines
    phase: Phase = "preparing"
    asked: Asked | None = None
    waiting: list[Asked] = field(default_factory=list)
    begin: Json = field(default_factory=dict)
    meter: Json = field(default_factory=dict)
    said: Json = field(default_factory=dict)
    stopping: str = ""
    stop_began: float = 0.0
    ended: Ended | None = None


class Server:
    """The jobs of one node."""

    def __init__(self, yard: forge.Yard, walls: Walls, user_namespace: bool) -> None:
        self.yard, self.walls, self.user_namespace = yard, walls, user_namespace
        self.jobs: dict[str, Running] = {}
        self.images: set[tuple[Path, str]] = set()
        self.waiting = selectors.DefaultSelector()
        self.calls: Final[dict[str, Callable[[Asked, Json], None]]] = {
            "walls": lambda asked, _: asked.answer(self.walls.to_json()),
            "prepare": self._prepare,
            "start": self._start,
            "wait": self._wait,
            "stop": self._stop,
            "freeze": self._freeze,
            "sweep": self._sweep,
            "forget": self._forget,
        }

    def serve(self, listener: socket.socket, leash: int) -> None:
        """Answers until `leash` ends; then every job ends."""
        self.waiting.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        self.waiting.register(leash, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.waiting.select(5.0):
                if key.data is not None:
                    key.data()
                elif not os.read(leash, 4096):
                    for job in [one for one in self.jobs.values() if one.phase != "ended"]:
                        self._finish(job)
                    return
            self._reap()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        peer = Lines(connection)
        self.waiting.register(connection, selectors.EVENT_READ, lambda: self._heard(peer))

    def _heard(self, peer: Lines) -> None:
        for message in peer.received():
            asked = Asked(peer, message["id"])
            try:
                self.calls[message["call"]](asked, message)
            except Refusal as refusal:
                asked.refuse(refusal)
        if peer.closed:
            self.waiting.unregister(peer.end)
            peer.end.close()

    def _prepare(self, asked: Asked, message: Json) -> None:
        try:
            spec = JobSpec.from_json(message["spec"])
        except (KeyError, TypeError) as error:
            raise Refusal("spec-invalid", why=str(error)[:200]) from None
        checked_spec(spec)
        if spec.job in self.jobs or self.yard.file(spec.job).exists():
            raise Refusal("job-exists", job=spec.job)
        level = forge.allowed(spec, self.walls)
        forge.checked_image(Path(spec.image), spec.image_digest, self.images)
        begun = forge.begin(self.yard, spec, level, self.user_namespace)
        job = Running(begun.entry, begun.lines, asked.peer, asked=asked)
        self.jobs[spec.job] = job
        self.waiting.register(begun.lines.end, selectors.EVENT_READ, lambda: self._told(job))

    def _start(self, asked: Asked, message: Json) -> None:
        job = self._in_phase(message["job"], "waiting")
        job.phase, job.asked = "starting", asked
        job.lines.send({"start": message["keys"]})

    def _wait(self, asked: Asked, message: Json) -> None:
        job = self._known(message["job"])
        if job.ended:
            asked.answer(job.ended.to_json())
        else:
            job.waiting.append(asked)

    def _stop(self, asked: Asked, message: Json) -> None:
        """Kills the job's process: the kernel takes plaintext, key and walls with it, as in a crash."""
        job = self._known(message["job"])
        self._wait(asked, message)
        if not job.ended:
            job.stopping, job.stop_began = str(message["reason"]) or "stopped", time.monotonic()
            with suppress(ProcessLookupError):
                os.kill(job.entry.pid, signal.SIGKILL)

    def _freeze(self, asked: Asked, message: Json) -> None:
        job = self._in_phase(message["job"], "running")
        job.asked = asked
        job.lines.send({"freeze": bool(message["frozen"])})

    def _sweep(self, asked: Asked, message: Json) -> None:
        """Ends and cleans whatever the node does not call alive, of this launcher and of those before it.

        The evidence is given again until the node says that it has stored it: it may die before that.
        """
        live, swept = set(message["live"]), {}
        for job in [one for one in self.jobs.values() if not one.ended and one.entry.job not in live]:
            job.stopping = "swept"
            self._finish(job)
        for entry in self.yard.entries():
            if entry.job not in live:
                swept[entry.job] = ends.clean(entry, self._alive()).evidence
        asked.answer(swept)

    def _forget(self, asked: Asked, message: Json) -> None:
        """The node has stored how this job ended."""
        name = message["job"]
        if name in self.jobs and not self.jobs[name].ended:
            raise Refusal("job-state", job=name, seen=self.jobs[name].phase)
        self._forget_job(name)
        asked.answer({})

    def _forget_job(self, name: str) -> None:
        self.jobs.pop(name, None)
        self.yard.file(name).unlink(missing_ok=True)

    def _told(self, job: Running) -> None:
        """What a job's process says. Its end is the job's end."""
        for message in job.lines.received():
            if "prepared" in message:
                self._prepared(job, message)
            elif "running" in message:
                job.phase = "running"
                self._answered(job, {})
            elif "started" in message:
                job.owner.send({"event": "executor-started", "job": job.entry.job, "number": message["started"]})
            elif "meter" in message:
                job.meter = message["meter"]
            elif "frozen" in message:
                self._answered(job, {})
            else:  # ended, refused
                job.said = message
        if job.lines.closed:
            self._finish(job)

    def _prepared(self, job: Running, message: Json) -> None:
        job.begin = message["prepared"]["evidence"]
        found = job.begin["place"]
        job.entry = replace(
            job.entry,
            session=message["session"],
            pid_namespace=message["pid_namespace"],
            mount_namespace=message["namespaces"]["mnt"] if found["kind"] == "tmpfs" else 0,
            noswap=found["noswap"],
        )
        job.entry.save(self.yard.file(job.entry.job))
        job.phase = "waiting"
        self._answered(job, message["prepared"])

    def _answered(self, job: Running, value: Json) -> None:
        if job.asked:
            job.asked.answer(value)
            job.asked = None

    def _finish(self, job: Running) -> None:
        """The job's process is gone, or goes now: cleans, looks, and tells everyone who waits."""
        self.waiting.unregister(job.lines.end)
        job.lines.end.close()
        unborn = job.phase == "preparing"
        job.phase = "ended"
        remains = ends.clean(job.entry, self._alive())
        job.ended = self._ended(job, remains)
        if job.asked:
            reason = job.said.get("refused") or {"code": "job-state", "job": job.entry.job, "seen": job.ended.state}
            job.asked.refuse(wire.refusal_from_json(reason))
        for one in job.waiting:
            one.answer(job.ended.to_json())
        job.asked, job.waiting = None, []
        if unborn:
            self._forget_job(job.entry.job)

    def _ended(self, job: Running, remains: ends.Remains) -> Ended:
        """How it ended, by what its process said last and by why it is gone."""
        end = dict(remains.evidence)
        if job.stop_began:
            end["stop_ms"] = round((time.monotonic() - job.stop_began) * 1000, 3)
        if "ended" in job.said:
            ended = Ended.from_json(job.said["ended"])
        else:
            refused = job.said.get("refused", {}).get("code", "process-died")
            state, reason = ("stopped", job.stopping) if job.stopping else ("system-error", refused)
            ended = Ended(job.entry.job, state, reason, evidence={"begin": job.begin}, **job.meter)  # type: ignore[arg-type]
        cpu_ms, peak_mb = max(ended.cpu_ms, remains.cpu_ms), max(ended.peak_mb, remains.peak_mb)
        return replace(ended, cpu_ms=cpu_ms, peak_mb=peak_mb).with_end(end)

    def _alive(self) -> list[int]:
        return [one.entry.pid for one in self.jobs.values() if one.phase != "ended"]

    def _known(self, name: str) -> Running:
        if name not in self.jobs:
            raise Refusal("job-unknown", job=name)
        return self.jobs[name]

    def _in_phase(self, name: str, phase: Phase) -> Running:
        job = self._known(name)
        if job.phase != phase or job.asked or job.stopping:
            raise Refusal("job-state", job=name, needed=phase, seen=job.phase)
        return job

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
