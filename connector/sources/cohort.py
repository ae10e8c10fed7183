"""A synthetic hospital: `source.sqlite` with identified patients and their visits (scenario.md, study S1).

Identified and impossible: its names, numbers and phones belong to nobody (`people`), its health to no one (`disease`).
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Final

from connector.sources.disease import Draw, Health, health, series
from connector.sources.people import SHARED, SIDO, Person, person


@dataclass(frozen=True, slots=True)
class Hospital:
    """What makes one hospital's patients differ from another's. `digit` begins its own serial numbers."""

    code: str
    name: str
    digit: int
    home: str
    near: tuple[str, ...]
    older: float
    risk: float

    def catchment(self, sido: str) -> str:
        """How far away a patient lives, in three classes."""
        return "home" if sido == self.home else "near" if sido in self.near else "other"


HOSPITALS: Final = {
    "H01": Hospital("H01", "새빛대학병원", 1, "대구", ("경북", "경남"), 0.0, -2.70),
    "H03": Hospital("H03", "한결의료원", 3, "충북", ("충남", "대전", "세종"), 1.0, -2.63),
}

PATIENTS: Final = {
    "patient_id": "TEXT PRIMARY KEY",
    "name": "TEXT",
    "resident_number": "TEXT",
    "phone": "TEXT",
    "birth_date": "TEXT",
    "sex": "TEXT",
    "sido": "TEXT",
    "sigungu": "TEXT",
    "diagnosis": "TEXT",
    "index_date": "TEXT",
    "labs_date": "TEXT",
    "diabetes_duration": "REAL",
    "height_cm": "REAL",
    "weight_kg": "REAL",
    "hba1c": "REAL",
    "sbp": "REAL",
    "egfr": "REAL",
    "uacr": "REAL",
    "ldl": "REAL",
    "smoking": "INTEGER",
    "hypertension": "INTEGER",
    "ras_inhibitor": "INTEGER",
    "insulin": "INTEGER",
    "sglt2_inhibitor": "INTEGER",
    "cvd": "INTEGER",
    "last_seen": "TEXT",
    "died_on": "TEXT",
    "egfr_followup": "REAL",
    "hba1c_followup": "REAL",
    "note": "TEXT",
}

_INSERT: Final = f"INSERT INTO patients VALUES ({', '.join('?' * len(PATIENTS))})"  # noqa: S608

_FIRST_DAY: Final = date(1915, 1, 1).toordinal()
_ISO: Final = [date.fromordinal(day).isoformat() for day in range(_FIRST_DAY, date(2027, 1, 1).toordinal())]
_NEW_YEAR: Final = {year: date(year, 1, 1).toordinal() for year in range(2016, 2024)}


def _iso(day: int) -> str:
    return _ISO[day - _FIRST_DAY]


#: How often a record falls outside the study, and for what reason (scenario.md: excluded and counted).
_ODD: Final = (
    (0.004, "diagnosis"),
    (0.006, "egfr"),
    (0.002, "labs"),
    (0.002, "incomplete"),
    (0.008, "lost"),
    (0.006, "dead"),
)
_ODDS: Final = tuple(zip(accumulate(share for share, _ in _ODD), (reason for _, reason in _ODD), strict=True))


def _odd(draw: Draw) -> str:
    at = draw.uniform()
    return next((reason for share, reason in _ODDS if at < share), "")


def _record(
    draw: Draw, hospital: Hospital, number: int, who: Person, index_day: int, state: Health, sido: str
) -> tuple[tuple[object, ...], list[tuple[str, str, float]]]:
    """One row of `patients` and its rows of `visits`."""
    odd = _odd(draw)
    patient_id = f"{hospital.code}-{number:07d}"
    complete_until = index_day + 1100 + draw.below(200)
    seen = index_day + 30 + draw.below(1000) if odd in {"lost", "dead"} else complete_until
    values = series(draw, state, index_day, seen)
    sigungu = SIDO[sido][1]
    height = draw.normal(168 if who.sex == "M" else 156, 6, 140, 195)
    labs_day = index_day - (400 if odd == "labs" else draw.below(170))
    row = (
        patient_id,
        *(who.name, who.resident_number, who.phone, who.birth_date, who.sex),
        *(sido, sigungu[draw.below(len(sigungu))]),
        f"E10.{draw.below(10)}" if odd == "diagnosis" else f"E11.{draw.below(10)}",
        _iso(index_day),
        _iso(labs_day),
        state.duration,
        round(height, 1),
        round(state.bmi * height * height / 10_000, 1),
        state.hba1c,
        state.sbp,
        round(40 + 19 * draw.uniform(), 1) if odd == "egfr" else state.egfr,
        None if odd == "incomplete" else state.uacr,
        state.ldl,
        *(state.smoking, state.hypertension, state.ras_inhibitor),
        *(state.insulin, state.sglt2_inhibitor, state.cvd),
        _iso(seen),
        _iso(seen) if odd == "dead" else None,
        values[1][1] if len(values) > 1 else None,
        round(state.hba1c - 0.4 + 0.6 * draw.uniform(), 1),
        f"{who.name} 님 보호자 {who.phone}로 연락, 식사 교육함",
    )
    return row, [(patient_id, _iso(day), value) for day, value in values]


def _people(draw: Draw, hospital: Hospital, n: int, seed: int) -> Iterator[tuple[Person, int, int]]:
    """(person, index day, age): first those whom every hospital knows, then this hospital's own."""
    common = Draw(f"dure/{seed}/shared")
    for number in range(n):
        year = draw.uniform()
        in_year = 2017 if year < 0.002 else 2018 + (year > 0.25) + (year > 0.5) + (year > 0.73)
        index_day = _NEW_YEAR[in_year] + draw.below(365)
        shared = number < SHARED
        source = common if shared else draw
        age = int(source.normal(61 + (0 if shared else 2 * hospital.older), 11.0, 30, 94))
        sex = "M" if source.uniform() < 0.56 else "F"
        reference = _NEW_YEAR[2020] if shared else index_day
        born = reference - int(age * 365.25) - 1 - source.below(364)
        serial = number if shared else hospital.digit * 100_000 + number
        yield person(source.rng, _iso(born), sex, serial), index_day, (index_day - born) * 100 // 36525


