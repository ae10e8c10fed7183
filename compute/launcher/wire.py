"""JSON lines between the node, the launcher and a job's process."""

import json
import socket
from typing import Any, Final

from vocab.errors import Refusal

Json = dict[str, Any]
#: Trusted text, 64 KiB an executor, is the longest thing that travels.
MOST: Final = 8 << 20


class Lines:
    """One end of a stream of JSON lines over a socket. `received` returns what is complete; `closed` when it ended."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.closed = False
        self._rest = b""

    def send(self, message: Json) -> None:
        """Sends one line; a reader that is gone is noticed when reading."""
        try:
            self.end.sendall(line(message))
        except OSError:
            self.closed = True

    def received(self) -> list[Json]:
        """What arrived since the last call. Reads once: call it when there is something to read."""
        try:
            piece = self.end.recv(1 << 16)
        except OSError:
            piece = b""
        if not piece:
            self.closed = True
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MOST:
            self.closed = True
        return [parsed(text) for text in lines]


def line(message: Json) -> bytes:
    """One message as it travels."""
    return json.dumps(message).encode() + b"\n"


def parsed(text: bytes) -> Json:
    """The message in one line."""
    found: Json = json.loads(text)
    return found


def refusal_to_json(refusal: Refusal) -> Json:
    """A refusal as it travels."""
    named = {name: getattr(refusal, name) for name in ("rule", "needed", "seen")}
    said = {name: value for name, value in named.items() if value is not None}
    return {"code": refusal.code, **said, **refusal.values}


def refusal_from_json(found: Json) -> Refusal:
    """The refusal as it was raised on the other side."""
    return Refusal(**found)
