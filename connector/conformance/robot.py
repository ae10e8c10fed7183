"""The person of the script: looks at what waits, and does by hand what its line says, a moment later.

A moment, because the kit registers each of its doors only when it has seen the step before: a message that comes
earlier is answered 404, or 409 once and then 404.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.conformance import scripts
from connector.conformance.seed import offer
from connector.kit.outbox import Promise
from connector.kit.runtime import Runtime
from connector.negotiation import hands as negotiating
from connector.negotiation import states as negotiation_states
from connector.negotiation.model import Negotiation
from connector.transfer import hands as transferring
from connector.transfer import states as transfer_states
from connector.transfer.model import Transfer
from vocab.errors import Refusal

log = logging.getLogger("dure.conformance")

WHO: Final = "kit"
#: Seconds between what was seen and what is done.
MOMENT: Final = 0.4

Row = Negotiation | Transfer
_Step = Callable[[Runtime, Any], Awaitable[object]]

_NEGOTIATION: Final[Mapping[str, _Step]] = {
    "offer": lambda runtime, row: negotiating.offer(runtime, WHO, row.id),
    "counter": lambda runtime, row: negotiating.counter(runtime, WHO, row.id, offer(row.dataset)),
    "accept": lambda runtime, row: negotiating.accept(runtime, WHO, row.id),
    "agree": lambda runtime, row: negotiating.agree(runtime, WHO, row.id),
    "verify": lambda runtime, row: negotiating.verify(runtime, WHO, row.id),
    "finalise": lambda runtime, row: negotiating.finalise(runtime, WHO, row.id),
    "terminate": lambda runtime, row: negotiating.stop(runtime, row.id, WHO, "the script ends it"),
}
_TRANSFER: Final[Mapping[str, _Step]] = {
    "start": lambda runtime, row: transferring.start(runtime, WHO, row.id),
    "suspend": lambda runtime, row: transferring.suspend(runtime, WHO, row.id, "the script suspends it"),
    "complete": lambda runtime, row: transferring.complete(runtime, WHO, row.id),
    "terminate": lambda runtime, row: transferring.end(runtime, row.id, WHO, "the script ends it"),
}


@dataclass(slots=True)
class Robot:
    """Plays the people of one node."""

    runtime: Runtime
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: dict[str, str] = field(default_factory=dict)
    _visits: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to look; each commit is a reason to look again."""
        loop = asyncio.get_running_loop()

        def committed() -> None:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(self._wake.set)

        self.runtime.store.on_commit(committed)
        self._loop = asyncio.create_task(self._work(), name="conformance")

    async def stop(self) -> None:
        """Leaves everything as it is."""
        tasks = [task for task in (self._loop, *self._under_way.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            for row, promises in await self.runtime.store.read(_living):
                if self._seen.get(row.id) != row.state and not promises and row.provider_pid and row.consumer_pid:
                    self._seen[row.id] = row.state
                    self._plan(row)
            await self._wake.wait()

    def _plan(self, row: Row) -> None:
        """The nth time in this state, the nth word of its line; no word, and it waits."""
        negotiation = isinstance(row, Negotiation)
        script = scripts.NEGOTIATIONS.get(str(row.dataset)) if negotiation else scripts.TRANSFERS.get(_agreement(row))
        words = (script or {}).get(row.state, ())
        visit = self._visits[row.id, row.state]
        self._visits[row.id, row.state] += 1
        if visit < len(words):
            step = (_NEGOTIATION if negotiation else _TRANSFER)[words[visit]]
            self._under_way[row.id] = asyncio.create_task(self._later(partial(step, self.runtime, row), row))

    async def _later(self, step: Callable[[], Awaitable[object]], row: Row) -> None:
        await asyncio.sleep(MOMENT)
        try:
            await step()
        except Refusal as refusal:  # the kit was quicker: what it did is the scenario
            log.warning("the script was refused", extra={"event": refusal.code, "about": row.id})


def _agreement(row: Row) -> str:
    return row.agreement or ""


def _living(session: Session) -> list[tuple[Row, int]]:
    """What has not ended, and how many of its messages are still on their way."""
    rows: list[Row] = [
        *session.exec(select(Negotiation).where(col(Negotiation.state).not_in(negotiation_states.TERMINAL))),
        *session.exec(select(Transfer).where(col(Transfer.state).not_in(transfer_states.TERMINAL))),
    ]
    waiting = set(session.exec(select(Promise.process).where(Promise.state == "waiting")))
    kinds = {Negotiation: "negotiation", Transfer: "transfer"}
    return [(row, int(f"{kinds[type(row)]} {row.id}" in waiting)) for row in rows]
