"""The operator, two hospitals, a company and a zone, and a study that they played up to its end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.space import Kept, Space, keep
from tests.unit.settlement.settlement_study import NAMES, Study, played, signs


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    async def play(space: Space) -> tuple[str, str]:
        study = await played(space)
        return study.id, study.permit

    return keep(tmp_path_factory.mktemp("settlement"), NAMES, play)


@pytest.fixture
async def nodes(ended: Kept, tmp_path: Path) -> AsyncIterator[Space]:
    async with ended.again(tmp_path) as space:
        signs(space)
        yield space


@pytest.fixture
def study(nodes: Space, ended: Kept) -> Study:
    return Study(nodes, *ended.told)
