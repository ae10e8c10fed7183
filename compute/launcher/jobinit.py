"""The process of one job: the private place, the key and the plaintext are its own and end with it.

Forked by the launcher, dies with it. It never outlives a job: however a job ends, this process ends, and the launcher
looks from outside at what is left (`ends`).
"""

import base64
import os
import resource
import selectors
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from compute.launcher import staging, wire
from compute.launcher.attend import Attendance
from compute.launcher.model import Ended, JobSpec, Json, Prepared, State
from compute.launcher.staging import Place
from compute.sandbox import gate, kernel
from compute.sandbox.cgroup import Group
from compute.sandbox.collect import collect
from compute.sandbox.command import Hold
from compute.sandbox.standing import Standing, raise_walls
from connector.kit.sealed import open_stream, unwrap, wrap
from vocab.errors import Refusal

_REFUSED: Final = "refused"


class Job:
    """One job from its walls to its end."""

    def __init__(self, spec: JobSpec, hold: Hold, group: Group | None, mount_point: Path, folder: Path | None) -> None:
        self.spec, self.hold, self.group = spec, hold, group
        self.mount_point, self.folder = mount_point, folder
        self.durations: Json = {"executors": []}
        self.host = gate.host_namespaces()

    def prepare(self) -> Prepared:
        """Puts up the first executor's walls, empty of data, and makes the key. Raises `Refusal`."""
        began = time.monotonic()
        self.sealed = [(one, staging.open_input(one)) for one in self.spec.inputs]
        self.place: Place = staging.make_place(self.spec, self.hold, self.mount_point, self.folder)
        kernel.undumpable()
        machine = gate.kernel()
        locked = machine["swap"] == "off" or kernel.lock_memory()
        copied = self.place.furnish(self.spec)
        self.standing = self._walls(0)
        self.durations["prepare"] = _since(began)
        self.key = X25519PrivateKey.generate()
        self.evidence: Json = {
            **self.standing.evidence,
            **machine,
            "level": self.hold.level,
            "user_namespace": self.hold.user_namespace and self.hold.level != "thin",
            "group": self.group.version if self.group else "none",
            "place": self.place.medium,
            "never_swapped": locked,
            "core_dumps": "off",
            "image": self.spec.image_digest,
            "copied": copied,
        }
        return Prepared(self.spec.job, self.key.public_key().public_bytes_raw(), self.hold.level, self.evidence)

    def start(self, keys: dict[str, str]) -> None:
        """Opens the inputs behind the walls and lets the first executor in. Raises `Refusal`; nothing ran then."""
        began = time.monotonic()
        seen = gate.look(self.standing.inside)
        if wrong := gate.faults(seen, self.host, self.hold, self.group):
            raise Refusal("gate-failed", why=", ".join(wrong))
        self.durations["gate"] = _since(began)
        began = time.monotonic()
        for one, reader in self.sealed:
            if one.name not in keys:
                raise Refusal("key-missing", name=one.name)
            aad = one.aad.encode()
            target = self.place.target(one.name)
            with reader:
                open_stream(reader, target, unwrap(self.key, base64.b64decode(keys[one.name]), aad), aad)
            self.place.shown(target)
        self.durations["decrypt"] = _since(began)
        del self.key
        self._let_in(0)

    def attend(self, lines: wire.Lines, started: float) -> Ended:
        """Runs the executors one after another, collects, and says how it went."""
        codes: list[int] = []
        printed: list[list[int]] = []
        texts: list[str] = []
        state: State = "complete"
        attendance = Attendance(lines, self.group, started + self.spec.limits.seconds, self.spec.limits)
        for number in range(len(self.spec.executors)):
            if number:
                self.standing = self._walls(number)
                self._let_in(number)
            lines.send({"started": number})
            began = time.monotonic()
            code, state = attendance.until_end(self.standing)
            clear = self.standing.pull_down(self.group)
            self.durations["executors"].append(_since(began))
            codes.append(code)
            printed.append(list(attendance.counts))
            texts += [text.decode("utf-8", "replace") for text in attendance.texts] if self.spec.trusted else []
            if state == "complete" and not clear:
                state = "system-error"
            if state != "complete":
                break
        ended = Ended(
            job=self.spec.job,
            state=state,
            exit_codes=codes,
            cpu_ms=attendance.cpu_ms,
            peak_mb=attendance.peak_mb,
            printed=printed,
            texts=texts,
            evidence={"begin": self.evidence},
            durations_ms=self.durations,
        )
        return self._collected(ended)

    def _collected(self, ended: Ended) -> Ended:
        """With the outputs, if every executor ended well."""
        if ended.state != "complete":
            return ended
        began = time.monotonic()
        found = collect(self.place.base / "out", Path(self.spec.outputs), self.spec.limits.output_mb)
        self.durations["collect"] = _since(began)
        return Ended.from_json({**ended.to_json(), **asdict(found), "durations_ms": self.durations})

    def _walls(self, number: int) -> Standing:
        room = self.place.room(Path(self.spec.image), number)
        return raise_walls(room, self.hold, self.spec.limits, self.group, self.host)

    def _let_in(self, number: int) -> None:
        threads = str(self.spec.limits.cpus)
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **self.spec.env}
        self.standing.let_in(self.spec.executors[number], environment)


def warm() -> None:
    """Loads what the first key would load, so that every fork has it."""
    key = X25519PrivateKey.generate()
    unwrap(key, wrap(bytes(32), key.public_key().public_bytes_raw(), b""), b"")


def main(job: Job, lines: wire.Lines, parent: int) -> None:
    """The whole life of the process. Says `prepared` or `refused`, waits for the keys, says how it ended."""
    kernel.die_with_parent(parent)
    kernel.adopt_orphans()
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        prepared = job.prepare()
        identity = {"session": job.standing.main, "namespaces": gate.namespaces("self")}
        inside = job.standing.evidence["namespaces"]["pid"] if job.hold.level != "thin" else 0
        lines.send({"prepared": prepared.to_json(), **identity, "pid_namespace": inside})
        keys = _keys(lines)
        job.start(keys)
        lines.send({"running": True})
        ended = job.attend(lines, time.monotonic())
    except Refusal as refusal:
        lines.send({_REFUSED: wire.refusal_to_json(refusal)})
    except OSError as error:
        why = f"{error.strerror} {error.filename or ''}".strip()
        lines.send({_REFUSED: wire.refusal_to_json(Refusal("gate-failed", why=why))})
    else:
        lines.send({"ended": ended.to_json()})


def _keys(lines: wire.Lines) -> dict[str, str]:
    """Waits for the wrapped keys; the launcher's end means ours."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(lines.end, selectors.EVENT_READ)
        while not lines.closed:
            waiting.select()
            for message in lines.received():
                if "start" in message:
                    found: dict[str, Any] = message["start"]
                    return found
    os._exit(0)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
