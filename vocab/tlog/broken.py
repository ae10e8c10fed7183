"""What is wrong with a log, and how its texts are read strictly: one spelling a value, everything else is refused."""

import base64
import binascii
import re
from typing import Final

from vocab.errors import Refusal

HASH_BYTES: Final = 32
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class LogBroken(Refusal):
    """A log, note, proof or policy does not hold: `code` and values name the file, entry, signature or line."""


def decimal(text: str) -> int:
    """A number without sign, space or leading zero, below 2^63. Raises `ValueError`."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) >= 1 << 63:
        raise ValueError("not a decimal number")
    return value


def unbase64(text: str, length: int | None = None) -> bytes:
    """The bytes of standard base64, `length` of them if given. Raises `ValueError`.

    Decoders forgive stray bits in the last character; then a changed file would still verify. So it must re-encode
    alike.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    if length is not None and len(data) != length:
        raise ValueError(f"not {length} bytes")
    return data


def base64ed(data: bytes) -> str:
    """Standard base64 as text."""
    return base64.b64encode(data).decode()
