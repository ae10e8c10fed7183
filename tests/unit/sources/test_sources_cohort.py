"""The synthetic source, and who of it belongs to the study."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connector.sources.cohort import make_source
from connector.sources.eligible import RULES, identifiers, read_cohort
from connector.sources.people import SHARED
from vocab.errors import Refusal


def rows(source: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(source)) as connection:
        return connection.execute(query).fetchall()


def change(source: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_source(tmp_path / "source.sqlite", "H01", 500, seed=1)
    return tmp_path / "source.sqlite"


def test_the_same_seed_makes_the_same_patients_and_another_seed_does_not(source: Path, tmp_path: Path) -> None:
    make_source(tmp_path / "again.sqlite", "H01", 500, seed=1)
    make_source(tmp_path / "other.sqlite", "H01", 500, seed=2)
    everything = "SELECT * FROM patients p JOIN visits USING (patient_id) ORDER BY 1, date"
    assert rows(source, everything) == rows(tmp_path / "again.sqlite", everything)
    assert rows(source, everything) != rows(tmp_path / "other.sqlite", everything)


def test_only_the_house_can_read_the_source(source: Path) -> None:
    assert source.stat().st_mode & 0o777 == 0o600


def test_no_identifier_could_be_a_real_persons(small: dict[str, Path]) -> None:
    found = rows(small["H01"], "SELECT resident_number, phone FROM patients")
    assert all(str(number)[7] in "90" and str(phone).startswith("010-0000-") for number, phone in found)
    assert len({number for number, _ in found}) == 2000


def test_fifty_people_are_patients_of_both_hospitals(small: dict[str, Path]) -> None:
    query = "SELECT name, resident_number, phone, birth_date, sex FROM patients"
    both = set(rows(small["H01"], query)) & set(rows(small["H03"], query))
    assert len(both) == SHARED == 50


def test_every_exclusion_is_counted_once(small: dict[str, Path]) -> None:
    cohort = read_cohort(small["H01"])
    assert sum(cohort.excluded.values()) + len(cohort) == cohort.patients == 2000
    assert all(cohort.excluded[reason] > 0 for reason in ("diagnosis", "egfr", "died", "lost", "age"))


#: For each rule a change to one patient who was in the study, that puts them out of it by this rule.
BREAKS = {
    "incomplete": "UPDATE patients SET ldl = NULL",
    "age": "UPDATE patients SET birth_date = '1920-01-01'",
    "diagnosis": "UPDATE patients SET diagnosis = 'E10.2'",
    "index-date": "UPDATE patients SET index_date = '2022-01-01', labs_date = '2021-12-01'",
    "labs-window": "UPDATE patients SET labs_date = date(index_date, '+1 day')",
    "egfr": "UPDATE patients SET egfr = 59.9",
    "died": "UPDATE patients SET died_on = date(index_date, '+2 years')",
    "lost": "UPDATE patients SET last_seen = date(index_date, '+2 years')",
}


@pytest.mark.parametrize("reason", RULES)
def test_each_rule_of_the_study_excludes(source: Path, reason: str) -> None:
    before = read_cohort(source)
    at = before.columns["outcome"].index(0)
    change(source, f"{BREAKS[reason]} WHERE resident_number = ?", before.resident_numbers[at])
    after = read_cohort(source)
    assert after.excluded[reason] == before.excluded[reason] + 1
    assert len(after) == len(before) - 1


#: (visits as days after the index date with their eGFR) -> is it chronic kidney disease within three years?
SERIES = [
    ([(100, 50), (190, 50)], 1),
    ([(100, 50), (189, 50)], 0),
    ([(100, 50), (150, 70), (400, 50)], 1),
    ([(1000, 50), (1200, 50)], 0),
    ([(-100, 50), (100, 50)], 0),
    ([(0, 50), (100, 50)], 0),
    ([(100, 60), (400, 60)], 0),
]


@pytest.mark.parametrize(("visits", "event"), SERIES)
def test_the_event_is_two_low_values_ninety_days_apart_within_three_years(
    source: Path, visits: list[tuple[int, float]], event: int
) -> None:
    cohort = read_cohort(source)
    number = cohort.resident_numbers[cohort.columns["outcome"].index(0)]
    of_patient = "patient_id = (SELECT patient_id FROM patients WHERE resident_number = ?)"
    change(source, f"DELETE FROM visits WHERE {of_patient}", number)
    added = "SELECT patient_id, date(index_date, ? || ' days'), ? FROM patients WHERE resident_number = ?"
    for days, egfr in visits:
        change(source, f"INSERT INTO visits {added}", days, egfr, number)
    after = read_cohort(source)
    assert after.columns["outcome"][after.resident_numbers.index(number)] == event


def test_whoever_opted_out_is_not_in_the_cohort(source: Path) -> None:
    before = read_cohort(source)
    refused = before.resident_numbers[7]
    [(patient_id,)] = rows(source, f"SELECT patient_id FROM patients WHERE resident_number = '{refused}'")
    after = read_cohort(source, {str(patient_id)})
    assert set(before.resident_numbers) - set(after.resident_numbers) == {refused}
    assert after.excluded["opted-out"] == 1


def test_one_person_recorded_twice_is_refused(source: Path) -> None:
    numbers = read_cohort(source).resident_numbers
    change(source, "UPDATE patients SET resident_number = ? WHERE resident_number = ?", numbers[0], numbers[1])
    with pytest.raises(Refusal, match="source-unreadable"):
        read_cohort(source)


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at")
    for source in (tmp_path / "missing.sqlite", tmp_path / "text"):
        with pytest.raises(Refusal, match="source-unreadable"):
            read_cohort(source)
        with pytest.raises(Refusal, match="source-unreadable"):
            identifiers(source)
