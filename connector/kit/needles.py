"""The strings that a leak scan looks for.

They are looked up, not searched one by one: all strings of one shape (digits, letters, other scripts, signs) are found
by one regular expression and one dictionary, so 80,000 cost little more than one.
"""

import hashlib
import re
from collections.abc import Collection, Container, Iterator, Mapping
from itertools import groupby
from typing import Final

from connector.kit.disguises import bare, squeezed, views

#: Plain hashes that a known string can be recognised by.
HASHES: Final = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256}
#: Shorter strings stand in any text by chance.
SHORTEST: Final = 3

#: Kinds of characters: a shape is a string of these, everything else stands for itself.
_DIGIT, _LETTER, _OTHER = "9", "a", "N"
_EITHER: Final = "e"
_CLASSES: Final = {_DIGIT: "[0-9]", _LETTER: "[a-z]", _OTHER: "[^\x00-\x7f\ufffd]", _EITHER: "[0-9a-z]"}
#: With more shapes than this, digits and letters are taken as one kind.
_MOST_SHAPES: Final = 32


class _Kinds(dict[int, str]):
    """For `str.translate`: the kind of each character."""

    def __missing__(self, code: int) -> str:
        kind = chr(code) if code < 128 else _OTHER
        self[code] = kind
        return kind


_FINE: Final = _Kinds(dict.fromkeys(b"0123456789", _DIGIT) | dict.fromkeys(b"abcdefghijklmnopqrstuvwxyz", _LETTER))
_COARSE: Final = _Kinds(dict.fromkeys(_FINE, _EITHER))


class Needles:
    """What is looked for: strings by kind."""

    def __init__(self, kinds: Mapping[str, Collection[str]]) -> None:
        """Raises `ValueError` for a string too short to mean anything."""
        self._all = [(kind, needle) for kind, needles in kinds.items() for needle in needles]
        if any(len(squeezed(needle)) < SHORTEST for _, needle in self._all):
            raise ValueError(f"a needle has at least {SHORTEST} characters")
        self._forms: dict[str, tuple[str, str]] = {}
        for one in self._all:
            for form in _forms(one[1]):
                self._forms[form] = one
        shapes = {form.translate(_FINE) for form in self._forms}
        if len(shapes) > _MOST_SHAPES:
            shapes = {form.translate(_COARSE) for form in self._forms}
        self._shapes = [re.compile(f"(?=({_expression(shape)}))") for shape in sorted(shapes)]

    def __len__(self) -> int:
        return len(self._all)

    def hits(self, text: str) -> Iterator[tuple[str, str, str]]:
        """(disguise, kind, needle) for every needle in `text`, in whatever disguise."""
        for disguise, seen in views(text):
            for shape in self._shapes:
                # a set first: repeated values are looked up once
                for candidate in set(shape.findall(seen)) & self._forms.keys():
                    yield disguise, *self._forms[candidate]

    def hashed(self, prefixes: Container[bytes]) -> Iterator[tuple[bytes, str, str, str]]:
        """(prefix, hash, kind, needle) for each needle whose plain hash begins with one of the 8-byte `prefixes`."""
        for kind, needle in self._all:
            for written in {needle, needle.lower(), bare(needle), squeezed(needle)}:
                for name, hashed in HASHES.items():
                    prefix = hashed(written.encode(), usedforsecurity=False).digest()[:8]
                    if prefix in prefixes:
                        yield prefix, name, kind, needle


def _forms(needle: str) -> set[str]:
    """How a needle can look in a squeezed text: a number may have lost its leading zeros."""
    whole = squeezed(needle)
    short = whole.lstrip("0") if whole.isdigit() else whole
    return {whole, short} if len(short) >= 8 else {whole}


def _expression(shape: str) -> str:
    """A regular expression for everything of this shape."""
    runs = ((kind, len(list(run))) for kind, run in groupby(shape))
    return "".join(f"{_CLASSES.get(kind, re.escape(kind))}{{{length}}}" for kind, length in runs)
