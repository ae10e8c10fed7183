"""What a file is, by its content: its name says nothing. Three forms may leave, everything else is named and refused.

A form is read whole: a table or JSON with something hidden before, behind or inside it is neither.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from hashlib import sha256
from typing import Final


class Form(StrEnum):
    """The forms that may leave."""

    ONNX = "onnx"
    JSON = "json"
    CSV = "csv"


#: First bytes of what people try instead. Only for the words of the refusal: what is in no list is refused too.
MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"7z\xbc\xaf", "7z"), (b"%PDF", "pdf"), (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"\x7fELF", "program"), (b"MZ", "program"), (b"#!", "program"),
    (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"SQLite format 3", "sqlite"), (b"\x89HDF", "hdf5"),
    (b"\x93NUMPY", "numpy"), (b"<", "markup"), (b"\xef\xbb\xbf", "byte order mark"),
)  # fmt: skip
#: Pickle: protocols 2 to 5 say so; 0 and 1 begin with the opcode of what they hold and end with STOP.
_PICKLE: Final = re.compile(rb"\A(?:\x80[\x02-\x05]|[()\]}c][\x00-\xff]*\.\Z)")
#: An ONNX model begins with its IR version: field 1 as a varint, then another field of ModelProto.
_ONNX: Final = re.compile(rb"\A\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42]")
#: Printable text in lines; Hangul and Latin letters are enough for a table.
_TEXT: Final = re.compile(r"[\n\r -~가-힣°µ≥≤±]*")


def form(raw: bytes, reencoded: Collection[str]) -> tuple[Form | None, str]:
    """The form of `raw`, or None and the name of what it is instead. `reencoded`: sha256 of the zone's own models."""
    if _ONNX.match(raw):
        known = sha256(raw).hexdigest() in reencoded
        return (Form.ONNX, "onnx") if known else (None, "onnx, not as re-encoded by the zone")
    foreign = next((name for magic, name in MAGIC if raw.startswith(magic)), "pickle" if _PICKLE.match(raw) else None)
    if foreign is not None:
        return None, foreign
    if raw[:1] in (b"{", b"["):
        return Form.JSON, "json"
    return (Form.CSV, "csv") if _lines(raw) else (None, "unknown")


def _lines(raw: bytes) -> bool:
    try:
        return bool(raw.strip()) and _TEXT.fullmatch(raw.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False
