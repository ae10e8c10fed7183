"""An engine without walls, for tests of everything around them: it opens its inputs with the keys that it was given,
and does what the test says. Nothing outside tests may do that."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from compute.engines.model import Capabilities, ImageFacts
from compute.launcher.model import Ended, JobSpec, Json, Level, Output, Prepared, State
from connector.kit.sealed import open_stream, unwrap
from vocab.errors import Refusal

BEGIN = {"place": {"kind": "tmpfs", "memory": True, "noswap": True}, "swap": "off", "level": "full"}
END = {"nothing_left": True, "swap": "off", "processes_left": 0}
#: Called with the opened inputs and plain files by name, and the argv; returns what it leaves in /out.
Work = Callable[[Mapping[str, bytes], list[list[str]]], Mapping[str, bytes]]


def nothing(_inputs: Mapping[str, bytes], _executors: list[list[str]]) -> Mapping[str, bytes]:
    return {}


@dataclass
class Job:
    spec: JobSpec
    key: X25519PrivateKey
    end: asyncio.Future[Ended]
    inputs: dict[str, bytes] = field(default_factory=dict)
    frozen: bool = False


class Bare:
    """The stand-in. `hold`: jobs stay running until they are stopped or `hold` is taken away."""

    def __init__(self, folder: Path, work: Work = nothing, level: Level = "full") -> None:
        self.folder, self.work, self.level = folder, work, level
        self.hold = False
        self.begin: Json = dict(BEGIN)
        self.jobs: dict[str, Job] = {}
        self.journal: dict[str, Json] = {}
        self.ran: list[str] = []
        self.breaks_at = ""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.level, "", 2, 4096, 3600, 1)

    @property
    def image(self) -> ImageFacts:
        return ImageFacts("dure-task", "sha256:" + "ab" * 32, self.folder, 1)

    def lower(self, at_most: Level) -> None:
        self.level = at_most

    async def submit(self, spec: JobSpec) -> Prepared:
        self._break("submit")
        key = X25519PrivateKey.generate()
        self.jobs[spec.job] = Job(spec, key, asyncio.get_running_loop().create_future())
        self.journal[spec.job] = dict(END)
        self.jobs[spec.job].inputs |= {name: _read(path) for name, path in {**spec.code, **spec.plain}.items()}
        return Prepared(spec.job, key.public_key().public_bytes_raw(), self.level, {**self.begin, "level": self.level})

    async def start(self, job: str, keys: Mapping[str, bytes]) -> None:
        self._break("start")
        found = self._known(job)
        for one in found.spec.inputs:
            target = self.folder / f"{job}-{hashlib.sha256(one.name.encode()).hexdigest()[:8]}"
            assert hashlib.sha256(_read(one.path)).hexdigest() == one.sha256
            aad = one.aad.encode()
            open_stream(Path(one.path), target, unwrap(found.key, keys[one.name], aad), aad)
            found.inputs[one.name] = target.read_bytes()
            target.unlink()
        self.ran.append(job)
        asyncio.get_running_loop().call_soon(self._go_on, job)

    async def ended(self, job: str) -> Ended:
        self._break("ended")
        return await asyncio.shield(self._known(job).end)

    async def cancel(self, job: str, why: str) -> Ended:
        found = self._known(job)
        if not found.end.done():
            found.end.set_result(self._end(found.spec, "stopped", why))
        return found.end.result()

    async def freeze(self, job: str, frozen: bool) -> None:
        self._known(job).frozen = frozen

    async def reconcile(self, live: Collection[str]) -> Mapping[str, Json]:
        return {job: dict(evidence) for job, evidence in self.journal.items() if job not in live}

    async def forget(self, job: str) -> None:
        self.jobs.pop(job, None)
        self.journal.pop(job, None)

    def let_go(self) -> None:
        """Held jobs run to their end."""
        self.hold = False
        for job in list(self.jobs):
            self._go_on(job)

    def die(self) -> None:
        """The process that held the jobs is gone; its journal is not."""
        self.jobs.clear()

    def _go_on(self, job: str) -> None:
        found = self.jobs.get(job)
        if self.hold or found is None or found.end.done():
            return
        left = dict(self.work(found.inputs, found.spec.executors))
        outputs = []
        for name, content in left.items():
            target = Path(found.spec.outputs) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            outputs.append(Output(name, len(content), hashlib.sha256(content).hexdigest()))
        ended = self._end(found.spec, "complete", "")
        found.end.set_result(replace(ended, outputs=outputs, exit_codes=[0] * len(found.spec.executors)))

    def _end(self, spec: JobSpec, state: State, why: str) -> Ended:
        evidence: dict[str, Any] = {"begin": dict(self.begin), "end": dict(END)}
        return Ended(spec.job, state, why, cpu_ms=12, peak_mb=34, evidence=evidence)

    def _known(self, job: str) -> Job:
        if job not in self.jobs:
            raise Refusal("job-unknown", job=job)
        return self.jobs[job]

    def _break(self, where: str) -> None:
        if self.breaks_at == where:
            self.breaks_at = ""
            raise Refusal("launcher-gone")


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
