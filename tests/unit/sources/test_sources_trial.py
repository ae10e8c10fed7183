"""The trial run: what the profile does, what every other choice would cost, and nothing kept."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from connector.sources.eligible import read_cohort
from connector.sources.profile import KR_MED_1, read
from connector.sources.sample import sample
from connector.sources.trial import Trial, run_trial
from vocab.errors import Refusal


@pytest.fixture(scope="module")
def trial(small: dict[str, Path]) -> Trial:
    return run_trial(small["H01"], KR_MED_1)


def test_the_same_input_gives_the_same_digest_and_another_does_not(small: dict[str, Path], trial: Trial) -> None:
    assert run_trial(small["H01"], KR_MED_1) == trial
    assert run_trial(small["H03"], KR_MED_1).digest != trial.digest
    assert run_trial(small["H01"], read(KR_MED_1.document() | {"k": 6})).digest != trial.digest


def test_k_and_suppression_are_what_a_plain_count_finds(small: dict[str, Path], trial: Trial) -> None:
    columns = read_cohort(small["H01"]).columns
    ages = [35 if int(age or 0) < 40 else min(80, int(age or 0) // 5 * 5) for age in columns["age"]]
    sizes = Counter(zip(ages, columns["sex"], columns["catchment"], columns["index_year"], strict=True))
    assert trial.k_before == min(sizes.values())
    assert trial.suppressed == sum(size for size in sizes.values() if size < 5)
    assert trial.k == min(size for size in sizes.values() if size >= 5)
    assert trial.classes == sum(size >= 5 for size in sizes.values())


def test_classes_whose_rows_all_have_the_event_are_counted(tmp_path: Path, small: dict[str, Path]) -> None:
    source = tmp_path / "source.sqlite"
    source.write_bytes(small["H01"].read_bytes())
    with closing(sqlite3.connect(source)) as connection:
        young = "SELECT patient_id FROM patients WHERE birth_date > '1966-01-01'"
        connection.execute(f"DELETE FROM visits WHERE patient_id IN ({young})")
        for days in (100, 300):
            connection.execute(
                f"INSERT INTO visits SELECT patient_id, date(index_date, '+{days} days'), 50 FROM patients"
                f" WHERE patient_id IN ({young})"
            )
        connection.commit()
    found = run_trial(source, KR_MED_1)
    assert found.all_event_classes > 5
    assert found.all_event_rows >= 5 * found.all_event_classes
    assert found.diversity == 1


def test_almost_every_row_is_unique_once_all_columns_are_looked_at(trial: Trial) -> None:
    assert trial.unique_percent > 99


def test_every_choice_of_rungs_has_its_price_and_one_is_chosen(trial: Trial) -> None:
    assert len(trial.lattice) == 27
    [picked] = [choice for choice in trial.lattice if choice.verdict == "chosen"]
    assert (picked.age, picked.residence, picked.index_year) == ("5-year", "catchment", "1-year")
    assert picked.suppressed == trial.suppressed
    assert all(choice.suppressed_percent > 1 for choice in trial.refused)


def test_a_coarser_rung_never_suppresses_more(trial: Trial) -> None:
    price = {(one.age, one.residence, one.index_year): one.suppressed for one in trial.lattice}
    for age, residence, year in price:
        assert price[age, residence, "1-year"] >= price[age, residence, "2-year"] >= price[age, residence, "none"]
        assert price[age, "sigungu", year] >= price[age, "sido", year] >= price[age, "catchment", year]
        assert price["exact", residence, year] >= price["5-year", residence, year] >= price["10-year", residence, year]


def test_top_and_bottom_codes_are_counted(trial: Trial) -> None:
    coded = {one.column: one for one in trial.coded}
    assert (coded["age"].bottom, coded["age"].top) == (35, 80)
    assert coded["age"].bottom_rows > 0
    assert coded["uacr"].top == 1000


def test_a_trial_leaves_no_file_behind(small: dict[str, Path], trial: Trial) -> None:
    assert {path.name for path in small["H01"].parent.iterdir()} == {"H01.sqlite", "H03.sqlite"}
    numbers = read_cohort(small["H01"]).resident_numbers
    written = json.dumps(trial.document())
    assert not any(number in written for number in numbers)


def test_words_in_a_category_are_free_text(tmp_path: Path, small: dict[str, Path]) -> None:
    source = tmp_path / "source.sqlite"
    source.write_bytes(small["H01"].read_bytes())
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE patients SET sex = note")
        connection.commit()
    with pytest.raises(Refusal) as caught:
        run_trial(source, KR_MED_1)
    assert (caught.value.code, caught.value.values["column"]) == ("free-text", "sex")


@pytest.mark.parametrize("hospital", ["H01", "H03"])
def test_one_patient_before_and_after_shows_the_real_bands(hospital: str) -> None:
    shown = sample(hospital, KR_MED_1)
    assert list(shown.after) == ["pseudonym", *KR_MED_1.columns]
    assert (shown.after["age"], shown.after["residence"], shown.after["hba1c"]) == (60, "home", 7.5)
    assert {"name", "resident_number", "phone", "note"} <= set(shown.dropped)
    assert not {str(shown.before[name]) for name in shown.dropped} & set(map(str, shown.after.values()))
