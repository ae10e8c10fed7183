"""One invented patient before and after: what a hospital's page shows of the transformation, made by it.

The patient goes through the same tables, the same SQL and the same rungs as everybody; only k is missing, because one
person is no class.
"""

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from connector.sources.banded import band, loaded
from connector.sources.cohort import HOSPITALS, PATIENTS, create_tables, insert
from connector.sources.cut import pseudonym
from connector.sources.eligible import Value, cohort_of
from connector.sources.profile import COLUMNS, Profile

_VISITS: Final = [("2020-09-11", 66.0), ("2021-06-18", 57.0), ("2021-12-20", 52.0)]


@dataclass(frozen=True, slots=True)
class Sample:
    """The patient as the source knows them, as the study gets them, and which columns go nowhere in any form."""

    before: dict[str, Value]
    after: dict[str, Value]
    dropped: tuple[str, ...]


def sample(hospital: str, profile: Profile) -> Sample:
    """An invented patient of `hospital` before and after `profile`; the pseudonym's key is thrown away."""
    of = HOSPITALS[hospital]
    before: dict[str, Value] = {
        **dict.fromkeys(PATIENTS),
        "patient_id": f"{of.code}-9999999",
        "name": "홍길동",
        "resident_number": "580214-9999999",
        "phone": "010-0000-0000",
        "birth_date": "1958-02-14",
        "sex": "M",
        "sido": of.home,
        "sigungu": "중구",
        "diagnosis": "E11.2",
        "index_date": "2020-03-17",
        "labs_date": "2020-02-25",
        "diabetes_duration": 8.4,
        "height_cm": 171.2,
        "weight_kg": 76.9,
        "hba1c": 7.8,
        "sbp": 137.0,
        "egfr": 73.4,
        "uacr": 46.2,
        "ldl": 104.0,
        "smoking": 1,
        "hypertension": 1,
        "ras_inhibitor": 1,
        "insulin": 0,
        "sglt2_inhibitor": 0,
        "cvd": 0,
        "last_seen": "2023-05-02",
        "egfr_followup": 57.0,
        "hba1c_followup": 7.4,
        "note": "홍길동 님 보호자 010-0000-0000로 연락",
    }
    with closing(sqlite3.connect(":memory:")) as source:
        create_tables(source, of)
        insert(source, [tuple(before.values())], [(f"{of.code}-9999999", *visit) for visit in _VISITS])
        cohort = cohort_of(source)
    stands_for = pseudonym(secrets.token_bytes(32), "sample", str(before["resident_number"]))
    with loaded(cohort, [stands_for]) as connection:
        band(connection, profile, profile.columns, pseudonym=True)
        names = ("pseudonym", *profile.columns)
        row = connection.execute(f"SELECT {', '.join(names)} FROM banded").fetchall()[0]  # noqa: S608
    dropped = tuple(name for name in before if name in COLUMNS and name not in profile.rungs)
    return Sample(before, dict(zip(names, row, strict=True)), dropped)
