"""A small space: the operator, two hospitals and a company, all members of each other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.space import Space
from tests.unit.evidence.evidence_parties import ready


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Space]:
    async with Space(tmp_path, ["op", "h01", "h03", "a02"]) as space:
        await space.join()
        for name in space.names:
            ready(space, name)
        yield space
