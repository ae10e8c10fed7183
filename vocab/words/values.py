"""Values that know what they are, so that one page serves both languages: `Won(30)` is `30원` here and `₩30` there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


class Won(int):
    """Money, whole won."""


class Bytes(int):
    """A count of bytes."""


class At(int):
    """A point in time, UTC milliseconds, shown to the minute."""


class AtSecond(int):
    """A point in time, UTC milliseconds, shown to the second."""


class Day(int):
    """A date, any UTC millisecond of it."""


class Lasting(int):
    """A span of milliseconds."""


class Share(float):
    """A part of a whole, 0 to 1, shown in percent."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the word list, with its own values."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Both:
    """A name or sentence that its owner wrote in both languages: an organisation, a dataset, a policy's clause."""

    ko: str
    en: str


Value: TypeAlias = str | int | float | Said | Both | Sequence["Value"] | None
