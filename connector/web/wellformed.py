"""What must hold of every request before any handler looks at it: an address that a store can keep, and JSON that every
reader reads the same way. The framework's own reader takes NaN, names that stand twice and half characters.
"""

from typing import Final

from fastapi import Request

from vocab.errors import Refusal
from vocab.messages.reading import strict

#: No message of ours is nested deeper: an envelope's policy reaches about 20.
MOST_DEPTH: Final = 64


async def well_formed(request: Request) -> None:
    """A dependency of every route. Raises `Refusal("request-invalid")`."""
    for where, text in (("path", request.scope["path"]), *request.query_params.multi_items()):
        if "\x00" in text or "\x00" in where:
            raise Refusal("request-invalid", where=where.replace("\x00", "?")[:100], why="a zero byte")
    if getattr(request.scope["route"], "body_field", None) is None or not _json(request):
        return
    try:
        strict(await request.body() or b"null", MOST_DEPTH)
    except ValueError as error:
        raise Refusal("request-invalid", where="body", why=str(error)[:200]) from None


def _json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
