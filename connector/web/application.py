"""The app of a node: FastAPI, with a code even where the framework answers by itself.

A body whose declared length is over the limit is refused outside of all handlers, in plain text (Starlette 1.10,
`middleware/body_limit.py`). Here that answer gets our words.
"""

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.web.refusals import answer
from vocab.errors import Refusal


class Application(FastAPI):
    """FastAPI whose every refusal has a code. Give it `max_body_size`, and routes that take more their own."""

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's stack, and around it the one thing that has to be outermost."""
        return _Worded(super().build_middleware_stack())


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
