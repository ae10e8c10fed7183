"""What walls are: their levels, what they limit, and what passes their gate."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Level = Literal["full", "user", "thin", "none"]
#: From the highest wall to no wall.
LEVELS: Final[tuple[Level, ...]] = ("full", "user", "thin", "none")

Json = dict[str, Any]


def not_above(level: Level, most: Level) -> Level:
    """The lower one of two levels."""
    return max(level, most, key=LEVELS.index)


@dataclass(frozen=True, slots=True)
class Walls:
    """What this machine can put up, tried and not guessed. `why_not_higher` is empty at the highest level."""

    level: Level
    evidence: Json
    why_not_higher: str

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, found: Json) -> "Walls":
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use. `seconds` counts from its first executor; `processes` counts threads too."""

    cpus: int = 2
    memory_mb: int = 1024
    seconds: int = 600
    output_mb: int = 64
    processes: int = 256


@dataclass(frozen=True, slots=True)
class Output:
    """One file that the structural gate let through."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What the structural gate found; any finding holds back the whole set."""

    code: str
    name: str
