"""`dure run`: one node in the foreground."""

import asyncio
import signal
from pathlib import Path

from connector.kit.logs import log_to
from connector.kit.settings import Settings
from connector.node import running
from connector.play.space import listener
from vocab.errors import Language
from vocab.words import word


async def serve(path: Path, lang: Language) -> None:
    """Serves the node of `path` until SIGINT or SIGTERM. Raises `Refusal("port-taken" | "clock-behind")`."""
    settings = Settings.load(path)
    log_to(None)
    opened = listener(settings)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with running(settings, opened):
        print(word("run.ready", lang, name=settings.name, url=settings.url), flush=True)
        await stop.wait()
