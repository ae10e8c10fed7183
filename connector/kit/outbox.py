"""The outbox: what a unit promised, performed afterwards, at least once, in order per process.

A promise is a row written in the same unit as the state it follows from. The worker is woken by the commit; a slow
sweep is only the safety net. A promise that fails waits with growing pauses until its deadline, then it is given up
and the room that made it is told. Nothing waits in memory: after a crash the rows are still there.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Index, func
from sqlmodel import JSON, Column, Field, Session, select

from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.ports import Clock, Unreachable
from vocab.errors import Refusal

log = logging.getLogger("dure.outbox")

#: First pause, growth and longest pause between attempts (seconds): research/dsp.md 7.5.
FIRST, GROWTH, LONGEST = 0.5, 1.5, 60.0
#: A promise without a deadline of its own is given up after this (ms): a week.
DEADLINE: Final = 7 * 24 * 3600 * 1000
SWEEP: Final = 30.0


class Promise(ConnectorTable, table=True):
    """One effect that a unit promised."""

    __tablename__ = "promise"
    __table_args__ = (Index("promise_waiting", "state", "process", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    process: str
    kind: str
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    study: str | None = None
    state: str = "waiting"  # waiting | done | given-up
    attempts: int = 0
    made_at: int
    due_at: int
    deadline_at: int
    last_error: str | None = None
    done_at: int | None = None


#: What a handler gives back: a unit function that commits together with "done", or nothing.
Performed = Callable[[Unit], None] | None
Perform = Callable[[Promise], Awaitable[Performed]]
GivenUp = Callable[[Unit, Promise, Refusal], None]


class TryLater(Exception):
    """Not now: the promise stays, and is tried again after `seconds` (or the usual pause)."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Handler:
    """How one kind of promise is performed; `given_up` runs in the unit that gives it up."""

    perform: Perform
    given_up: GivenUp | None = None


def promise(
    unit: Unit,
    process: str,
    kind: str,
    payload: Mapping[str, Any],
    *,
    now: int,
    study: str | None = None,
    due_at: int | None = None,
    deadline_at: int | None = None,
) -> None:
    """Promises an effect in this unit. Promises of one `process` are performed in the order they were made."""
    unit.session.add(
        Promise(
            process=process,
            kind=kind,
            payload=dict(payload),
            study=study,
            made_at=now,
            due_at=due_at or now,
            deadline_at=deadline_at or max(now, due_at or 0) + DEADLINE,
        )
    )


def waiting(session: Session) -> list[Promise]:
    """What this node still waits for, oldest first: shown on its page."""
    return list(session.exec(select(Promise).where(Promise.state == "waiting").order_by(Promise.id)))  # type: ignore[arg-type]


def heads(session: Session) -> list[Promise]:
    """The first waiting promise of each process: only these may be performed."""
    first = select(func.min(Promise.id)).where(Promise.state == "waiting").group_by(Promise.process)
    return list(session.exec(select(Promise).where(Promise.id.in_(first))))  # type: ignore[union-attr]


@dataclass(slots=True)
class Outbox:
    """The worker of one node."""

    store: Store
    clock: Clock
    handlers: dict[str, Handler] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the worker; rows left by an earlier run are taken up at once."""
        loop = asyncio.get_running_loop()

        def committed() -> None:
            with contextlib.suppress(RuntimeError):  # its loop has ended: another worker will find the rows
                loop.call_soon_threadsafe(self._wake.set)

        self.store.on_commit(committed)
        self._wake.set()
        self._loop = asyncio.create_task(self._work(), name="outbox")

    async def stop(self) -> None:
        """Stops the worker; what is under way is cancelled and will be tried again after a restart."""
        tasks = [task for task in (self._loop, *self._running.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop = None
        self._running.clear()

    def nudge(self) -> None:
        """Looks at the rows again now (a peer became reachable, a clock moved)."""
        self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._round()
            except Exception:  # the store may be away for a while: the worker must outlive that
                log.exception("outbox round failed")
                pause = FIRST
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # not wait_for: until 3.12 it can swallow a cancellation
                    await self._wake.wait()

    async def _round(self) -> float:
        """Starts what is due; returns the seconds until the next row is."""
        now, pause = self.clock.now(), SWEEP
        busy = set(self._running)  # before the rows are read: one that ends meanwhile is read as waiting still
        for row in await self.store.read(heads):
            if row.process in busy:
                continue
            if row.due_at > now:
                pause = min(pause, (row.due_at - now) / 1000)
                continue
            task = asyncio.create_task(self._perform(row), name=f"promise {row.id} {row.kind}")
            self._running[row.process] = task
            task.add_done_callback(lambda _, process=row.process: self._ended(process))  # type: ignore[misc]
        return max(pause, 0.005)

    def _ended(self, process: str) -> None:
        self._running.pop(process, None)
        self._wake.set()

    async def _perform(self, row: Promise) -> None:
        handler = self.handlers.get(row.kind)
        try:
            if self.clock.now() >= row.deadline_at:
                raise Refusal("given-up", what=row.kind, why=row.last_error or "–")
            if handler is None:
                raise TryLater(f"no role here performs {row.kind}")
            performed = await handler.perform(row)
        except Refusal as refusal:
            await self._give_up(row, handler, refusal)
        except (TryLater, Unreachable) as error:
            await self._again(row, error.why, getattr(error, "seconds", None))
        except Exception as error:
            log.exception("promise failed", extra={"event": row.kind, "about": row.process, "study": row.study})
            await self._again(row, f"{type(error).__name__}: {error}", None)
        else:
            await self.store.run(lambda unit: self._done(unit, row, performed))

    def _done(self, unit: Unit, row: Promise, performed: Performed) -> None:
        current = unit.session.get(Promise, row.id)
        if current is None or current.state != "waiting":
            return
        current.state, current.done_at, current.last_error = "done", self.clock.now(), None
        if performed:
            performed(unit)

    async def _again(self, row: Promise, why: str, seconds: float | None) -> None:
        pause = seconds or min(LONGEST, FIRST * GROWTH**row.attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load

        def unit_function(unit: Unit) -> None:
            current = unit.session.get(Promise, row.id)
            if current and current.state == "waiting":
                current.attempts += 1
                current.last_error = why[:500]
                current.due_at = self.clock.now() + round(pause * 1000)

        await self.store.run(unit_function)

    async def _give_up(self, row: Promise, handler: Handler | None, refusal: Refusal) -> None:
        def unit_function(unit: Unit) -> None:
            current = unit.session.get(Promise, row.id)
            if current is None or current.state != "waiting":
                return
            current.state, current.done_at, current.last_error = "given-up", self.clock.now(), str(refusal)[:500]
            if handler and handler.given_up:
                handler.given_up(unit, current, refusal)

        await self.store.run(unit_function)
