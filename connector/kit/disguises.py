"""The ways in which a string hides in a text: reversed, escaped, encoded; each undone, so that one search finds all."""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from connector.kit.texts import readings

#: How deep encodings may be nested: base64 of hex is seen, a third layer is not.
DEPTH: Final = 2

_SEPARATOR: Final = re.compile(r"(?<=[0-9A-Za-z])[-. /_](?=[0-9A-Za-z])")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{12,}")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_ENTITY: Final = re.compile(r"&#?\w{1,8};")
#: How much of a text around an escaped character is looked at.
_NEAR: Final = 32


def bare(text: str) -> str:
    """`text` without the dashes, dots and blanks inside its numbers and its names in ASCII letters."""
    return _SEPARATOR.sub("", text)


def squeezed(text: str) -> str:
    """The bare text in lower case."""
    return bare(text).lower()


def unbase64(text: str) -> list[bytes]:
    """What the base64 (or base64url) runs of `text` say."""
    found = []
    for run in _BASE64.findall(text):
        plain = run.replace("-", "+").replace("_", "/")
        whole = plain[: len(plain) - (len(plain) % 4 == 1)]
        found.append(base64.b64decode(whole + "=" * (-len(whole) % 4)))
    return found


def unhex(text: str) -> list[bytes]:
    """What the hexadecimal runs of `text` say."""
    return [binascii.unhexlify(run[: len(run) // 2 * 2]) for run in _HEX.findall(text)]


def _around(sign: re.Pattern[str], text: str) -> list[str]:
    """The stretches of `text` in which `sign` occurs: a stray one in a large file must not double the work."""
    spans: list[list[int]] = []
    for match in sign.finditer(text):
        if spans and match.start() <= spans[-1][1]:
            spans[-1][1] = match.end() + _NEAR
        else:
            spans.append([max(0, match.start() - _NEAR), match.end() + _NEAR])
    return [text[start:end] for start, end in spans]


def _percent(text: str) -> Iterator[str]:
    if found := _around(_PERCENT, text):
        yield from readings(map(unquote_to_bytes, found), ("utf-8", "cp949"))


def _escaped(text: str) -> Iterator[str]:
    if found := _around(_ESCAPE, text):
        yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)), "\n".join(found))
    if found := _around(_ENTITY, text):
        yield html.unescape("\n".join(found))


def _decoded(undo: Callable[[str], list[bytes]]) -> Callable[[str], Iterator[str]]:
    def views(text: str) -> Iterator[str]:
        if found := undo(text):
            yield from readings(found)

    return views


#: How each disguise is undone.
_UNDONE: Final[dict[str, Callable[[str], Iterator[str]]]] = {
    "url": _percent,
    "escaped": _escaped,
    "base64": _decoded(unbase64),
    "hex": _decoded(unhex),
}


def views(text: str, depth: int = DEPTH, so_far: str = "") -> Iterator[tuple[str, str]]:
    """(disguise, text) for `text` and everything that it may be a disguise of, ready to be searched."""
    plain = squeezed(text)
    yield so_far or "plain", plain
    yield f"{so_far}+reversed".lstrip("+"), plain[::-1]
    if not depth:
        return
    for name, undo in _UNDONE.items():
        for inner in undo(text):
            yield from views(inner, depth - 1, f"{so_far}+{name}".lstrip("+"))


def digests(text: str) -> set[bytes]:
    """The first 8 bytes of all that could be a digest in `text`, whole or cut short."""
    return {value[:8] for value in (*unhex(text), *unbase64(text)) if len(value) >= 8}
