"""Every "no" at the edge: JSON for programs, a page for people, both with code, where, why and what to do.

`install` is the one call that turns an app into a node's site.
"""

import contextlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from connector.web import assets, entrance
from connector.web.layout import HEADERS, environments, language_of, render, say_refusal
from connector.web.site import Site
from vocab.errors import Language, Refusal
from vocab.words import known, word

if TYPE_CHECKING:
    from connector.web.application import Application

_LOG: Final = logging.getLogger("dure.web")
#: What the framework refuses by number, in our words. A number that is not here is shown as it is.
_NUMBERS: Final = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 415: "media-type-refused"}
#: Problems of one request that are told at once; more help nobody.
_PROBLEMS: Final = 10


def install(app: "Application", site: Site) -> None:
    """Gives `app` its pages' shared parts: the site, sign-in, static files and the rendering of refusals."""
    app.state.site = site
    app.state.environments = environments(site)
    app.add_doors(assets.router)
    app.add_doors(entrance.router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _numbered)
    app.add_exception_handler(Exception, _bug)


def answer(
    request: Request,
    refusal: Refusal,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    link: str | None = None,
) -> Response:
    """`refusal` as a page where a browser asks for one, else as JSON in the same words.

    htmx would put any answer into the page that is open: it is told to load the whole page instead.
    """
    status = status or refusal.status
    if not _browser(request):
        again = {"HX-Refresh": "true"} if "hx-request" in request.headers else {}
        said = as_json(refusal, language_of(request)) | ({"link": link} if link else {})
        return JSONResponse(said, status, headers={**again, **(headers or {})})
    if refusal.code == "not-signed-in" and request.method == "GET":
        there = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        return RedirectResponse(f"/login?{urlencode({'next': there})}", 303, headers=dict(HEADERS))
    where = f"{request.method} {request.url.path}"
    page = render(request, "refused.html", status, refusal=refusal, number=status, where=where)
    page.headers.update(headers or {})
    return page


def as_json(refusal: Refusal, language: Language) -> dict[str, Any]:
    """The refusal as our management APIs say it; members without a value are left out."""
    said = say_refusal(refusal, language)
    members = {"code": refusal.code, "what": said.what, "do": said.do}
    more = {"rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen, "values": refusal.values or None}
    return {**members, **{name: _plain(value) for name, value in more.items() if value is not None}}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    retry = error.values.get("seconds")
    remember = getattr(request.app.state, "remember", None)
    link = None
    if remember:
        with contextlib.suppress(Refusal):  # a full disk: the reason is told all the same, without a link
            link = await remember(request, error)
    headers = {"Retry-After": str(retry)} if retry and error.status == 429 else None
    return answer(request, error, headers=headers, link=link)


def invalid(error: RequestValidationError, language: Language) -> Refusal:
    """What the request's shape violates. The values themselves are not echoed: one may be a token or a patient's."""
    found = [(_where(problem["loc"]), _why(problem, language)) for problem in error.errors()[:_PROBLEMS]]
    where, why = found[0] if found else ("body", "–")
    more = [f"{place}: {reason}" for place, reason in found] if len(found) > 1 else None
    return Refusal("request-invalid", seen=more, where=where, why=why)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    return answer(request, invalid(error, language_of(request)))


async def _numbered(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code < 400:  # a redirect that the framework raised
        return Response(status_code=error.status_code, headers=error.headers)
    if isinstance(error.__cause__, ValueError | RecursionError):  # a body that it could not even begin to read
        return answer(request, Refusal("request-invalid", where="body", why=_unread(error.__cause__)))
    code = _NUMBERS.get(error.status_code, "request-refused")
    refusal = Refusal(code, what=request.url.path, method=request.method, number=str(error.status_code))
    return answer(request, refusal, error.status_code, error.headers)


async def _bug(request: Request, error: Exception) -> Response:
    """Our own fault: the person gets a number, the log gets the trace under the same number."""
    record = secrets.token_hex(6)
    _LOG.error("bug %s", record, exc_info=error)
    refusal = Refusal("bug", id=record)
    try:
        return answer(request, refusal)
    except Exception:  # noqa: BLE001 - the page itself may be what is broken: then the plain form
        return JSONResponse(as_json(refusal, "ko"), 500)


def _browser(request: Request) -> bool:
    """Pages go to whoever names HTML; for parts of a page that htmx fetches, see `answer`."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


def _where(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location)


def _why(problem: Mapping[str, Any], language: Language) -> str:
    """The commonest reasons in both languages; the rest as the validator words them."""
    key = "why-" + str(problem["type"]).replace("_", "-")
    return word(key, language) if known(key) else str(problem["msg"])


def _unread(cause: ValueError | RecursionError) -> str:
    """Why the JSON reader gave up before it came to the JSON."""
    if isinstance(cause, RecursionError):
        return "too deep"
    return "not UTF-8" if isinstance(cause, UnicodeError) else "a number is too large"


def _plain(value: object) -> Any:
    """`value` with nothing in it that JSON cannot say."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
