"""The trial run: what a profile would do to a source, in figures, before any study exists.

It runs in memory and writes nothing: it returns counts of this house's own patients, for this house's own people.
"""

import platform
import sqlite3
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import duckdb

from connector.sources.banded import band, loaded, one
from connector.sources.eligible import read_cohort
from connector.sources.profile import COLUMNS, Profile
from vocab.records.envelope import digest

#: The ladders that a hospital may climb; sex is taken as it is.
LADDERS: Final = ("age", "residence", "index_year")


@dataclass(frozen=True, slots=True)
class Coded:
    """How many rows a column's bottom and top code gather."""

    column: str
    bottom: float
    bottom_rows: int
    top: float
    top_rows: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of rungs and its price. `verdict`: chosen, affordable, refused (too many rows would be suppressed)."""

    age: str
    residence: str
    index_year: str
    classes: int
    suppressed: int
    suppressed_percent: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What the trial found. `k`, `diversity` and `closeness` speak of the rows that would leave."""

    profile: dict[str, Any]
    patients: int
    eligible: int
    excluded: dict[str, int]
    quasi_identifiers: tuple[str, ...]
    k_before: int
    k: int
    classes: int
    suppressed: int
    suppressed_percent: float
    within_limit: bool
    unique_percent: float
    diversity: int  # l: fewest different outcomes in a class
    closeness: float  # t: largest distance between a class's outcomes and everybody's
    all_event_classes: int
    all_event_rows: int
    coded: tuple[Coded, ...]
    lattice: tuple[Choice, ...]
    tools: dict[str, str]
    digest: str

    @property
    def refused(self) -> tuple[Choice, ...]:
        """The rungs that cost too much, cheapest first."""
        return tuple(choice for choice in self.lattice if choice.verdict == "refused")

    def document(self) -> dict[str, Any]:
        """The trial as plain JSON."""
        return asdict(self)


def tools() -> dict[str, str]:
    """What ran, by version: part of every record of a de-identification."""
    return {"python": platform.python_version(), "duckdb": duckdb.__version__, "sqlite": sqlite3.sqlite_version}


def run_trial(source: Path, profile: Profile) -> Trial:
    """Run `profile` on all its columns over `source`; the same source and profile give the same digest.

    Raises `Refusal`: `source-unreadable`, `free-text`.
    """
    cohort = read_cohort(source)
    with loaded(cohort) as connection:
        band(connection, profile, profile.columns, pseudonym=False)
        found: dict[str, Any] = {
            "profile": profile.document(),
            "patients": cohort.patients,
            "eligible": len(cohort),
            "excluded": cohort.excluded,
            "quasi_identifiers": profile.quasi_identifiers(profile.columns),
            **_classes(connection, profile, len(cohort)),
            "coded": tuple(_coded(connection, profile)),
            "lattice": tuple(_lattice(connection, profile, len(cohort))),
            "tools": tools(),
        }
    plain = {
        **found,
        "coded": [asdict(one) for one in found["coded"]],
        "lattice": [asdict(one) for one in found["lattice"]],
    }
    return Trial(**found, digest=digest(plain))


def percent(part: int, whole: int) -> float:
    """`part` of `whole`, to two decimals; of nothing, 0."""
    return round(100 * part / whole, 2) if whole else 0.0


def _classes(connection: duckdb.DuckDBPyConnection, profile: Profile, eligible: int) -> dict[str, Any]:
    """k, l, t and homogeneity of the classes, and how many rows stand alone once every column is looked at."""
    quasi = ", ".join(profile.quasi_identifiers(profile.columns)) or "NULL"
    outcome = "outcome" if "outcome" in profile.rungs else "NULL"
    connection.execute(f"CREATE TABLE kept AS SELECT * FROM banded WHERE class_size >= {profile.k}")  # noqa: S608
    k, classes, diversity, closeness, homogeneous, rows = connection.execute(f"""
        WITH class AS (
            SELECT count(*) AS size, count(DISTINCT {outcome}) AS outcomes, avg({outcome}) AS events
            FROM kept GROUP BY {quasi}
        )
        SELECT coalesce(min(size), 0), count(*), coalesce(min(outcomes), 0),
            round(coalesce(max(abs(events - (SELECT avg({outcome}) FROM kept))), 0), 4),
            count(*) FILTER (events = 1), coalesce(sum(size) FILTER (events = 1), 0)
        FROM class""").fetchall()[0]  # noqa: S608
    left = one(connection, "SELECT count(*) FROM kept")
    unique = f"SELECT count(*) FROM (SELECT 1 FROM kept GROUP BY {', '.join(profile.columns)} HAVING count(*) = 1)"  # noqa: S608
    return {
        "k_before": one(connection, "SELECT min(class_size) FROM banded"),
        "k": k,
        "classes": classes,
        "suppressed": eligible - left,
        "suppressed_percent": percent(eligible - left, eligible),
        "within_limit": percent(eligible - left, eligible) <= profile.max_suppressed_percent,
        "unique_percent": percent(one(connection, unique), left),
        "diversity": diversity,
        "closeness": closeness,
        "all_event_classes": homogeneous,
        "all_event_rows": int(rows),
    }


def _coded(connection: duckdb.DuckDBPyConnection, profile: Profile) -> list[Coded]:
    found = []
    for name in profile.columns:
        rung = profile.rung(name)
        if rung.bottom is not None and rung.top is not None:
            count = f"SELECT count(*) FROM kept WHERE {name} = "  # noqa: S608
            bottom, top = one(connection, f"{count}{rung.bottom}"), one(connection, f"{count}{rung.top}")
            found.append(Coded(name, rung.bottom, bottom, rung.top, top))
    return found


def _lattice(connection: duckdb.DuckDBPyConnection, profile: Profile, eligible: int) -> list[Choice]:
    """Every choice of rungs that the profile's quasi-identifiers allow, cheapest first."""
    ladders = [name for name in LADDERS if name in profile.rungs]
    if len(ladders) < len(LADDERS):
        return []
    fixed = [name for name in profile.quasi_identifiers(profile.columns) if name not in LADDERS]
    found = []
    for rungs in product(*(COLUMNS[name].rungs for name in LADDERS)):
        by = ", ".join([*fixed, *(COLUMNS[name].rungs[rung].sql for name, rung in zip(LADDERS, rungs, strict=True))])
        classes, suppressed = connection.execute(
            f"SELECT count(*), coalesce(sum(size) FILTER (size < {profile.k}), 0)"  # noqa: S608
            f" FROM (SELECT count(*) AS size FROM raw GROUP BY {by})"
        ).fetchall()[0]
        cost = percent(int(suppressed), eligible)
        verdict = (
            "chosen"
            if all(profile.rungs[name] == rung for name, rung in zip(LADDERS, rungs, strict=True))
            else "affordable"
            if cost <= profile.max_suppressed_percent
            else "refused"
        )
        age, residence, index_year = rungs
        found.append(Choice(age, residence, index_year, classes, int(suppressed), cost, verdict))
    return sorted(found, key=lambda choice: (choice.suppressed, choice.classes, choice.age, choice.residence))
