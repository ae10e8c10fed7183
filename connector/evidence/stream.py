"""The journal as it grows, for open pages: woken by commits, sent as server-sent events."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from connector.evidence import journal
from connector.evidence.model import Entry
from connector.kit.db import Store

#: A comment is sent after this long without news (seconds), so that a browser that left is noticed.
QUIET: Final = 20.0


class Commits:
    """Wakes whoever waits for new rows of this node, in whatever thread the commit happened."""

    def __init__(self, store: Store) -> None:
        self._waiting: set[Callable[[], None]] = set()
        self._lock = threading.Lock()
        store.on_commit(self._committed)

    @contextlib.contextmanager
    def wakes(self) -> Iterator[asyncio.Event]:
        """An event of the running loop that each commit sets, inside the block."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(event.set)

        with self._lock:
            self._waiting.add(wake)
        try:
            yield event
        finally:
            with self._lock:
                self._waiting.discard(wake)

    def _committed(self) -> None:
        with self._lock:
            for wake in self._waiting:
                with contextlib.suppress(RuntimeError):  # its loop has ended: nobody waits there any more
                    wake()


async def events(
    store: Store, commits: Commits, show: Callable[[Entry], dict[str, Any]], study: str | None, after: int
) -> AsyncIterator[str]:
    """Each entry after number `after`, old and new, one event each; its number is the event's id."""
    with commits.wakes() as woken:
        while True:
            woken.clear()
            last = after
            for entry in await store.read(partial(journal.entries, study=study, after=last, limit=200)):
                after = entry.id or after
                data = json.dumps(show(entry), ensure_ascii=False)
                yield f"id: {after}\nevent: entry\ndata: {data}\n\n"
            if after != last:
                continue
            try:
                async with asyncio.timeout(QUIET):
                    await woken.wait()
            except TimeoutError:
                yield ": still here\n\n"
