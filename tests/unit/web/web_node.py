"""A small node with pages, for the tests beside it: one person, one page, and routes that refuse in each way."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from connector.web.access import duty, signed_in
from connector.web.application import Application
from connector.web.layout import render
from connector.web.people import People, Person
from connector.web.refusals import install
from connector.web.session import Sessions
from connector.web.site import Item, Site
from vocab.errors import Refusal

TOKEN = "kim-" + "0123456789abcdef" * 3
KIM = Person("kim", "김하늘", frozenset({"steward"}))
BROWSER = {"Accept": "text/html", "Accept-Language": "ko"}
OURS = {"Origin": "http://testserver"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    count: int
    name: str = Field(max_length=5)


class Watch:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def make(templates: tuple[Path, ...] = (), watch: Watch | None = None, node: str = "h01", most: int = 1_000) -> FastAPI:
    people = People([(KIM, TOKEN)])
    menu = (Item("/page", "home"), Item("/board", "case", frozenset({"member"})))
    sessions = Sessions(people, watch or Watch())
    app = Application(max_body_size=most)
    install(app, Site(node, "새빛대학병원", "Saebit", ("provider",), people, sessions, menu, templates))

    @app.get("/page")
    async def page(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
        return render(request, "refused.html", refusal=Refusal("not-found", what="<b>&</b>"), number=200, where="here")

    @app.get("/template/{name}")
    async def template(request: Request, name: str) -> Response:
        return render(request, name)

    @app.post("/do")
    async def do(person: Annotated[Person, Depends(signed_in)]) -> str:
        return person.id

    @app.post("/steward")
    async def steward(person: Annotated[Person, Depends(duty("second", "steward"))]) -> str:
        return person.id

    @app.post("/keys")
    async def keys(person: Annotated[Person, Depends(duty("keys"))]) -> str:
        return person.id

    @app.post("/body")
    async def body(body: Body) -> int:
        return body.count

    @app.get("/refuse")
    async def refuse() -> None:
        raise Refusal("duty-missing", rule="r<1>", needed=["steward"], seen={"analyst"})

    @app.get("/crash")
    async def crash() -> None:
        raise ZeroDivisionError("patient 630101-9000000")

    return app


class Visitor:
    """A browser or a program: keeps cookies, follows no redirect, sees what a server in trouble answers."""

    def __init__(self, app: FastAPI, scheme: str = "http") -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=f"{scheme}://testserver")
        self.cookies = self._client.cookies

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **options)


def signed_in_visitor(app: FastAPI) -> Visitor:
    visitor = Visitor(app)
    answer = visitor.post("/login", data={"token": TOKEN}, headers=OURS)
    assert answer.status_code == 303, answer.text
    return visitor
