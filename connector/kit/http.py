"""The one way out: a guarded HTTP client. Allow-listed schemes, no private addresses outside development, the address
pinned after resolution, no redirects, caps on time, size and depth. What breaks a cap is `Unreachable`.
"""

import asyncio
import ipaddress
import json as json_module
import re
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx

from connector.kit.ports import Answer, Unreachable
from vocab.errors import Refusal

#: A peer's answer beyond these is not an answer.
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_DEPTH: Final = 64
SECONDS: Final = 20.0
_JSON: Final = frozenset({"application/json", "application/ld+json"})
#: What people read.
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
MOST_LINK: Final = 4096
_NEXT: Final = re.compile(r'<([^<>\s]+)>[^,<]*;\s*rel="?next"?', re.ASCII | re.IGNORECASE)
#: How much of a file is read and sent at once.
PIECE: Final = 1 << 20


class Http:
    """The shared client of one node (creating one costs about 65 ms)."""

    def __init__(self, *, development: bool) -> None:
        self._development = development
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(SECONDS, connect=5.0),
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "dure", "accept": "application/json"},
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange. Raises `Refusal("address-forbidden")` before anything is sent, `Unreachable` after."""
        head = dict(headers or {})
        if json is not None:
            content, head["content-type"] = json_module.dumps(json, ensure_ascii=False).encode(), "application/json"
        return await self._exchange(method, url, content, head)

    async def send_file(self, method: str, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        """The same with the bytes of `path` as body, in pieces."""
        size = (await asyncio.to_thread(path.stat)).st_size
        head = {"content-type": "application/octet-stream", "content-length": str(size), **(headers or {})}
        return await self._exchange(method, url, _pieces(path), head)

    async def receive_file(self, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        """A GET into `path`, in pieces; where an earlier one was broken off, the rest alone is asked for."""
        begun = (await asyncio.to_thread(path.stat)).st_size if await asyncio.to_thread(path.exists) else 0
        target, extensions, host = await self._pinned(url)
        head = {"host": host, "accept-encoding": "identity", "accept": "*/*", **(headers or {})}
        if begun:
            head["range"] = f"bytes={begun}-"
        request = self._client.build_request("GET", target, headers=head, extensions=extensions)
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code == 416 and begun:  # all of it lies here
                    return Answer(206, None)
                if response.status_code not in (200, 206):
                    body = await _capped(response, url)
                    return answered(url, response.status_code, response.headers.get("content-type", ""), body)
                with await asyncio.to_thread(path.open, "ab" if response.status_code == 206 else "wb") as file:
                    async for piece in response.aiter_bytes(PIECE):
                        await asyncio.to_thread(file.write, piece)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise Unreachable(url, type(error).__name__) from None
        return Answer(response.status_code, None)

    async def _exchange(
        self, method: str, url: str, content: bytes | AsyncIterator[bytes] | None, headers: Mapping[str, str]
    ) -> Answer:
        target, extensions, host = await self._pinned(url)
        head = {"host": host, **headers}
        request = self._client.build_request(method, target, content=content, headers=head, extensions=extensions)
        try:
            response = await self._client.send(request, stream=True)
            try:
                body = await _capped(response, url)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise Unreachable(url, type(error).__name__) from None
        found = answered(url, response.status_code, response.headers.get("content-type", ""), body)
        following = next_page(url, response.headers.get("link", ""))
        return replace(found, following=following) if following else found

    async def close(self) -> None:
        """Closes kept connections."""
        await self._client.aclose()

    async def _pinned(self, url: str) -> tuple[httpx.URL, dict[str, Any], str]:
        """The URL with its host replaced by the checked address, so that a second resolution cannot differ."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            raise Refusal("address-forbidden", url=str(url)[:200], why="not a URL") from None
        if parsed.scheme != "https" and not (self._development and parsed.scheme == "http"):
            raise Refusal("address-forbidden", url=url, why=f"scheme {parsed.scheme or '–'}")
        if parsed.userinfo:
            raise Refusal("address-forbidden", url=url, why="user in the address")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable(url, "name not found") from None
        addresses = [ipaddress.ip_address(str(one[4][0]).split("%")[0]) for one in found]
        if not self._development and not all(address.is_global for address in addresses):
            raise Refusal("address-forbidden", url=url, why="private address")
        address = next((one for one in addresses if one.version == 4), addresses[0])
        host = parsed.netloc.decode()
        return parsed.copy_with(host=str(address)), {"sni_hostname": parsed.host}, host


def next_page(url: str, link: str) -> str | None:
    """The address of the next page (RFC 8288), only below the one that was asked: our token must not travel."""
    found = _NEXT.search(link[:MOST_LINK])
    if found is None:
        return None
    following = httpx.URL(url).join(found[1])
    return str(following) if str(following).partition("?")[0] == url.partition("?")[0] else None


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """The bytes of `path`, read off the event loop."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def _capped(response: httpx.Response, url: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unreachable(url, "answer too large")
    return bytes(body)


def answered(url: str, status: int, content_type: str, body: bytes) -> Answer:
    """A peer's answer, its JSON read under the caps. Raises `Unreachable` when it breaks one."""
    if status >= 500 or status == 429 or (300 <= status < 400 and status != 304):  # 304: what we hold is still so
        raise Unreachable(url, f"status {status}")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PAGES:  # somebody stands in between: no node says anything to another in HTML
        raise Unreachable(url, f"status {status} in HTML")
    text = body.decode("utf-8", errors="replace")
    # some connectors name no type: what then looks like an object is read as one
    if not body or (kind not in _JSON and (kind or not text.lstrip().startswith("{"))):
        return Answer(status, None, text)
    try:
        value = json_module.loads(body)
    except (ValueError, RecursionError):
        raise Unreachable(url, "answer is not JSON") from None
    if _depth(value) > MOST_DEPTH:
        raise Unreachable(url, "answer too deep")
    return Answer(status, value, text)


def _depth(value: Any) -> int:
    """How deep `value` is nested, without recursion."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if deepest > MOST_DEPTH + 1:
            break
    return deepest
