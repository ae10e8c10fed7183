"""The app of a node: FastAPI, with a code even where the framework answers by itself.

A body whose declared length is over the limit is refused outside of all handlers, in plain text (Starlette 1.10,
`middleware/body_limit.py`). Here that answer gets our words.
"""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.web.refusals import answer
from connector.web.wellformed import well_formed
from vocab.errors import Refusal


class Refused(BaseModel):
    """A no: its stable code, what was refused, what to do; and where there are such, rule, values and its own page."""

    code: str
    what: str
    do: str
    rule: str | None = None
    needed: Any = None
    seen: Any = None
    values: dict[str, Any] | None = None
    link: str | None = None


#: What every address may answer besides what it is for. 5XX: another node that this one needs does not answer.
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Refused, "description": "Refused"},
    "5XX": {"model": Refused, "description": "Not possible now"},
}

#: Routers, by who they are (they have no hash; each stays alive in what was made of it), as apps of one limit use them.
_MADE: Final[dict[tuple[int, int | None], APIRouter]] = {}


class Application(FastAPI):
    """FastAPI whose every refusal has a code. Give it `max_body_size`, and routes that take more their own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(responses=_ANSWERS, dependencies=[Depends(well_formed)], **settings)

    def add_doors(self, router: APIRouter) -> None:
        """Includes `router`, whose routes are complete: what the framework makes of them is made once a process."""
        self.router.routes.extend(_doors(router, self.max_body_size))

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's stack, and around it the one thing that has to be outermost."""
        return _Worded(super().build_middleware_stack())


def _doors(router: APIRouter, most_bytes: int | None) -> Sequence[BaseRoute]:
    """Reading the signatures of a node's routes takes longer than all else in its start."""
    made = _MADE.get((id(router), most_bytes))
    if made is None:
        made = APIRouter(responses=_ANSWERS, dependencies=[Depends(well_formed)], max_body_size=most_bytes)
        made.include_router(router)
        _MADE[id(router), most_bytes] = made
    return made.routes


class _Worded:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def worded(message: Message) -> None:
            nonlocal replaced
            if _bare(message):
                replaced = True
                await answer(Request(scope), Refusal("body-too-large"))(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, worded if scope["type"] == "http" else send)


def _bare(message: Message) -> bool:
    """Is this the framework's own 413? Ours is never plain text."""
    if message["type"] != "http.response.start" or message["status"] != 413:
        return False
    return any(name == b"content-type" and value.startswith(b"text/plain") for name, value in message["headers"])
