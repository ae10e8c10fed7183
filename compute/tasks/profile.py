"""What a TES 1.1 task must be here: read once, strictly, with the member at fault named.

Members that TES knows and this profile does not use are kept and have no effect only where they cannot weaken
anything; those that would (volumes, foreign addresses, other images) are refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compute.engines.model import Capabilities
from compute.launcher.model import Limits
from vocab.errors import Refusal
from vocab.records.code import code_digest

HELD: Final = "dure:held"
MOST_CODE: Final = 512 * 1024
_INPUT: Final = re.compile(r"dsp://agreement/([A-Za-z0-9][A-Za-z0-9_.:-]{0,99})/(train|holdout)", re.ASCII)
_IMAGE: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,99}@(sha256:[0-9a-f]{64})", re.ASCII)
_PATH: Final = re.compile(r"/(in|code|out)((?:/(?!\.+(?:/|$))[A-Za-z0-9_.-]{1,120}){1,8})", re.ASCII)

Text = Annotated[str, Field(max_length=4000)]


class _Tes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _Input(_Tes):
    path: Text
    url: Text | None = None
    content: str | None = None
    type: str = "FILE"


class _Output(_Tes):
    path: Text
    url: Text
    type: str = "FILE"


class _Executor(_Tes):
    image: Text
    command: tuple[Text, ...] = Field(min_length=1, max_length=100)
    env: Mapping[str, Text] | None = None
    ignore_error: bool | None = None
    workdir: str | None = None
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None


class _Resources(_Tes):
    cpu_cores: int | None = Field(default=None, ge=1)
    ram_gb: float | None = Field(default=None, gt=0, le=1_000_000)
    disk_gb: float | None = Field(default=None, gt=0)
    preemptible: bool | None = None
    backend_parameters: Mapping[str, str] | None = None


class _Task(_Tes):
    name: Text = ""
    description: Text = ""
    inputs: tuple[_Input, ...] = Field(min_length=1, max_length=200)
    outputs: tuple[_Output, ...] = Field(min_length=1, max_length=100)
    executors: tuple[_Executor, ...] = Field(min_length=1, max_length=4)
    resources: _Resources = _Resources()
    tags: Mapping[str, str]
    volumes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Mounted:
    """A staged part as the task wants it: at `/in/<name>`."""

    agreement: str
    part: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A task in our own words."""

    study: str
    permit: str
    image_digest: str
    code: Mapping[str, bytes]
    inputs: tuple[Mounted, ...]
    outputs: tuple[str, ...]
    executors: tuple[tuple[str, ...], ...]
    env: Mapping[str, str]
    limits: Limits

    @property
    def code_digest(self) -> str:
        """What a permit names."""
        return code_digest(self.code)


def read(document: object, able: Capabilities) -> Asked:
    """The task in a TES document. Raises `Refusal("task-outside-profile")` that names the member."""
    try:
        found = _Task.model_validate_json(_text(document))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _outside(".".join(str(part) for part in first["loc"]) or "task", first["msg"], None) from None
    images = {_image(number, one) for number, one in enumerate(found.executors)}
    if len(images) != 1:
        raise _outside("executors.image", "one image", len(images))
    if found.volumes:
        raise _outside("volumes", "none", len(found.volumes))
    for tag in ("study", "permit"):
        if not found.tags.get(tag):
            raise _outside(f"tags.{tag}", "an id", None)
    code = {_below("code", one.path): one.content.encode() for one in found.inputs if one.content is not None}
    if not code or sum(map(len, code.values())) > MOST_CODE:
        raise _outside("inputs.content", f"code of 1 to {MOST_CODE} bytes", sum(map(len, code.values())))
    inputs = tuple(_mounted(number, one) for number, one in enumerate(found.inputs) if one.content is None)
    if not inputs or len({one.name for one in inputs}) < len(inputs):
        raise _outside("inputs", "staged parts, each at a path of its own", len(inputs))
    return Asked(
        study=found.tags["study"],
        permit=found.tags["permit"],
        image_digest=images.pop(),
        code=code,
        inputs=inputs,
        outputs=tuple(_declared(number, one) for number, one in enumerate(found.outputs)),
        executors=tuple(one.command for one in found.executors),
        env=_env(found.executors),
        limits=_limits(found.resources, able),
    )


def _text(document: object) -> bytes:
    if not isinstance(document, dict):
        raise _outside("task", "an object", type(document).__name__)
    return json.dumps(document).encode()


def _outside(where: str, needed: object, seen: object) -> Refusal:
    return Refusal("task-outside-profile", where=where, needed=needed, seen=seen)


def _image(number: int, one: _Executor) -> str:
    found = _IMAGE.fullmatch(one.image)
    if not found:
        raise _outside(f"executors.{number}.image", "name@sha256:<hex>", one.image[:200])
    if one.workdir not in (None, "", "/out"):
        raise _outside(f"executors.{number}.workdir", "/out", one.workdir[:200])
    for name in ("stdin", "stdout", "stderr"):
        if getattr(one, name):
            raise _outside(f"executors.{number}.{name}", "nothing", getattr(one, name)[:200])
    if one.ignore_error:
        raise _outside(f"executors.{number}.ignore_error", False, True)
    return found.group(1)


def _below(folder: str, path: str) -> str:
    found = _PATH.fullmatch(path)
    if not found or found.group(1) != folder:
        raise _outside("path", f"/{folder}/<name>", path[:200])
    return found.group(2).removeprefix("/")


def _mounted(number: int, one: _Input) -> Mounted:
    found = _INPUT.fullmatch(one.url or "")
    if not found or one.type != "FILE":
        raise _outside(f"inputs.{number}.url", "dsp://agreement/<agreement>/<part>", (one.url or one.type)[:200])
    return Mounted(found.group(1), found.group(2), _below("in", one.path))


def _declared(number: int, one: _Output) -> str:
    if one.url != HELD or one.type != "FILE":
        raise _outside(f"outputs.{number}.url", HELD, one.url[:200])
    return _below("out", one.path)


def _env(executors: tuple[_Executor, ...]) -> Mapping[str, str]:
    """One environment for all executors: they share their walls."""
    found = [dict(one.env or {}) for one in executors]
    if any(one != found[0] for one in found):
        raise _outside("executors.env", "the same for every executor", len(found))
    return found[0]


def _limits(wanted: _Resources, able: Capabilities) -> Limits:
    if wanted.preemptible:
        raise _outside("resources.preemptible", False, True)
    parameters = dict(wanted.backend_parameters or {})
    seconds = parameters.pop("max_seconds", "600")
    if parameters:
        raise _outside("resources.backend_parameters", "max_seconds", min(parameters)[:100])
    if not re.fullmatch(r"[1-9][0-9]{0,6}", seconds, re.ASCII) or int(seconds) > able.seconds:
        raise _outside("resources.backend_parameters.max_seconds", f"1..{able.seconds}", seconds[:20])
    cpus = wanted.cpu_cores or min(2, able.cpus)
    memory = round((wanted.ram_gb or 1.0) * 1024)
    if cpus > able.cpus:
        raise _outside("resources.cpu_cores", f"<= {able.cpus}", cpus)
    if not 1 <= memory <= able.memory_mb:
        raise _outside("resources.ram_gb", f"<= {able.memory_mb / 1024:.1f}", wanted.ram_gb)
    return Limits(cpus=cpus, memory_mb=memory, seconds=int(seconds))
