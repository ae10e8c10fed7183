"""The one way out: a guarded HTTP client. Allow-listed schemes, no private addresses outside development, connections
only to addresses that were checked, no redirects, caps on time, size and depth. What breaks a cap is `Unreachable`.
"""

import asyncio
import ipaddress
import json as json_module
import re
import socket
import string
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from connector.kit.ports import Answer, Unreachable
from vocab.errors import Refusal

#: A peer's answer beyond these is not an answer.
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_DEPTH: Final = 64
#: How long a peer may be silent, and how long it may take to pick up.
_PATIENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=20.0)
#: Kept connections are let go before a node on the other side (uvicorn: 5 s) does it.
_KEPT_SECONDS: Final = 4.0
_JSON: Final = frozenset({"application/json", "application/ld+json"})
#: What people read.
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
MOST_LINK: Final = 4096
_NEXT: Final = re.compile(r'<([^<>\s]+)>[^,<]*;\s*rel="?next"?', re.ASCII | re.IGNORECASE)
#: What of an address is sent as it is written.
_SIGNS: Final = string.ascii_letters + string.digits + string.punctuation
#: How much of a file is read and sent at once.
PIECE: Final = 1 << 20


class Http:
    """The shared client of one node. It begins with its first request: a client belongs to the loop that runs it."""

    def __init__(self, *, development: bool) -> None:
        self._development = development
        self._session: aiohttp.ClientSession | None = None

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
        head = {"accept-encoding": "identity", "accept": "*/*", **(headers or {})}
        if begun:
            head["range"] = f"bytes={begun}-"
        async with self._asked("GET", url, None, head) as response:
            if response.status == 416 and begun:  # all of it lies here
                return Answer(206, None)
            if response.status not in (200, 206):
                return await _read(response, url)
            with await asyncio.to_thread(path.open, "ab" if response.status == 206 else "wb") as file:
                async for piece in response.content.iter_chunked(PIECE):
                    await asyncio.to_thread(file.write, piece)
        return Answer(response.status, None)

    async def _exchange(
        self, method: str, url: str, content: bytes | AsyncIterator[bytes] | None, headers: Mapping[str, str]
    ) -> Answer:
        async with self._asked(method, url, content, headers) as response:
            found = await _read(response, url)
        following = next_page(url, response.headers.get("link", ""))
        return replace(found, following=following) if following else found

    @asynccontextmanager
    async def _asked(
        self, method: str, url: str, content: bytes | AsyncIterator[bytes] | None, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose body is still to be read, within this block."""
        target = allowed(url, development=self._development)
        if self._session is None:
            self._session = _session(development=self._development)
        asked = self._session.request(method, target, data=content, headers=headers, allow_redirects=False)
        try:
            async with asked as response:
                yield response
        except aiohttp.InvalidURL:  # a number as a host
            raise Refusal("address-forbidden", url=url, why="not a URL") from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unreachable(url, type(error).__name__) from None

    async def close(self) -> None:
        """Closes kept connections."""
        if self._session is not None:
            await self._session.close()


def allowed(url: str, *, development: bool) -> URL:
    """`url`, if it may be asked at all. Raises `Refusal("address-forbidden")`. Names are looked at by the resolver."""
    try:
        if any(sign <= " " or sign == "\x7f" for sign in url):
            raise ValueError
        found = URL(quote(url, safe=_SIGNS), encoded=True)
        host, port = found.host, found.port
    except (ValueError, TypeError, AttributeError):
        raise Refusal("address-forbidden", url=str(url)[:200], why="not a URL") from None
    if found.scheme != "https" and not (development and found.scheme == "http"):
        raise Refusal("address-forbidden", url=url, why=f"scheme {found.scheme or '–'}")
    if not host or not port or (":" not in host and "%" in host):
        raise Refusal("address-forbidden", url=url, why="not a URL")
    if found.user is not None or found.password is not None:
        raise Refusal("address-forbidden", url=url, why="user in the address")
    if not development and not _public(host):
        raise Refusal("address-forbidden", url=url, why="private address")
    return found.with_fragment(None) if found.fragment else found


class _Public(AbstractResolver):
    """Names to addresses, looked up once a connection: what was checked is what is connected to.

    Raises `Refusal("address-forbidden")` when a name has a private address.
    """

    def __init__(self, *, development: bool) -> None:
        self._development = development

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError(None, "name not found") from None
        addresses = [str(one[4][0]) for one in found]
        if not self._development and not all(_public(address) for address in addresses):
            raise Refusal("address-forbidden", url=host, why="private address")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=one[0], proto=one[2], flags=0)
            for address, one in zip(addresses, found, strict=True)
        ]

    async def close(self) -> None:
        """Nothing is kept."""


def _public(host: str) -> bool:
    """Whether `host` is no private address; of a name this says nothing."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return True


def _session(*, development: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        resolver=_Public(development=development),
        use_dns_cache=False,
        limit=64,
        limit_per_host=16,
        keepalive_timeout=_KEPT_SECONDS,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=_PATIENCE,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "dure", "accept": "application/json"},
        skip_auto_headers={"content-type"},
    )


def next_page(url: str, link: str) -> str | None:
    """The address of the next page (RFC 8288), only below the one that was asked: our token must not travel."""
    found = _NEXT.search(link[:MOST_LINK])
    if found is None:
        return None
    try:
        following = str(URL(url, encoded=True).join(URL(found[1], encoded=True)))
    except ValueError:
        return None
    return following if following.partition("?")[0] == url.partition("?")[0] else None


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """The bytes of `path`, read off the event loop."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def _read(response: aiohttp.ClientResponse, url: str) -> Answer:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unreachable(url, "answer too large")
    return answered(url, response.status, response.headers.get("content-type", ""), bytes(body))


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
