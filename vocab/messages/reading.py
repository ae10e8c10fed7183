"""From bytes to a checked message: caps first, then JSON, then the context, then the schema of its type.

What a hostile peer can send ends here as `Refusal`: message-malformed, message-too-large, context-not-understood.
"""

import json
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
    """The JSON object in `raw`: no duplicate names, no NaN, no lone surrogates, not deep."""
    if len(raw) > MOST_BYTES:
        raise Refusal("message-too-large", needed=MOST_BYTES, seen=len(raw))
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _malformed("$", str(error) or type(error).__name__) from None
    if not isinstance(value, dict):
        raise _malformed("$", "not an object")
    _shallow(value)
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


def _shallow(value: Json) -> None:
    level: list[Any] = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise _malformed("$", f"deeper than {MOST_DEPTH}")


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str) and "\x00" in value:
        raise _malformed("$", "a zero byte")  # PostgreSQL cannot keep it


def _malformed(where: str, why: str) -> Refusal:
    return Refusal("message-malformed", where=where[:200], why=why[:200])
