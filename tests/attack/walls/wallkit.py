"""A launcher of the tests' own, jobs made of a few lines of code, and tools that must be there."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compute.images.build import build_image, images_folder
from compute.images.manifest import Image
from compute.launcher import ends, forge
from compute.launcher.client import Launcher
from compute.launcher.model import Ended, Input, JobSpec, Level, Limits
from connector.kit.sealed import new_key, seal_file, wrap

AAD = "agreement-1|train"
LEVELS: list[Level] = ["full", "user", "thin"]


def needed(here: bool, command: str) -> None:
    """Skips and names the one command that helps; in CI a missing tool is a failure."""
    if not here:
        (pytest.fail if os.environ.get("DURE_CI") else pytest.skip)(f"run: {command}")


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    built, use = build_image(images_folder(Path.home() / ".cache" / "dure-tests"))
    yield built
    use.close()


@pytest.fixture
async def launcher(image: Image, tmp_path: Path) -> AsyncIterator[Launcher]:
    one = Launcher(tmp_path / "launcher.sock", image.path)
    await one.open()
    yield one
    await one.close()
    yard = forge.make_yard(one.socket)
    for entry in yard.entries():
        ends.clean(entry)
    shutil.rmtree(yard.state)


@pytest.fixture(params=LEVELS)
async def level(request: pytest.FixtureRequest, launcher: Launcher) -> Level:
    """Every level that this machine and this user can put up."""
    asked: Level = request.param
    best = (await launcher.walls()).level
    if asked == "full" and os.geteuid():
        pytest.skip("run: sudo (full walls need root)")
    needed(asked == "thin" or bool(shutil.which("bwrap")), "apt-get install bubblewrap")
    needed(LEVELS.index(best) <= LEVELS.index(asked), f"a machine that allows {asked}: here {best}")
    return asked


class Jobs:
    """Jobs of a few lines."""

    def __init__(self, launcher: Launcher, image: Image, folder: Path) -> None:
        self.launcher, self.image, self.folder = launcher, image, folder
        self.key = new_key()
        self._numbers = itertools.count()

    def spec(self, code: str | Path, level: Level, secret: str | None = None, **changed: Any) -> JobSpec:
        number = next(self._numbers)
        folder = self.folder / f"job{number}"
        (folder / "out").mkdir(parents=True)
        script = folder / "task.py"
        script.write_text(code if isinstance(code, str) else code.read_text())
        inputs = []
        if secret is not None:
            (folder / "plain").write_text(secret)
            cipher = folder / "cipher"
            sealed = seal_file(folder / "plain", cipher, self.key, AAD.encode())
            (folder / "plain").unlink()
            inputs = [Input("data.csv", str(cipher), sealed.sha256, sealed.bytes, AAD)]
        values: dict[str, Any] = {
            "job": f"job-{os.getpid()}-{number}",
            "image": str(self.image.path),
            "image_digest": self.image.digest,
            "executors": [["python", "-I", "/code/task.py"]],
            "outputs": str(folder / "out"),
            "code": {"task.py": str(script)},
            "inputs": inputs,
            "limits": Limits(cpus=1, memory_mb=256, seconds=60, output_mb=16, processes=64),
            "synthetic": True,
            "at_most": level,
        }
        return JobSpec(**values | changed)

    async def begun(self, spec: JobSpec) -> JobSpec:
        """Prepared and started with the right keys."""
        prepared = await self.launcher.prepare(spec)
        blob = wrap(self.key, prepared.public_key, AAD.encode())
        await self.launcher.start(spec.job, {one.name: blob for one in spec.inputs})
        return spec

    async def done(self, spec: JobSpec) -> Ended:
        return await self.launcher.wait((await self.begun(spec)).job)


@pytest.fixture
def jobs(launcher: Launcher, image: Image, tmp_path: Path) -> Jobs:
    return Jobs(launcher, image, tmp_path)


async def until(fact: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Waits until `fact` gives something; fails if it does not."""
    async with asyncio.timeout(seconds):
        while not (found := fact()):  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)
    return found


def left(spec: JobSpec) -> dict[str, str]:
    """What came out of a job, by name."""
    folder = Path(spec.outputs)
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
