"""What an engine is: something that runs a job behind walls and can say what is left of it.

`local` runs it on this machine. Slurm and Kubernetes will stand beside it: they only have to keep these promises.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from compute.launcher.model import Ended, JobSpec, Json, Level, Prepared


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image that tasks may name: `digest` is `sha256:<hex>`."""

    name: str
    digest: str
    path: Path
    built_at: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this engine can give. `places` is how many jobs run at a time; `level` the highest walls it can put up."""

    level: Level
    why_not_higher: str
    cpus: int
    memory_mb: int
    seconds: int
    places: int


class Engine(Protocol):
    """Submission has two halves, because between them each hospital decides whether it hands over its key."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can give."""
        ...

    @property
    def image(self) -> ImageFacts:
        """The image that it has."""
        ...

    def lower(self, at_most: Level) -> None:
        """From now on walls no higher than this, as high as the machine allows."""
        ...

    async def submit(self, spec: JobSpec) -> Prepared:
        """Puts up the walls and makes the job's key."""
        ...

    async def start(self, job: str, keys: Mapping[str, bytes]) -> None:
        """Lets the job begin with its wrapped keys."""
        ...

    async def ended(self, job: str) -> Ended:
        """Waits for the job's end."""
        ...

    async def cancel(self, job: str, why: str) -> Ended:
        """Ends the job in any phase."""
        ...

    async def freeze(self, job: str, frozen: bool) -> None:
        """Holds the job's processes, or lets them go on."""
        ...

    async def reconcile(self, live: Collection[str]) -> Mapping[str, Json]:
        """Ends and cleans every job that is not `live`; what was seen of each."""
        ...

    async def forget(self, job: str) -> None:
        """The job's end is stored."""
        ...


#: From the lowest walls to the highest.
LOWEST_FIRST: Final = ("thin", "user", "full")
