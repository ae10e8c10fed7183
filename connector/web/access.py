"""Who asks: FastAPI dependencies for every route of the node's own people.

A bearer token (scripts) or a session cookie (browsers). A cookie is sent by the browser whoever wrote the page, so what
changes something must also come from a page of ours: `Sec-Fetch-Site` and `Origin` decide.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from connector.web.people import Person
from connector.web.site import site_of
from vocab.errors import Refusal

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="person", description="The person's token from people.json")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


async def signed_in(request: Request, bearer: Credentials) -> Person:
    """The person who asks. Raises `Refusal("not-signed-in")`, `Refusal("cross-site")`."""
    site = site_of(request)
    if bearer is not None:
        person = site.people.who(bearer.credentials)
    else:
        person = visitor(request)
        if person is not None:
            same_origin(request)
    if person is None:
        raise Refusal("not-signed-in")
    request.state.by = person.id
    return person


def duty(*names: str) -> Callable[[Request, Credentials], Awaitable[Person]]:
    """A dependency: the person who asks, if one of these duties is theirs. Raises `Refusal("duty-missing")` too."""

    async def with_duty(request: Request, bearer: Credentials) -> Person:
        person = await signed_in(request, bearer)
        if person.duties.isdisjoint(names):
            raise Refusal("duty-missing", needed=list(names), seen=sorted(person.duties))
        return person

    return with_duty


def visitor(request: Request) -> Person | None:
    """Whose browser this is, by its session cookie; nobody's if there is none."""
    site = site_of(request)
    session_id = request.cookies.get(site.cookie)
    return site.sessions.who(session_id) if session_id else None


def same_origin(request: Request) -> None:
    """Raises `Refusal("cross-site")` unless reading, or sent by a page of this very origin. No header: no."""
    if request.method in _READING:
        return
    fetched_from = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched_from not in (None, "same-origin"):
        raise Refusal("cross-site", needed="same-origin", seen=fetched_from)
    if origin is None and fetched_from is None:
        raise Refusal("cross-site", needed="Origin")
    if origin is not None and _authority(origin) != request.headers.get("host", "").lower():
        raise Refusal("cross-site", needed=request.headers.get("host"), seen=origin)


def _authority(origin: str) -> str:
    """Host and port of an origin. The scheme is left out: behind a proxy that ends TLS, ours is another."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
