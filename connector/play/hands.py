"""The people of the play: each speaks to its own node's management API with its own token, and to nothing else."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from connector.play.space import Space

T = TypeVar("T")


class Said(Exception):
    """A node, the one at `url`, answered no. `code` is its reason."""

    def __init__(self, status: int, body: Any, url: str = "") -> None:
        self.status = status
        self.url = url
        self.body = body if isinstance(body, dict) else {}
        self.code = str(self.body.get("code", status))
        super().__init__(f"{status} {json.dumps(self.body, ensure_ascii=False)[:800]}")


class Late(Exception):
    """Something that should have happened by itself did not, in the time given."""


class NotSo(Exception):
    """A node did what it was asked, but the outcome is not what the scenario says."""


def expect(truth: object, why: object) -> None:
    """Raises `NotSo` unless `truth`."""
    if not truth:
        raise NotSo(str(why)[:800])


@dataclass(frozen=True, slots=True)
class Hand:
    """One person at one node."""

    client: httpx.AsyncClient
    url: str
    token: str

    async def get(self, path: str, **params: Any) -> Any:
        """What the node shows. Raises `Said` for a no."""
        return await self._send("GET", path, params={k: v for k, v in params.items() if v is not None})

    async def post(self, path: str, body: Any = None) -> Any:
        """What the person does. Raises `Said` for a no."""
        return await self._send("POST", path, json={} if body is None else body)

    async def patch(self, path: str, body: Any) -> Any:
        """What the person corrects. Raises `Said` for a no."""
        return await self._send("PATCH", path, json=body)

    async def download(self, path: str, body: Any = None) -> bytes:
        """A file; with `body` it is asked for by POST. Raises `Said` for a no."""
        headers = {"authorization": f"Bearer {self.token}"}
        method = "GET" if body is None else "POST"
        response = await self.client.request(method, self.url + path, headers=headers, json=body)
        if response.is_success:
            return response.content
        raise Said(response.status_code, response.json())

    async def _send(self, method: str, path: str, **rest: Any) -> Any:
        response = await self.client.request(
            method, self.url + path, headers={"authorization": f"Bearer {self.token}"}, **rest
        )
        try:
            body = response.json() if response.content else None
        except ValueError:
            body = {"text": response.text}
        if response.status_code >= 400:
            raise Said(response.status_code, body, self.url)
        return body


class Hands:
    """All people of a space: `hands("h01", "steward")`."""

    def __init__(self, space: Space, lang: str = "ko") -> None:
        self._space = space
        self._client = httpx.AsyncClient(timeout=120, trust_env=False, headers={"accept-language": lang})

    def __call__(self, node: str, person: str) -> Hand:
        """The person's hand."""
        return Hand(self._client, self._space.nodes[node].url, self._space.token(node, person))

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.aclose()


async def until(what: str, look: Callable[[], Awaitable[T | None]], seconds: float = 60.0) -> T:
    """Waits for what nodes do by themselves; looks often, as a person pressing reload would. Raises `Late`."""
    end, pause = time.monotonic() + seconds, 0.02
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > end:
            raise Late(what)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
