"""What must hold of every request before any handler looks at it: an address that a store can keep, and JSON that every
reader reads the same way. The framework's own reader takes NaN, names that stand twice and half characters.
"""

from collections.abc import Iterable
from typing import Final

from fastapi import Request

from vocab.errors import Refusal
from vocab.messages.reading import strict

#: No message of ours is nested deeper: an envelope's policy reaches about 20.
MOST_DEPTH: Final = 64
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


async def well_formed(request: Request) -> None:
    """A dependency of every route. Raises `Refusal("request-invalid")`."""
    _kept([("path", request.scope["path"]), *request.query_params.multi_items()])
    if getattr(request.scope["route"], "body_field", None) is None:  # nothing is read, or the route reads by itself
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        fields = (await request.form()).multi_items()
        _kept([(name, value) for name, value in fields if isinstance(value, str)])
    elif kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        try:
            strict(await request.body() or b"null", MOST_DEPTH)
        except ValueError as error:
            raise Refusal("request-invalid", where="body", why=str(error)[:200]) from None


def _kept(pairs: Iterable[tuple[str, str]]) -> None:
    """Raises unless PostgreSQL could keep all of it."""
    for name, text in pairs:
        if "\x00" in name or "\x00" in text:
            raise Refusal("request-invalid", where=name.replace("\x00", "?")[:100], why="a zero byte")
