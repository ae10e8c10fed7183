"""Is anything readable left in the zone's folder? One scan, twice: it must find a canary, and then must not.

The zone never had a patient's value outside its walls, so it cannot look for them. It stages a canary in the format and
codec of the data, looks and must find it; destroys it as ciphertext is destroyed, looks again and must find nothing.
It also looks for what any plaintext of the data would be: a readable Parquet file. Parquet is decoded: a search over
bytes would see nothing in it.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.kit import duck
from connector.kit.erase import erase
from connector.kit.texts import PARQUET, Unreadable, form, texts

#: First bytes of what is encrypted: it cannot be read, and is counted.
_SEALED: Final = b"dure sealed v1\r\n"
_CODEC: Final = "ZSTD"
_MARKS: Final = 64
_PIECE: Final = 4 << 20
#: Folders of the node without data of a study: its keys, and the image that every task runs in.
_ELSEWHERE: Final = frozenset({"keys", "images"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look through the folder saw. `tables` are readable Parquet files, by name."""

    files: int
    sealed: int
    bytes: int
    marks: int
    tables: tuple[str, ...]
    unreadable: tuple[str, ...]


def scanned(folder: Path) -> dict[str, Any]:
    """Stages a canary below `folder` and looks, destroys it and looks again."""
    marks = [secrets.token_hex(16) for _ in range(_MARKS)]
    canary = folder / "staging" / f"canary-{secrets.token_hex(8)}"
    canary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _plant(canary, marks)
    before = look(folder, marks)
    erase(canary)
    after = look(folder, marks)
    return {
        "looked_for": f"{_MARKS} marks of a canary in Parquet with {_CODEC}; readable Parquet files",
        "looked_at": "every file in the folder of the zone's node, but its keys and images",
        "files": after.files,
        "sealed_files": after.sealed,
        "bytes": after.bytes,
        "planted": _MARKS,
        "found_before": before.marks,
        "found": after.marks,
        "tables": list(after.tables),
        "unreadable": list(after.unreadable),
        "proves": before.marks == _MARKS and canary.name in before.tables and not after.unreadable,
    }


def look(folder: Path, marks: list[str]) -> Seen:
    """Reads every file below `folder`: Parquet decoded, everything else byte by byte."""
    files = sealed = size = 0
    hit: set[str] = set()
    tables, unreadable = [], []
    for path in _files(folder):
        with path.open("rb") as file:
            head = file.read(len(_SEALED))
        if head == _SEALED or path.suffix == ".sealed":
            sealed += 1
            continue
        files, size = files + 1, size + path.stat().st_size
        if form(path)[0] == PARQUET:
            tables.append(path.name)
            try:
                hit.update(mark for _, text in texts(path) for mark in marks if mark in text)
            except Unreadable:
                unreadable.append(path.name)
        else:
            hit.update(_in_bytes(path, marks))
    return Seen(files, sealed, size, len(hit), tuple(tables), tuple(unreadable))


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if Path(place) != folder or one not in _ELSEWHERE)
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _in_bytes(path: Path, marks: list[str]) -> set[str]:
    """Marks that stand in the file's bytes, as text or as the bytes that they are the hexadecimal of."""
    sought = {one: (one.encode(), bytes.fromhex(one)) for one in marks}
    found: set[str] = set()
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece = tail + piece
            found.update(one for one, forms in sought.items() if any(form in piece for form in forms))
            tail = piece[-64:]
    return found


def _plant(path: Path, marks: list[str]) -> None:
    rows: list[object] = [*marks, *(f"filler {at}" for at in range(2000))]
    with closing(duck.connect()) as connection:
        duck.load(connection, "canary", {"pseudonym": "VARCHAR"}, {"pseudonym": rows})
        duck.write_parquet(connection, "FROM canary", path, _CODEC)
