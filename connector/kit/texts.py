"""Every text that a file holds: decoded values, metadata, and its bytes read in several character sets."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from connector.kit import duck

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 4096
_ROWS: Final = 50_000
#: Containers that must be opened before they can be searched; we do not, so a file of these proves nothing.
_SEALED: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}

PLAIN: Final = "plain"
PARQUET: Final = "parquet"
SEALED: Final = "sealed"


def form(path: Path) -> tuple[str, str]:
    """How `path` has to be read, and its codec: ("parquet", "ZSTD"), ("plain", ""), ("sealed", "gzip")."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith((b"PAR1", b"PARE")):
        return _parquet_form(path)
    return next(((SEALED, name) for magic, name in _SEALED.items() if head.startswith(magic)), (PLAIN, ""))


def _parquet_form(path: Path) -> tuple[str, str]:
    with closing(duck.connect()) as connection:
        try:
            query = "SELECT DISTINCT compression FROM parquet_metadata(?) ORDER BY 1"
            codecs = [str(row[0]) for row in connection.execute(query, [str(path)]).fetchall()]
        except duckdb.Error:  # encrypted or broken
            return SEALED, PARQUET
    return PARQUET, codecs[0] if len(codecs) == 1 else "+".join(codecs)


class Unreadable(Exception):
    """A part of the file could not be decoded: what it holds is not known."""


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) for everything in `path`; a sealed file yields only its bytes. Raises `Unreadable`, at the end."""
    kind, _ = form(path)
    broken: duckdb.Error | None = None
    if kind == PARQUET:
        try:
            yield from _parquet(path)
        except duckdb.Error as error:
            broken = error
    for chunk in _chunks(path):
        # the pages were decoded above: what else stands in the file stands there in UTF-8
        for text in readings([chunk], ("utf-8",) if kind == PARQUET else CHARSETS):
            yield "bytes", text
    if broken is not None:
        raise Unreadable(path.name) from broken


#: What people's machines write Korean in.
CHARSETS: Final = ("utf-8", "cp949", "utf-16-le", "utf-16-be")


def readings(values: Iterable[bytes], charsets: Iterable[str] = CHARSETS) -> Iterator[str]:
    """`values` read in each character set, a line each; what a set cannot read becomes U+FFFD."""
    kept = list(values)
    for charset in charsets:
        if not charset.startswith("utf-16"):
            yield b"\n".join(kept).decode(charset, "replace")
            continue
        line = "\n".encode(charset)
        yield line.join(value + b"\0" * (len(value) % 2) for value in kept).decode(charset, "replace")
        # a text that begins at an odd byte
        yield line.join(value[1:] + b"\0" * ((len(value) + 1) % 2) for value in kept).decode(charset, "replace")


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of `path`, overlapping so that nothing is cut in two."""
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            yield tail + block
            tail = block[-_OVERLAP:]


def _parquet(path: Path) -> Iterator[tuple[str, str]]:
    with closing(duck.connect()) as connection:
        name = [str(path)]
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", name).fetchall()
        yield "column names", "\n".join(str(row[0]) for row in described)
        pairs = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", name).fetchall()
        for text in readings(bytes(value) for pair in pairs for value in pair):
            yield "key-value metadata", text
        yield "statistics", _lines(connection, "SELECT stats_min_value, stats_max_value FROM parquet_metadata(?)", name)
        for column, kind, *_ in described:
            yield from _values(connection, str(column), str(kind), name)


def _lines(connection: duckdb.DuckDBPyConnection, query: str, name: list[str]) -> str:
    return "\n".join(
        str(value) for row in connection.execute(query, name).fetchall() for value in row if value is not None
    )


def _values(
    connection: duckdb.DuckDBPyConnection, column: str, kind: str, name: list[str]
) -> Iterator[tuple[str, str]]:
    """Every different value of a column: as bytes where it holds bytes, else as DuckDB writes it."""
    quoted = '"' + column.replace('"', '""') + '"'
    wanted = quoted if kind == "BLOB" else f"CAST({quoted} AS VARCHAR)"
    cursor = connection.execute(f"SELECT DISTINCT {wanted} FROM read_parquet(?)", name)  # noqa: S608
    place = f"column {_NOT_A_NAME.sub('?', column)[:40]}"
    while rows := cursor.fetchmany(_ROWS):
        values = [row[0] for row in rows if row[0] is not None]
        if kind == "BLOB":
            for text in readings(values):
                yield place, text
            # for digests stored as bytes
            yield place, "\n".join(value.hex() for value in values)
        else:
            yield place, "\n".join(values)


#: A column's name may itself be what must not be shown.
_NOT_A_NAME: Final = re.compile(r"[^a-z_]")
