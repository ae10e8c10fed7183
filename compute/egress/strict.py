"""Reading JSON that a stranger wrote: caps before parsing, no name twice, finite numbers, then a declared shape.

A shape is a function `(value, where) -> where it does not fit, or None`. RFC 8259; I-JSON, RFC 7493.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Shape = Callable[[Any, str], str | None]
MAX_DEPTH: Final = 8
MAX_DIGITS: Final = 24


class NotStrict(Exception):
    """The bytes are no JSON that we read. `where` says why, without quoting them."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def parse(raw: bytes, most: int) -> Any:
    """The one JSON value in `raw`, of at most `most` bytes. Raises `NotStrict`."""
    if len(raw) > most:
        raise NotStrict(f"more than {most} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("not UTF-8") from None
    if _depth(text) > MAX_DEPTH:
        raise NotStrict(f"deeper than {MAX_DEPTH}")
    try:
        return json.loads(
            text, parse_int=_integer, parse_float=_real, parse_constant=_no_number, object_pairs_hook=_once
        )
    except ValueError:
        raise NotStrict("not JSON") from None


def fields(**shapes: Shape) -> Shape:
    """An object with exactly these names."""

    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, dict) or value.keys() != shapes.keys():
            return where
        return next((bad for name, shape in shapes.items() if (bad := shape(value[name], f"{where}.{name}"))), None)

    return check


def named(pattern: str, shape: Shape, most: int) -> Shape:
    """An object of at most `most` names like `pattern`."""

    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, dict) or len(value) > most or not all(re.fullmatch(pattern, name) for name in value):
            return where
        return next((bad for name, item in value.items() if (bad := shape(item, f"{where}.{name}"))), None)

    return check


def each(shape: Shape, most: int, *, exactly: bool = False) -> Shape:
    """A list of at most `most` values, or of exactly so many."""

    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, list) or len(value) > most or (exactly and len(value) < most):
            return where
        return next((bad for place, item in enumerate(value) if (bad := shape(item, f"{where}[{place}]"))), None)

    return check


def maybe(shape: Shape) -> Shape:
    """The shape, or null."""
    return lambda value, where: None if value is None else shape(value, where)


def either(*shapes: Shape) -> Shape:
    """One of the shapes."""
    return lambda value, where: None if any(shape(value, where) is None for shape in shapes) else where


def number(low: float = -math.inf, high: float = math.inf) -> Shape:
    """A number within bounds; true and false are none."""
    return lambda value, where: None if type(value) in (int, float) and low <= value <= high else where


def whole(low: int = 0, high: int = 2**53) -> Shape:
    """An integer within bounds."""
    return lambda value, where: None if type(value) is int and low <= value <= high else where


def text(pattern: str) -> Shape:
    """A text that is all of `pattern`."""
    return lambda value, where: None if isinstance(value, str) and re.fullmatch(pattern, value) else where


def flag(value: Any, where: str) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else where


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_DIGITS or not math.isfinite(value):
        raise ValueError
    return value


def _no_number(_: str) -> float:
    raise ValueError


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
