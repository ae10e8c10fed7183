"""Right operands from the wire: text in, the operand's own type out (IRI, token, integer, UTC milliseconds)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.model import Right
from vocab.profile import Operand, concepts

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DURATION: Final = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,7})S)?)?", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DID: Final = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._%:-]{1,480}", re.ASCII)
_LISTS: Final = frozenset({"isAnyOf", "isNoneOf"})


def right_operand(operand: Operand, op: str, given: object, path: str) -> Right:
    """The value of `given` in the type of `operand`; a sorted tuple for the set operators.

    Raises `Refusal("policy-not-understood")` for anything that does not say exactly one thing.
    """
    if op not in _LISTS:
        return _scalar(operand, given, path)
    parts = given if isinstance(given, list) else [given]
    if not 0 < len(parts) <= 64:
        raise _unclear(path, "1 to 64 values", len(parts))
    return tuple(sorted({str(_scalar(operand, one, path)) for one in parts}))


def moment(given: object, path: str) -> int:
    """UTC milliseconds of an RFC 3339 time with its offset. Raises `Refusal`: a time without offset is ambiguous."""
    if isinstance(given, str) and _MOMENT.fullmatch(given):
        text = re.sub(r"(\.\d{6})\d+", r"\1", given)
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            pass
    raise _unclear(path, "a time as 2026-01-31T09:00:00Z", given)


def _scalar(operand: Operand, given: object, path: str) -> str | int:
    text = _literal(given, path)
    return _READERS[operand.type](operand, text, path)


def _literal(given: object, path: str) -> str:
    """The text of a plain string, `{"@value", "@type"}` or `{"@id"}`."""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        value = given.get("@value", given.get("@id"))
        if isinstance(value, str) and given.keys() in ({"@value"}, {"@value", "@type"}, {"@id"}):
            return value
    raise _unclear(path, "a right operand as text", type(given).__name__)


def _concept(operand: Operand, text: str, path: str) -> str:
    found = concepts().get(terms.wire_iri(text))
    if found is None or found.scheme != operand.name:
        raise _unclear(path, f"a term of {operand.name}", text)
    return found.iri


def _token(operand: Operand, text: str, path: str) -> str:
    if not _TOKEN.fullmatch(text) or (operand.values and text not in operand.values):
        raise _unclear(path, " | ".join(operand.values) or "a short word", text)
    return text


def _party(_: Operand, text: str, path: str) -> str:
    if not _DID.fullmatch(text):
        raise _unclear(path, "a DID", text)
    return text


def _count(_: Operand, text: str, path: str) -> int:
    if not _COUNT.fullmatch(text):
        raise _unclear(path, "a whole number", text)
    return int(text)


def _time(_: Operand, text: str, path: str) -> int:
    return moment(text, path)


def _duration(_: Operand, text: str, path: str) -> int:
    """Days and smaller only: a month has no fixed length."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()) or text.endswith("T"):
        raise _unclear(path, "a duration as P90D or PT15S", text)
    amounts = (int(part or 0) for part in found.groups())
    return sum(amount * unit for amount, unit in zip(amounts, (86_400_000, 3_600_000, 60_000, 1_000), strict=True))


_READERS: Final[Mapping[str, Callable[[Operand, str, str], str | int]]] = {
    "concept": _concept,
    "token": _token,
    "party": _party,
    "count": _count,
    "time": _time,
    "duration": _duration,
}


def _unclear(path: str, why: str, seen: object) -> Refusal:
    return Refusal("policy-not-understood", rule=path, path=path, why=why, needed=why, seen=seen)
