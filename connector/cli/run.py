"""`dure run`: one node in the foreground."""

import asyncio
import signal
import socket
from pathlib import Path

from connector.kit.logs import log_to
from connector.kit.settings import Settings
from connector.node import running
from vocab.errors import Refusal


async def serve(path: Path) -> None:
    """Serves the node of `path` until SIGINT or SIGTERM. Raises `Refusal("port-taken")`."""
    settings = Settings.load(path)
    log_to(None)
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=128)
    except OSError as error:
        raise Refusal("port-taken", port=settings.port, node=settings.name, why=error.strerror or "–") from None
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with running(settings, listener):
        await stop.wait()
