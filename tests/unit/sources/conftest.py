"""Small sources, made once: the study's rules do not need 20,000 patients."""

from pathlib import Path
from typing import Any

import pytest
from sources_cutting import KEYS, NOW, Cut

from connector.sources.cohort import make_source
from connector.sources.cut import Snapshot, cut_snapshot
from connector.sources.profile import KR_MED_1


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A source of 2,000 patients at each hospital."""
    folder = tmp_path_factory.mktemp("sources")
    for hospital in KEYS:
        make_source(folder / f"{hospital}.sqlite", hospital, 2000, seed=1)
    return {hospital: folder / f"{hospital}.sqlite" for hospital in KEYS}


@pytest.fixture
def cut(small: dict[str, Path], tmp_path: Path) -> Cut:
    """Cuts with everything permitted, unless told otherwise."""

    def cutting(hospital: str = "H01", **changed: Any) -> Snapshot:
        given: dict[str, Any] = {
            "out_dir": tmp_path / hospital,
            "study": "urn:uuid:1",
            "profile": KR_MED_1,
            "columns": KR_MED_1.columns,
            "permitted": KR_MED_1.columns,
            "opt_outs": (),
            "key": KEYS[hospital],
            "now": NOW,
        }
        return cut_snapshot(changed.pop("source", small[hospital]), **(given | changed))

    return cutting
