"""Right operands from the wire: text in, the operand's own type out (IRI, token, integer, UTC milliseconds).

A value comes expanded: `{"@value": ...}` with or without `@type`, or `{"@id": ...}`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.comparing import SETS
from vocab.odrl.model import Right
from vocab.odrl.names import Names, unclear
from vocab.profile import Operand, concepts

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DURATION: Final = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,7})S)?)?", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_DECIMAL: Final = re.compile(r"(-?)(0|[1-9]\d{0,8})(?:\.(\d{1,6}))?", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_TEXT: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?", re.ASCII)
_DID: Final = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._%:-]{1,480}", re.ASCII)
_XSD: Final = terms.PREFIXES["xsd"]
_WHOLE: Final = [
    "integer",
    "nonNegativeInteger",
    "positiveInteger",
    "unsignedInt",
    "unsignedLong",
    "int",
    "long",
    "short",
]
_WORDS: Final = ["string", "token", "anyURI", "normalizedString", "language", "NMTOKEN"]
#: The datatypes that say what an operand's type says; any other is refused.
_DATATYPES: Final[Mapping[str, frozenset[str]]] = {
    kind: frozenset(_XSD + name for name in names)
    for kind, names in {
        "count": [*_WHOLE, "decimal"],
        "decimal": [*_WHOLE, "decimal"],
        "time": ["dateTime", "dateTimeStamp"],
        "duration": ["duration", "dayTimeDuration"],
        **dict.fromkeys(("concept", "token", "party", "text"), _WORDS),
    }.items()
}


def right_operand(operand: Operand, op: str, given: Sequence[Any], names: Names, path: str) -> Right:
    """The value of `given` in the type of `operand`; a sorted tuple for the set operators.

    Raises `Refusal("policy-not-understood")` for anything that does not say exactly one thing.
    """
    if op not in SETS:
        if len(given) != 1:
            raise unclear(path, "one right operand", len(given))
        return _scalar(operand, given[0], names, path)
    if not 0 < len(given) <= 64:
        raise unclear(path, "1 to 64 values", len(given))
    return tuple(sorted({_scalar(operand, one, names, path) for one in given}))


def fact(operand: Operand, given: Any, names: Names) -> Any:
    """A value of the state of the world in the operand's type. One that is not of it stays text, which no number is and
    no known concept, or is nothing: the evaluator calls it unknown."""
    if isinstance(given, list):
        return [fact(operand, one, names) for one in given]
    text = given if isinstance(given, str) else None
    if operand.type in ("time", "duration") and text is None:
        return None
    try:
        return _scalar(operand, {"@value": given}, names, "facts")
    except Refusal:
        return text


def moment(given: object, path: str) -> int:
    """UTC milliseconds of an RFC 3339 time with its offset. Raises `Refusal`: a time without offset is ambiguous."""
    if isinstance(given, str) and _MOMENT.fullmatch(given):
        text = re.sub(r"(\.\d{6})\d+", r"\1", given)
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            pass
    raise unclear(path, "a time as 2026-01-31T09:00:00Z", given)


def datatype(operand: Operand, given: str, path: str) -> None:
    """Raises `Refusal` unless the datatype says what the operand's type says."""
    if given not in _DATATYPES[operand.type]:
        raise unclear(path, f"a datatype of {operand.name}", given)


def _scalar(operand: Operand, given: object, names: Names, path: str) -> str | int:
    text = _literal(operand, given, path)
    return _READERS[operand.type](operand, text, names, path)


def _literal(operand: Operand, given: object, path: str) -> str:
    if not isinstance(given, Mapping):
        raise unclear(path, "a right operand as text", type(given).__name__)
    if given.keys() == {"@id"}:
        return str(given["@id"])
    if given.keys() == {"@value", "@type"}:
        datatype(operand, str(given["@type"]), path)
    elif given.keys() != {"@value"}:
        raise unclear(path, "a right operand as text", sorted(given))
    value = given["@value"]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise unclear(path, "a right operand as text or number", type(value).__name__)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number
    return value if isinstance(value, str) else repr(value)


def _concept(operand: Operand, text: str, names: Names, path: str) -> str:
    found = concepts().get(names.value(text))
    if found is None or found.scheme != operand.name:
        raise unclear(path, f"a term of {operand.name}", text)
    return found.iri


def _token(operand: Operand, text: str, _: Names, path: str) -> str:
    if not _TOKEN.fullmatch(text) or (operand.values and text not in operand.values):
        raise unclear(path, " | ".join(operand.values) or "a short word", text)
    return text


def _text(_: Operand, text: str, names: Names, path: str) -> str:
    if not _TEXT.fullmatch(text):
        raise unclear(path, "1 to 512 characters of ASCII", text)
    return names.value(text)


def _party(_: Operand, text: str, _names: Names, path: str) -> str:
    if not _DID.fullmatch(text):
        raise unclear(path, "a DID", text)
    return text


def _count(_: Operand, text: str, _names: Names, path: str) -> int:
    if not _COUNT.fullmatch(text):
        raise unclear(path, "a whole number", text)
    return int(text)


def _decimal(_: Operand, text: str, _names: Names, path: str) -> int:
    """Millionths: a decimal has no exact binary form, and the evaluator knows integers alone."""
    found = _DECIMAL.fullmatch(text)
    if not found:
        raise unclear(path, "a number with at most 9 and 6 digits", text)
    sign, whole, part = found.groups(default="")
    amount = int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0)
    return -amount if sign else amount


def _time(_: Operand, text: str, _names: Names, path: str) -> int:
    return moment(text, path)


def _duration(_: Operand, text: str, _names: Names, path: str) -> int:
    """Days and smaller only: a month has no fixed length."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()) or text.endswith("T"):
        raise unclear(path, "a duration as P90D or PT15S", text)
    amounts = (int(part or 0) for part in found.groups())
    return sum(amount * unit for amount, unit in zip(amounts, (86_400_000, 3_600_000, 60_000, 1_000), strict=True))


_READERS: Final[Mapping[str, Callable[[Operand, str, Names, str], str | int]]] = {
    "concept": _concept,
    "token": _token,
    "text": _text,
    "party": _party,
    "count": _count,
    "decimal": _decimal,
    "time": _time,
    "duration": _duration,
}
