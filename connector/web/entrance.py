"""Signing in and out with a browser."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from connector.web.access import same_origin
from connector.web.layout import HEADERS, render
from connector.web.session import LASTS_S
from connector.web.site import site_of
from vocab.errors import Refusal

router = APIRouter(include_in_schema=False)

Next = Annotated[str, Query(max_length=2_000)]


@router.get("/login")
async def ask(request: Request, next: Next = "/") -> Response:  # noqa: A002 - the parameter's name on the wire
    """The form that asks for a token."""
    return render(request, "login.html", next=inside(next), refusal=None)


@router.post("/login")
async def sign_in(
    request: Request,
    token: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=2_000)] = "/",  # noqa: A002 - the parameter's name on the wire
) -> Response:
    """A session for whose token it is; else the form again, with the reason. Raises `Refusal("cross-site")`."""
    same_origin(request)
    site, there = site_of(request), inside(next)
    try:
        session_id = site.sessions.sign_in(token.strip(), request.client.host if request.client else "")
    except Refusal as refusal:
        return render(request, "login.html", refusal.status, next=there, refusal=refusal)
    response = RedirectResponse(there, 303, headers=dict(HEADERS))
    response.set_cookie(
        site.cookie, session_id, max_age=LASTS_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Ends the session, here and in the browser. Raises `Refusal("cross-site")`."""
    same_origin(request)
    site = site_of(request)
    site.sessions.sign_out(request.cookies.get(site.cookie, ""))
    response = RedirectResponse("/login", 303, headers=dict(HEADERS))
    response.delete_cookie(site.cookie, httponly=True, samesite="strict")
    return response


def inside(target: str) -> str:
    """`target` if it is a path on this node, else `/`: nobody is sent elsewhere after signing in."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if ours and not parts.scheme and not parts.netloc else "/"
