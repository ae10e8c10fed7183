"""The snapshot: the permit's columns under a key of the study, k on what leaves, frozen by digest."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sources_cutting import KEYS, NOW, Cut, query

from connector.sources.cut import Snapshot, pseudonym
from connector.sources.eligible import read_cohort
from connector.sources.profile import KR_MED_1, read
from vocab.errors import Refusal


def rows(snapshot: Snapshot, folder: Path, part: str, columns: str = "*") -> list[tuple[object, ...]]:
    path = folder / snapshot.part(part).file
    return query(f"SELECT {columns} FROM read_parquet('{path}')")


def pseudonyms(snapshot: Snapshot, folder: Path) -> set[object]:
    return {row[0] for part in ("train", "holdout") for row in rows(snapshot, folder, part, "pseudonym")}


def test_the_digest_repeats_and_does_not_depend_on_the_hour(cut: Cut, tmp_path: Path) -> None:
    first, second = cut(out_dir=tmp_path / "a"), cut(out_dir=tmp_path / "b", now=NOW + 3_600_000)
    assert first.digest == second.digest
    for part in first.parts:
        content = (tmp_path / "b" / part.file).read_bytes()
        assert sha256(content).hexdigest() == part.sha256
        assert len(content) == part.bytes


def test_only_what_the_permit_names_leaves(cut: Cut, tmp_path: Path) -> None:
    asked = ("age", "sex", "hba1c", "outcome")
    snapshot = cut(columns=asked, permitted=asked)
    described = query(f"DESCRIBE SELECT * FROM read_parquet('{tmp_path}/H01/train.parquet')")
    assert [row[0] for row in described] == ["pseudonym", *asked]
    assert snapshot.quasi_identifiers == ("age", "sex")


def test_a_column_outside_the_permit_leaves_nothing(cut: Cut, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="column-outside-permit"):
        cut(permitted=[name for name in KR_MED_1.columns if name != "ldl"])
    with pytest.raises(Refusal, match="column-after-index"):
        cut(columns=["age", "egfr_followup"], permitted=["age", "egfr_followup"])
    assert not (tmp_path / "H01").exists()


def test_every_class_that_leaves_has_at_least_k_rows(cut: Cut, tmp_path: Path) -> None:
    snapshot = cut()
    quasi = ", ".join(snapshot.quasi_identifiers)
    smallest = f"SELECT min(n) FROM (SELECT count(*) n FROM read_parquet('{tmp_path}/H01/*.parquet') GROUP BY {quasi})"
    assert query(smallest) == [(snapshot.k,)]
    assert snapshot.k >= 5
    assert snapshot.rows + snapshot.suppressed + sum(snapshot.excluded.values()) == 2000


def test_a_higher_k_suppresses_more(cut: Cut, tmp_path: Path) -> None:
    strict = cut(profile=read(KR_MED_1.document() | {"k": 10}), out_dir=tmp_path / "strict")
    assert strict.k >= 10
    assert strict.suppressed > cut().suppressed


def test_a_fifth_is_held_out_and_nobody_is_in_both_parts(cut: Cut, tmp_path: Path) -> None:
    snapshot = cut()
    train, holdout = ({row[0] for row in rows(snapshot, tmp_path / "H01", part)} for part in ("train", "holdout"))
    assert not train & holdout
    assert len(train) + len(holdout) == snapshot.patients
    assert 0.15 < len(holdout) / snapshot.patients < 0.25


def test_another_key_holds_out_other_people(cut: Cut, tmp_path: Path, small: dict[str, Path]) -> None:
    held, numbers = [], read_cohort(small["H01"]).resident_numbers
    for name, key in (("a", b"a" * 32), ("b", b"b" * 32)):
        snapshot = cut(key=key, out_dir=tmp_path / name)
        out = {row[0] for row in rows(snapshot, tmp_path / name, "holdout")}
        held.append({number for number in numbers if pseudonym(key, "urn:uuid:1", number) in out})
    assert held[0]
    assert len(held[0] & held[1]) < len(held[0]) / 2


def test_the_fifty_people_in_both_hospitals_share_no_pseudonym(cut: Cut, tmp_path: Path) -> None:
    assert not pseudonyms(cut("H01"), tmp_path / "H01") & pseudonyms(cut("H03"), tmp_path / "H03")
    # were the key the same, they would: only the key keeps them apart
    careless = cut("H03", key=KEYS["H01"], out_dir=tmp_path / "careless")
    assert len(pseudonyms(careless, tmp_path / "careless") & pseudonyms(cut("H01"), tmp_path / "H01")) > 10


def test_two_studies_share_no_pseudonym(cut: Cut, tmp_path: Path) -> None:
    other = cut(study="urn:uuid:2", out_dir=tmp_path / "other")
    assert not pseudonyms(cut(), tmp_path / "H01") & pseudonyms(other, tmp_path / "other")


def test_a_pseudonym_keeps_96_bits_and_has_no_digit() -> None:
    made = pseudonym(b"k" * 32, "study", "580101-9000001")
    assert len(made) * 4 >= 96
    assert made.isalpha()


def test_whoever_opted_out_is_not_in_the_next_cut(cut: Cut, tmp_path: Path, small: dict[str, Path]) -> None:
    before = pseudonyms(cut(), tmp_path / "H01")
    with closing(sqlite3.connect(small["H01"])) as connection:
        people = connection.execute("SELECT patient_id, resident_number FROM patients").fetchall()
    patient_id, number = next(one for one in people if pseudonym(KEYS["H01"], "urn:uuid:1", one[1]) in before)
    after = cut(opt_outs={patient_id}, out_dir=tmp_path / "after")
    assert pseudonym(KEYS["H01"], "urn:uuid:1", number) not in pseudonyms(after, tmp_path / "after")
    assert after.excluded["opted-out"] == 1
    assert after.digest != cut().digest


def test_when_k_leaves_nobody_nothing_is_cut(cut: Cut) -> None:
    with pytest.raises(Refusal, match="nothing-left"):
        cut(profile=read(KR_MED_1.document() | {"k": 2000}))


def test_a_short_key_is_a_mistake(cut: Cut) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        cut(key=b"short")


def test_only_the_house_can_read_what_was_cut(cut: Cut, tmp_path: Path) -> None:
    cut()
    files = list((tmp_path / "H01").iterdir())
    assert {path.name for path in files} == {"train.parquet", "holdout.parquet"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "H01").stat().st_mode & 0o777 == 0o700
