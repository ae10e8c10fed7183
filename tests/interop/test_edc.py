"""Live: Eclipse EDC and Dure negotiate and move open data, each on either side; what comes of it stands in the docs."""

from pathlib import Path

import pytest

from tests.conftest import need
from tests.interop.edc import edc, table
from tests.interop.edc.play import play


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", table.ROLES)
def test_a_whole_life_with_edc_comes_out_as_the_page_says(role: str, tmp_path: Path) -> None:
    version = table.VERSIONS[0]  # the others: `uv run python -m tests.interop.edc.all`
    need(edc.installed(version), edc.install(version))
    seen = table.lines(version, role, play(version, role, tmp_path))
    print("\n".join(seen))
    assert not [one for one in seen if "FAILED" in one]
    assert seen == table.kept(version, role)
