"""What a job's specification must be before anything is begun for it."""

import re
from typing import Final

from compute.launcher.model import JobSpec, Limits
from compute.launcher.staging import checked_name
from compute.sandbox.model import LEVELS
from vocab.errors import Refusal

_JOB: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_EXECUTORS: Final = 8
_MOST: Final = Limits(cpus=1024, memory_mb=1 << 22, seconds=30 * 86400, output_mb=1 << 20, processes=1 << 16)


def checked_spec(spec: JobSpec) -> None:
    """Raises `Refusal("spec-invalid")` for a specification that no one should have sent."""
    words = [word for argv in spec.executors for word in argv]
    inputs = [one.name for one in spec.inputs]
    rules = (
        ("job", bool(_JOB.fullmatch(spec.job))),
        ("executors", 1 <= len(spec.executors) <= _EXECUTORS and all(spec.executors)),
        ("words", all("\0" not in str(word) for word in [*words, *spec.env.values()])),
        ("env", all(_VARIABLE.fullmatch(name) for name in spec.env)),
        ("level", spec.at_most in LEVELS),
        ("names", len({*inputs, *spec.plain}) == len(inputs) + len(spec.plain)),
        ("limits", _within(spec.limits)),
    )
    for name in (*inputs, *spec.plain, *spec.code):
        checked_name(name)
    wrong = [what for what, right in rules if not right]
    if wrong:
        raise Refusal("spec-invalid", why=", ".join(wrong))


def _within(limits: Limits) -> bool:
    names = ("cpus", "memory_mb", "seconds", "output_mb", "processes")
    return all(type(value := getattr(limits, name)) is int and 1 <= value <= getattr(_MOST, name) for name in names)
