"""The ports through which a node touches the world and that a test may replace. Six in all: Store and Objects have one
implementation each (`db`, the file system); the launcher's port stands with the zone that alone uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Clock(Protocol):
    """Time, in two kinds that are never mixed."""

    def now(self) -> int:
        """UTC milliseconds since 1970: what is stored and signed."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow: waits, leases, meters."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer answered: the status and, where the body is JSON, the value."""

    status: int
    body: Any
    text: str = ""
    #: The next page, where the peer names one below the same address.
    following: str | None = None

    @property
    def ok(self) -> bool:
        """A 2xx answer."""
        return 200 <= self.status < 300


class Peer(Protocol):
    """Another organisation's node, over HTTP."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One guarded exchange. Raises `Unreachable` when no usable answer came."""
        ...

    async def send_file(self, method: str, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        """The same with the bytes of `path` as body, in pieces of 1 MiB: it may be larger than memory."""
        ...

    async def receive_file(self, url: str, path: Path, headers: Mapping[str, str] | None = None) -> Answer:
        """A GET into `path`, in pieces; what lies there already is not asked for again."""
        ...


class Unreachable(Exception):
    """A peer is down, slow, or answered what no peer may answer. The outbox waits and tries again."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.url = url
        self.why = why
