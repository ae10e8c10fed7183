"""The marks of a positive control: one in every disguise and place that the leak scan claims to see through."""

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from connector.kit import duck
from connector.kit.texts import PARQUET

_FILLER: Final = 2000


def _hash(name: str) -> Callable[[str], str]:
    return lambda mark: hashlib.new(name, mark.encode(), usedforsecurity=False).hexdigest()


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


#: How a mark is hidden in a value.
VALUES: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "in a sentence": lambda mark: f"see {mark}, please",
    "without dashes": lambda mark: mark.replace("-", ""),
    "reversed": lambda mark: mark[::-1],
    "url": lambda mark: "".join(f"%{byte:02X}" for byte in mark.encode()),
    "json": lambda mark: json.dumps([mark]),
    "html": lambda mark: "".join(f"&#{ord(sign)};" for sign in mark),
    "base64": lambda mark: _b64(f"id={mark}".encode()),
    "base64 of UTF-16": lambda mark: _b64(mark.encode("utf-16-le")),
    "base64 of CP949": lambda mark: _b64(f"id={mark};".encode("cp949")),
    "hex": lambda mark: mark.encode().hex(),
    "hex of UTF-16": lambda mark: mark.encode("utf-16-be").hex(),
    "base64 of hex": lambda mark: _b64(mark.encode().hex().encode()),
    "md5": _hash("md5"),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "sha256, 24 digits": lambda mark: _hash("sha256")(mark)[:24],
    "sha256 in base64": lambda mark: _b64(hashlib.sha256(mark.encode()).digest()),
}
#: How a mark is hidden as bytes.
BYTES: Final[dict[str, Callable[[str], bytes]]] = {
    "bytes in UTF-16": lambda mark: mark.encode("utf-16-le"),
    "bytes in CP949": lambda mark: mark.encode("cp949"),
}
#: Where else in a Parquet file a mark can stand.
METADATA: Final = ("column name", "key-value metadata")

_SYLLABLES: Final = "가나다라마바사아자차카타파하"


def marks() -> dict[str, str]:
    """One mark a disguise and script: a number that nobody has, a word that is no name."""
    disguises = (*VALUES, *BYTES, *METADATA)
    numbers = {f"{name}, number": f"000000-9{999_000 + at:06d}" for at, name in enumerate(disguises)}
    words = {
        f"{name}, word": "힣" + _SYLLABLES[at // len(_SYLLABLES)] + _SYLLABLES[at % len(_SYLLABLES)]
        for at, name in enumerate(disguises)
    }
    return numbers | words


def write(path: Path, kind: str, codec: str, marks: dict[str, str]) -> None:
    """Write `marks`, each in its own disguise, among filler to a file of this form."""
    values = [hide(mark) for name, hide in VALUES.items() for mark in _of(name, marks)]
    blobs = [hide(mark) for name, hide in BYTES.items() for mark in _of(name, marks)]
    names, pairs = (list(_of(name, marks)) for name in METADATA)
    if kind != PARQUET:
        path.write_bytes(b"\n".join([*("\n".join([*values, *names, *pairs]).encode("utf-8"), b"\n"), *blobs]))
        return
    rows = [*values, *(f"filler {at}" for at in range(_FILLER))]
    with closing(duck.connect()) as connection:
        zeros: dict[str, list[object]] = {f'"{name}"': [0] * len(rows) for name in names}
        types = {"value": "VARCHAR", "bytes": "BLOB", **dict.fromkeys(zeros, "INTEGER")}
        columns: dict[str, list[object]] = {"value": [*rows], "bytes": [*blobs, *[None] * (len(rows) - len(blobs))]}
        duck.load(connection, "planted", types, columns | zeros)
        duck.write_parquet(connection, "FROM planted", path, codec, metadata=pairs)


def _of(name: str, marks: dict[str, str]) -> tuple[str, str]:
    return marks[f"{name}, number"], marks[f"{name}, word"]
