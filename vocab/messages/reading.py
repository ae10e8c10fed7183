"""From bytes to a checked message: caps first, then JSON, then the context, then the schema of its type.

What a hostile peer can send ends here as `Refusal`: message-malformed, message-too-large, context-not-understood.
"""

import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final, NoReturn

from jsonschema_rs import Draft201909Validator

from vocab.contexts import plain
from vocab.errors import Refusal

Json = dict[str, Any]

#: No message of the protocol comes near these; a catalogue is an answer and has the client's own cap.
MOST_BYTES: Final = 128 * 1024
MOST_DEPTH: Final = 24


def message(raw: bytes, kind: str) -> Json:
    """The message of type `kind` in `raw`, as plain JSON."""
    value = document(raw)
    plain(value)
    return valid(value, kind)


def document(raw: bytes) -> Json:
    """The JSON object in `raw`, as `strict` reads it."""
    if len(raw) > MOST_BYTES:
        raise Refusal("message-too-large", needed=MOST_BYTES, seen=len(raw))
    try:
        value = strict(raw, MOST_DEPTH)
    except ValueError as error:
        raise _malformed("$", str(error)) from None
    if not isinstance(value, dict):
        raise _malformed("$", "not an object")
    return value


def strict(raw: bytes, deepest: int) -> Any:
    """The JSON value in `raw`, if every reader would read the same (RFC 7493) and every store can keep it.

    UTF-8, no name twice, no lone surrogate, no zero byte, no number that is rounded or infinite, not deep.
    Raises `ValueError` with the reason.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_constant,
            parse_float=_finite,
            parse_int=_exact,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError(f"deeper than {deepest}") from None
    _shallow(value, deepest)
    return value


def valid(value: Json, kind: str) -> Json:
    """`value`, if the schema of `kind` accepts it: its `@type` and the members that the protocol demands."""
    if value.get("@type") != kind:
        raise Refusal(
            "message-malformed", where="@type", why=f"{kind}", needed=kind, seen=str(value.get("@type"))[:100]
        )
    for error in _validator(kind).iter_errors(value):
        where = ".".join(str(part) for part in error.instance_path) or "$"
        raise _malformed(where, error.message)
    return value


@cache
def schema() -> Json:
    """The JSON Schema (draft 2019-09) of all message types, one definition each."""
    found: Json = json.loads((files("vocab.messages") / "dsp.schema.json").read_text("utf-8"))
    return found


@cache
def _validator(kind: str) -> Draft201909Validator:
    return Draft201909Validator({"$ref": f"#/$defs/{kind}", "$defs": schema()["$defs"]})


def _once(pairs: list[tuple[str, Any]]) -> Json:
    """An object whose names are all different: two readers must not see two messages."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise ValueError("a number is too large")
    return found


def _exact(digits: str) -> int:
    """A whole number that a reader with floating point reads, too."""
    if len(digits) > 17 or abs(found := int(digits)) >= 1 << 53:
        raise ValueError("a number is too large")
    return found


def _shallow(value: Any, deepest: int) -> None:
    level: list[Any] = [value]
    for _ in range(deepest):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise ValueError(f"deeper than {deepest}")


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str) and "\x00" in value:
        raise ValueError("a zero byte")  # PostgreSQL cannot keep it


def _malformed(where: str, why: str) -> Refusal:
    return Refusal("message-malformed", where=where[:200], why=why[:200])
