"""What the zone tells its launcher and hears from it, as values that travel as JSON."""

import base64
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from compute.sandbox.model import Finding, Json, Level, Limits, Output, Walls

__all__ = ["Ended", "Finding", "Input", "JobSpec", "Json", "Level", "Limits", "Output", "Prepared", "State", "Walls"]

State = Literal["complete", "executor-error", "stopped", "expired", "memory", "system-error"]


@dataclass(frozen=True, slots=True)
class Input:
    """One sealed input: where its ciphertext lies, what it must be, and the context it was sealed and wrapped in."""

    name: str
    path: str
    sha256: str
    bytes: int
    aad: str


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job.

    `code` and `plain` are name -> path on this machine, copied read-only to /code and /in; `inputs` are opened to
    /in/NAME. `executors` run one after another: same /in and /out, a fresh /tmp. What they leave in /out is copied to
    the folder `outputs`. `synthetic`: the data's signed description says so. `trusted`: the zone's own code, whose text
    output may be read. `at_most` forces lower walls than the machine could put up.
    """

    job: str
    image: str
    image_digest: str
    executors: list[list[str]]
    outputs: str
    code: dict[str, str] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    plain: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    synthetic: bool = False
    trusted: bool = False
    at_most: Level = "full"

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, found: Json) -> "JobSpec":
        inputs = [Input(**one) for one in found["inputs"]]
        return cls(**{**found, "inputs": inputs, "limits": Limits(**found["limits"])})


@dataclass(frozen=True, slots=True)
class Prepared:
    """The walls stand and were looked at from outside; `public_key` (raw X25519) was born inside this job's process."""

    job: str
    public_key: bytes
    level: Level
    evidence: Json

    def to_json(self) -> Json:
        return {**asdict(self), "public_key": base64.b64encode(self.public_key).decode()}

    @classmethod
    def from_json(cls, found: Json) -> "Prepared":
        return cls(**{**found, "public_key": base64.b64decode(found["public_key"])})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended, and the evidence that nothing of it is left.

    `durations_ms`: prepare, gate, decrypt, executors (a list), collect, clean. `printed`: bytes written to stdout and
    stderr by executor; `texts`: their first 64 KiB, only of a trusted job. `evidence`: {"begin": ..., "end": ...}.
    """

    job: str
    state: State
    reason: str = ""
    exit_codes: list[int] = field(default_factory=list)
    durations_ms: Json = field(default_factory=dict)
    cpu_ms: int = 0
    peak_mb: int = 0
    printed: list[list[int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    evidence: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, found: Json) -> "Ended":
        outputs = [Output(**one) for one in found["outputs"]]
        return cls(**{**found, "outputs": outputs, "findings": [Finding(**one) for one in found["findings"]]})

    def with_end(self, evidence: Json) -> "Ended":
        """The same end with the evidence of what is left."""
        return replace(self, evidence={**self.evidence, "end": evidence})
