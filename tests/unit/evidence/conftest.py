"""A small space: the operator, two hospitals and a company, all members of each other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.space import Kept, Space, keep
from tests.unit.evidence.evidence_parties import ready


@pytest.fixture(scope="session")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("evidence"), ("op", "h01", "h03", "a02"))


@pytest.fixture
async def nodes(joined: Kept, tmp_path: Path) -> AsyncIterator[Space]:
    async with joined.again(tmp_path) as space:
        for name in space.names:
            ready(space, name)
        yield space
