"""Who belongs to study S1, and what of each patient is looked at: one SQL statement over the identified source.

It runs in SQLite, where the source is: visits and names never leave that file, only what profiles can use goes on.
Rules: adults 30-89 with type 2 diabetes (KCD E11), eGFR >= 60 at the first outpatient visit 2018-2021, three years of
follow-up (scenario.md, S1). Every patient who falls out is counted under the first rule that says so.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vocab.errors import Refusal

#: What the statement yields after `patient_id`, `resident_number` and `reason`, with DuckDB's types.
RAW: Final = {
    "age": "INTEGER",
    "sex": "VARCHAR",
    "sido": "VARCHAR",
    "sigungu": "VARCHAR",
    "catchment": "VARCHAR",
    "index_year": "INTEGER",
    "diabetes_duration": "DOUBLE",
    "bmi": "DOUBLE",
    "hba1c": "DOUBLE",
    "sbp": "DOUBLE",
    "egfr": "DOUBLE",
    "uacr": "DOUBLE",
    "ldl": "DOUBLE",
    "smoking": "INTEGER",
    "hypertension": "INTEGER",
    "ras_inhibitor": "INTEGER",
    "insulin": "INTEGER",
    "sglt2_inhibitor": "INTEGER",
    "cvd": "INTEGER",
    "outcome": "INTEGER",
}

#: Why a patient is not in the study; the first that holds is counted.
RULES: Final = {
    "incomplete": " OR ".join(f"{name} IS NULL" for name in RAW),
    "age": "age NOT BETWEEN 30 AND 89",
    "diagnosis": "diagnosis NOT LIKE 'E11%'",
    "index-date": "index_date NOT BETWEEN '2018-01-01' AND '2021-12-31'",
    "labs-window": "julianday(index_date) - julianday(labs_date) NOT BETWEEN 0 AND 180",
    "egfr": "egfr < 60",
    "died": "outcome = 0 AND died_on < date(index_date, '+3 years')",
    "lost": "outcome = 0 AND last_seen < date(index_date, '+3 years')",
}
#: Counted beside the rules: who said no.
OPTED_OUT: Final = "opted-out"

_COHORT: Final = f"""
WITH low AS (
    -- two eGFR below 60, at least 90 days apart, within three years of the index date
    SELECT patient_id, julianday(max(v.date)) - julianday(min(v.date)) >= 90 AS outcome
    FROM visits v JOIN patients p USING (patient_id)
    WHERE v.egfr < 60 AND v.date > p.index_date AND v.date <= min(date(p.index_date, '+3 years'), '2024-12-31')
    GROUP BY patient_id
), patient AS (
    SELECT patient_id, resident_number, diagnosis, index_date, labs_date, last_seen, died_on,
        (replace(index_date, '-', '') - replace(birth_date, '-', '')) / 10000 AS age,
        sex, sido, sigungu, coalesce(class, 'other') AS catchment,
        CAST(substr(index_date, 1, 4) AS INTEGER) AS index_year,
        diabetes_duration, weight_kg * 10000 / (height_cm * height_cm) AS bmi, hba1c, sbp, egfr, uacr, ldl,
        smoking, hypertension, ras_inhibitor, insulin, sglt2_inhibitor, cvd, coalesce(outcome, 0) AS outcome
    FROM patients LEFT JOIN low USING (patient_id) LEFT JOIN catchment USING (sido)
)
SELECT patient_id, resident_number, CASE {" ".join(f"WHEN {rule} THEN '{reason}'" for reason, rule in RULES.items())}
    END AS reason, {", ".join(RAW)}
FROM patient ORDER BY patient_id
"""  # noqa: S608 - made of the tables above, nothing from outside

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """The eligible patients, column by column, and how many fell out by which rule."""

    patients: int
    excluded: dict[str, int]
    resident_numbers: tuple[str, ...]
    columns: dict[str, tuple[Value, ...]]

    def __len__(self) -> int:
        return len(self.resident_numbers)


def read_cohort(source: Path, opt_outs: Collection[str] = ()) -> Cohort:
    """The study's cohort in `source` without the patients (by id) who opted out.

    Raises `Refusal("source-unreadable")`, also when one resident number stands twice: one person would count as two.
    """
    with closing(_opened(source)) as connection:
        return cohort_of(connection, opt_outs)


def cohort_of(connection: sqlite3.Connection, opt_outs: Collection[str] = ()) -> Cohort:
    """The same over an open source."""
    try:
        rows = connection.execute(_COHORT).fetchall()
    except sqlite3.Error as error:
        raise Refusal("source-unreadable", why=str(error)) from None
    refused = frozenset(opt_outs)
    reasons = [OPTED_OUT if row[0] in refused else row[2] for row in rows]
    kept = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
    numbers = tuple(row[1] for row in kept)
    if len(set(numbers)) != len(numbers):
        raise Refusal("source-unreadable", why="resident_number")
    counts = Counter(reasons)
    columns = list(zip(*kept, strict=True))[3:] or [()] * len(RAW)
    return Cohort(
        len(rows),
        {reason: counts[reason] for reason in (OPTED_OUT, *RULES)},
        numbers,
        dict(zip(RAW, columns, strict=True)),
    )


def identifiers(source: Path) -> dict[str, set[str]]:
    """Every identifier that `source` holds, by column: what must be found nowhere else."""
    kinds = ("patient_id", "name", "resident_number", "phone")
    with closing(_opened(source)) as connection:
        try:
            rows: Iterable[tuple[str, ...]] = connection.execute(f"SELECT {', '.join(kinds)} FROM patients").fetchall()  # noqa: S608
        except sqlite3.Error as error:
            raise Refusal("source-unreadable", why=str(error)) from None
    return {
        kind: {value for value in values if value} for kind, values in zip(kinds, zip(*rows, strict=True), strict=False)
    }


def _opened(source: Path) -> sqlite3.Connection:
    if not source.is_file():
        raise Refusal("source-unreadable", why=source.name)
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
