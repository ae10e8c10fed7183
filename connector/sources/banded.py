"""The transformation itself: a cohort in DuckDB, and each column on its rung."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import duckdb

from connector.kit import duck
from connector.sources.eligible import RAW, Cohort, Value
from connector.sources.profile import Profile
from vocab.errors import Refusal

#: A text column with more values than this is no category but somebody's words (or somebody's name).
MOST_CATEGORIES = 64


@contextmanager
def loaded(cohort: Cohort, pseudonyms: Collection[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """`cohort` as table `raw` in memory, with the patients' pseudonyms where given."""
    types, columns = dict(RAW), dict[str, tuple[Value, ...]](cohort.columns)
    if pseudonyms is not None:
        types, columns = {"pseudonym": "VARCHAR", **types}, {"pseudonym": tuple(pseudonyms), **columns}
    connection = duck.connect()
    try:
        duck.load(connection, "raw", types, columns)
        yield connection
    finally:
        connection.close()


def band(connection: duckdb.DuckDBPyConnection, profile: Profile, columns: Collection[str], *, pseudonym: bool) -> None:
    """Create table `banded`: `columns` on the profile's rungs, and `class_size`: rows with equal quasi-identifiers.

    Raises `Refusal("free-text")` if a text column holds more different values than a category has.
    """
    quasi = ", ".join(profile.quasi_identifiers(columns)) or "NULL"
    first = "pseudonym, " if pseudonym else ""
    made = ", ".join(f"{profile.rung(name).sql} AS {name}" for name in columns)
    connection.execute(f"CREATE TABLE ladder AS SELECT {first}{made} FROM raw")  # noqa: S608
    sized = f"SELECT *, count(*) OVER (PARTITION BY {quasi}) AS class_size FROM ladder"  # noqa: S608
    connection.execute(f"CREATE TABLE banded AS {sized}")
    connection.execute("DROP TABLE ladder")
    for name in columns:
        if RAW.get(name) == "VARCHAR" or name == "residence":
            _category(connection, name)


def _category(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    values = one(connection, f"SELECT count(DISTINCT {name}) FROM banded")  # noqa: S608
    if values > MOST_CATEGORIES:
        raise Refusal("free-text", column=name, rule="categories", needed=f"<= {MOST_CATEGORIES}", seen=values)


def one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The single whole number that `query` yields; nothing counts as 0."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
