"""A place on the web: gives one file, takes in what is posted. EDC's data live behind such a place, and go to one."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = b'{"patients": 3}\n'


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is, and what came."""

    url: str
    came: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """The place, on 127.0.0.1."""
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(FILE)

        def do_POST(self) -> None:
            came.append(self._body())
            self._answer(b"")

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Place(f"http://127.0.0.1:{server.server_port}", came)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
