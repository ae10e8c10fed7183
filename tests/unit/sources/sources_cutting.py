"""What the tests of this folder share."""

from collections.abc import Callable

import duckdb

from connector.sources.cut import Snapshot

KEYS = {"H01": b"1" * 32, "H03": b"3" * 32}
NOW = 1_790_000_000_000
Cut = Callable[..., Snapshot]


def query(sql: str) -> list[tuple[object, ...]]:
    """What DuckDB answers, with nothing of ours in between."""
    return duckdb.connect().execute(sql).fetchall()
