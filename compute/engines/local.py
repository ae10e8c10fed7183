"""The engine `local`: jobs behind this machine's own walls, started by the node's launcher."""

import asyncio
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from compute.engines.model import Capabilities, ImageFacts
from compute.images.build import build_image, images_folder
from compute.images.shelf import Use
from compute.launcher.client import Launcher
from compute.launcher.model import Ended, JobSpec, Json, Level, Prepared, Walls
from compute.sandbox.model import not_above

#: What one task may ask for at most (S1: 10 minutes).
SECONDS = 3600
NAME = "dure-task"


class Local:
    """The launcher, its walls and its image."""

    def __init__(
        self, launcher: Launcher, image: ImageFacts, use: Use, walls: Walls, at_most: Level, places: int
    ) -> None:
        self._launcher, self._use, self._walls, self._places = launcher, use, walls, places
        self.image = image
        self.capabilities = self._able(at_most)

    def lower(self, at_most: Level) -> None:
        """From now on walls no higher than this, as high as the machine allows."""
        self.capabilities = self._able(at_most)

    def _able(self, at_most: Level) -> Capabilities:
        level = not_above(self._walls.level, at_most)
        why = self._walls.why_not_higher if level == self._walls.level else f"at most {at_most}"
        return Capabilities(level, why, os.cpu_count() or 1, _memory_mb(), SECONDS, self._places)

    async def submit(self, spec: JobSpec) -> Prepared:
        return await self._launcher.prepare(spec)

    async def start(self, job: str, keys: Mapping[str, bytes]) -> None:
        await self._launcher.start(job, keys)

    async def ended(self, job: str) -> Ended:
        return await self._launcher.wait(job)

    async def cancel(self, job: str, why: str) -> Ended:
        return await self._launcher.stop(job, why)

    async def freeze(self, job: str, frozen: bool) -> None:
        await (self._launcher.freeze(job) if frozen else self._launcher.thaw(job))

    async def reconcile(self, live: Collection[str]) -> Mapping[str, Json]:
        return await self._launcher.sweep(set(live))

    async def forget(self, job: str) -> None:
        await self._launcher.forget(job)

    async def close(self) -> None:
        """Ends the launcher, and every job with it."""
        await self._launcher.close()
        self._use.close()


async def opened(folder: Path, at_most: Level, places: int, now: int) -> Local:
    """The engine with its image built and its walls tried. Raises `Refusal("image-impossible" | "launcher-gone")`."""
    built, use = await asyncio.to_thread(build_image, images_folder(folder))
    launcher = Launcher(folder / "launcher.sock", built.path)
    try:
        await launcher.open()
        walls = await launcher.walls()
    except BaseException:
        use.close()
        raise
    return Local(launcher, ImageFacts(NAME, f"sha256:{built.digest}", built.path, now), use, walls, at_most, places)


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
