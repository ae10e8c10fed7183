"""No identifier of the source leaves in a snapshot; whoever plants one is found."""

import hashlib
from pathlib import Path

import duckdb
import pytest
from sources_cutting import Cut

from connector.sources.eligible import read_cohort
from connector.sources.leaks import accepted, scan_snapshot
from vocab.errors import Refusal


def test_a_snapshot_is_clean(cut: Cut, tmp_path: Path, small: dict[str, Path]) -> None:
    snapshot = cut()
    files = [tmp_path / "H01" / part.file for part in snapshot.parts]
    findings = accepted(scan_snapshot(small["H01"], files))
    assert findings.clean
    assert findings.needles > 5000


@pytest.mark.parametrize("made", ["str", "md5", "sha256"])
def test_a_pseudonym_made_without_a_key_is_found(cut: Cut, tmp_path: Path, small: dict[str, Path], made: str) -> None:
    cut()
    number = read_cohort(small["H01"]).resident_numbers[3]
    leaked = number if made == "str" else hashlib.new(made, number.encode()).hexdigest()[:24]
    path = tmp_path / "leaky.parquet"
    query = f"SELECT * REPLACE (if(i = 100, '{leaked}', pseudonym) AS pseudonym)"
    query += f" FROM (SELECT *, row_number() OVER () AS i FROM read_parquet('{tmp_path}/H01/train.parquet'))"
    duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    findings = scan_snapshot(small["H01"], [path])
    assert [(one.kind, one.count) for one in findings.found if one.place == "column pseudonym"] == [
        ("resident_number", 1)
    ]
    with pytest.raises(Refusal, match="leak-found") as caught:
        accepted(findings)
    assert number not in str(caught.value)


def test_a_scan_that_proves_nothing_accepts_nothing(small: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(Refusal, match="scan-proves-nothing"):
        accepted(scan_snapshot(small["H01"], [path]))