def _homes(hospital: Hospital) -> list[tuple[float, str]]:
    """Cumulative shares of the 시도 that patients come from: 62 % home, 25 % near, the rest by population."""
    total = sum(share for share, _ in SIDO.values())
    shares = {sido: 0.13 * share / total for sido, (share, _) in SIDO.items()}
    shares[hospital.home] += 0.62
    for sido in hospital.near:
        shares[sido] += 0.25 / len(hospital.near)
    return list(zip(accumulate(shares.values()), shares, strict=True))


def create_tables(connection: sqlite3.Connection, hospital: Hospital) -> None:
    """The tables of a hospital's source, empty but for its catchment."""
    connection.execute(f"CREATE TABLE patients ({', '.join(f'{name} {kind}' for name, kind in PATIENTS.items())})")
    connection.execute("CREATE TABLE visits (patient_id TEXT, date TEXT, egfr REAL)")
    connection.execute("CREATE TABLE catchment (sido TEXT PRIMARY KEY, class TEXT)")
    connection.executemany("INSERT INTO catchment VALUES (?, ?)", [(sido, hospital.catchment(sido)) for sido in SIDO])


def insert(
    connection: sqlite3.Connection, rows: list[tuple[object, ...]], visits: list[tuple[str, str, float]]
) -> None:
    """Patients with their visits."""
    connection.executemany(_INSERT, rows)
    connection.executemany("INSERT INTO visits VALUES (?, ?, ?)", visits)


def make_source(path: Path, hospital: str, n: int, seed: int) -> int:
    """Write `hospital`'s source of `n` patients to `path` (0600, replaced whole or not at all); how many visits.

    The same arguments give the same rows. The first 50 people are the same at every hospital of one `seed`.
    """
    of, draw = HOSPITALS[hospital], Draw(f"dure/{seed}/{hospital}")
    homes = _homes(of)
    rows: list[tuple[object, ...]] = []
    visits: list[tuple[str, str, float]] = []
    for number, (who, index_day, age) in enumerate(_people(draw, of, n, seed)):
        at = draw.uniform()
        sido = next((name for share, name in homes if at < share), of.home)
        row, found = _record(draw, of, number, who, index_day, health(draw, of.risk, age, who.sex), sido)
        rows.append(row)
        visits += found
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    connection = sqlite3.connect(unfinished)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        create_tables(connection, of)
        insert(connection, rows, visits)
        connection.commit()
    finally:
        connection.close()
    unfinished.replace(path)
    return len(visits)
