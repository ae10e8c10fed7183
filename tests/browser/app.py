"""The real layout with the sample pages and one person, for the browser: nothing of a node but its faces."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from connector.web.access import signed_in
from connector.web.application import Application
from connector.web.layout import render
from connector.web.people import People, Person
from connector.web.refusals import install
from connector.web.session import Sessions
from connector.web.site import Item, Site
from tests.browser import samples
from vocab.errors import Refusal

TOKEN = "a-token-for-the-browser-tests-0000000000"
PAGES = {
    "/": ("home.html", samples.HOME),
    "/home-empty": ("home.html", samples.HOME_EMPTY),
    "/hospital": ("timeline.html", samples.HOSPITAL),
    "/company": ("timeline.html", samples.COMPANY),
    "/empty": ("timeline.html", samples.EMPTY),
    "/board": ("board.html", samples.BOARD),
    "/log": ("log.html", samples.LOG),
}
MENU = (Item("/", "home"), Item("/hospital", "studies"), Item("/board", "case"), Item("/log", "log"))
BAD = "<!doctype html><html><title></title><img src=x.png><p style='color:#ccc'>흐린 글씨</p><input></html>"


def make() -> FastAPI:
    """The app. `POST /stop` counts, `/events` tells when a test sets `changed`."""
    people = People([(Person("kim", "김하늘", frozenset({"steward", "second"})), TOKEN)])
    site = Site(
        "h01",
        "새빛대학병원",
        "Saebit University Hospital",
        ("provider",),
        people,
        Sessions(people, time.monotonic),
        MENU,
    )
    app = Application(openapi_url=None)
    app.state.stopped = 0
    app.state.drawn = 0
    app.state.changed = threading.Event()
    install(app, site)
    for path, (template, page) in PAGES.items():
        app.add_api_route(path, _page(template, page), methods=["GET"])

    @app.get("/refused")
    async def refused() -> None:
        raise Refusal("duty-missing", rule="표 7, 2행", needed=["steward"], seen=["analyst"])

    @app.get("/bad")
    async def bad() -> HTMLResponse:
        return HTMLResponse(BAD)

    @app.get("/inline")
    async def inline(request: Request) -> HTMLResponse:
        page = render(request, "login.html", next="/", refusal=None)
        text = bytes(page.body).decode().replace("</main>", "<script>document.title = 'inline'</script></main>")
        return HTMLResponse(text, headers={"Content-Security-Policy": page.headers["content-security-policy"]})

    @app.post("/stop")
    async def stop(
        request: Request, person: Annotated[Person, Depends(signed_in)], study: Annotated[str, Form()]
    ) -> Response:
        app.state.stopped += 1
        return render(request, "home.html", page=samples.HOME_EMPTY)

    @app.get("/events")
    async def events(person: Annotated[Person, Depends(signed_in)]) -> StreamingResponse:
        async def each() -> AsyncIterator[str]:
            yield ": open\n\n"
            while True:
                if app.state.changed.is_set():
                    app.state.changed.clear()
                    yield "data: changed\n\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(each(), media_type="text/event-stream")

    return app


def _page(template: str, page: object) -> Callable[..., Any]:
    async def show(request: Request, person: Annotated[Person, Depends(signed_in)]) -> HTMLResponse:
        request.app.state.drawn += 1
        return render(request, template, page=page)

    return show
