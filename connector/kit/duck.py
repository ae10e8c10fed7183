"""DuckDB as a part of a node: in memory, small, offline, and one Parquet writer for everybody.

The same rows in the same order give the same bytes: one thread, fixed row groups, a fixed codec.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

#: Big enough for all patients of a hospital in one row group, so that a file's bytes never depend on buffering.
_ROW_GROUP: Final = 122_880
CODEC: Final = "ZSTD"


def connect() -> duckdb.DuckDBPyConnection:
    """A private in-memory database that loads no extensions and stays small."""
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": "256MB",
            "temp_directory": "",  # what does not fit in memory fails: nothing spills to a disk
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def load(
    connection: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], columns: Mapping[str, Sequence[object]]
) -> None:
    """Create `table` from lists of equal length. 20,000 rows of 20 columns take 0.3 s: no file, no NumPy, no Arrow."""
    connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in types.items())})")
    values = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in types.values())
    connection.execute(f"INSERT INTO {table} SELECT {values}", [list(columns[name]) for name in types])


def write_parquet(
    connection: duckdb.DuckDBPyConnection, query: str, path: Path, codec: str = CODEC, metadata: Sequence[str] = ()
) -> None:
    """Write the ordered rows of `query` to `path`: whole, or not under this name. `metadata` goes into its footer."""
    unfinished = path.with_name(path.name + ".new")
    pairs = ", ".join(f"k{at}: {_quoted(value)}" for at, value in enumerate(metadata))
    options = f"FORMAT parquet, COMPRESSION {_quoted(codec)}, ROW_GROUP_SIZE {_ROW_GROUP}"
    options += f", KV_METADATA {{{pairs}}}" if pairs else ""
    connection.execute(f"COPY ({query}) TO {_quoted(str(unfinished))} ({options})")
    unfinished.chmod(0o600)
    unfinished.replace(path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
