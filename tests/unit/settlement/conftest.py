"""The operator, two hospitals, a company and a zone, and a study that they played up to its end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.space import Space
from tests.unit.settlement.settlement_study import NAMES, Study, played


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Space]:
    async with Space(tmp_path, NAMES) as space:
        await space.join()
        yield space


@pytest.fixture
async def study(nodes: Space) -> Study:
    return await played(nodes)
