"""P01 with an engine of the tests' own, or with the real one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kept import copied
from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import CODE
from tests.unit.zone.world import KINDS, NAMES, World
from vocab.records.code import code_digest


@pytest.fixture
def engine(tmp_path: Path) -> Bare:
    (tmp_path / "engine").mkdir()
    return Bare(tmp_path / "engine")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everybody's keys."""
    found = World(tmp_path_factory.mktemp("keys"))
    for name in NAMES:
        for kind in KINDS:
            found.keys(name).public(kind)
    return found.folder


@pytest.fixture
async def world(tmp_path: Path, keys: Path, engine: Bare) -> AsyncIterator[World]:
    copied(keys, tmp_path)
    found = World(tmp_path)
    await found.start(engine)
    await found.standing()
    await found.add(found.permit([code_digest(CODE)], [engine.image.digest]))
    yield found
    await found.stop()


@pytest.fixture
async def both(world: World) -> World:
    """Both hospitals have staged."""
    for name in ("h01", "h03"):
        await world.staged(name)
    return world
