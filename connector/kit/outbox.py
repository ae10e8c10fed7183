"""The outbox: what a unit promised, performed afterwards, at least once, in order per process.

A promise is a row written in the same unit as the state it follows from. The worker is woken by the commit; a slow
sweep is only the safety net. A promise that fails waits with growing pauses until its deadline, then it is given up
and the room that made it is told. Nothing waits in memory: after a crash the rows are still there.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Index, func
from sqlalchemy.orm import aliased
from sqlmodel import JSON, Column, Field, Session, col, select, update

from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.ports import Clock, Unreachable
from vocab.errors import Refusal

log = logging.getLogger("dure.outbox")

#: First pause, growth and longest pause between attempts (seconds): research/dsp.md 7.5.
FIRST, GROWTH, LONGEST = 0.5, 1.5, 60.0
#: A promise without a deadline of its own is given up after this (ms): a week.
DEADLINE: Final = 7 * 24 * 3600 * 1000
SWEEP: Final = 30.0
#: A unit that promised something carries it.
MARK: Final = "promise"
#: How many rows a look at the store takes up.
AT_ONCE: Final = 64
#: What waits for the same place follows the one that asks for all after this (ms).
FOLLOW: Final = 1000


class Promise(ConnectorTable, table=True):
    """One effect that a unit promised."""

    __tablename__ = "promise"
    __table_args__ = (
        Index("promise_waiting", "state", "process", "id"),
        Index("promise_due", "state", "due_at"),
    )

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
    """How one kind of promise is performed; `given_up` runs in the unit that gives it up.

    `most`: how many of the kind are under way at once. `one_place`: all of the kind go to the same place; while it
    cannot be reached they wait together, and one of them asks for all.
    """

    perform: Perform
    given_up: GivenUp | None = None
    most: int | None = None
    one_place: bool = False


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
    unit.marks.add(MARK)
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


def hasten(unit: Unit, process: str, now: int) -> None:
    """What this process waits for is due now."""
    waits = update(Promise).where(col(Promise.process) == process, col(Promise.state) == "waiting")
    unit.session.connection().execute(waits.where(col(Promise.due_at) > now).values(due_at=now))
    unit.marks.add(MARK)


def due(session: Session, now: int, under_way: Collection[int], full: Collection[str]) -> list[Promise]:
    """What may be performed now: the first waiting promise of a process, whose time has come, oldest first.

    `under_way` are left out, and kinds of which enough are under way.
    """
    earlier = aliased(Promise)
    behind = select(earlier.id).where(
        earlier.process == Promise.process, earlier.state == "waiting", col(earlier.id) < Promise.id
    )
    query = select(Promise).where(Promise.state == "waiting", Promise.due_at <= now, ~behind.exists())
    query = query.where(col(Promise.id).not_in(under_way), col(Promise.kind).not_in(full))
    return list(session.exec(query.order_by(col(Promise.id)).limit(AT_ONCE)))


def next_due(session: Session, now: int) -> int | None:
    """When the next promise that is not due yet will be."""
    return session.exec(select(func.min(Promise.due_at)).where(Promise.state == "waiting", Promise.due_at > now)).one()


@dataclass(slots=True)
class Outbox:
    """The worker of one node."""

    store: Store
    clock: Clock
    handlers: dict[str, Handler] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[int, tuple[Promise, asyncio.Task[None]]] = field(default_factory=dict)
    _loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the worker; rows left by an earlier run are taken up at once."""
        loop = asyncio.get_running_loop()

        def committed() -> None:
            with contextlib.suppress(RuntimeError):  # its loop has ended: another worker will find the rows
                loop.call_soon_threadsafe(self._wake.set)

        self.store.on_commit(committed, MARK)
        self._wake.set()
        self._loop = asyncio.create_task(self._work(), name="outbox")

    async def stop(self) -> None:
        """Stops the worker; what is under way is cancelled and will be tried again after a restart."""
        tasks = [task for task in (self._loop, *(task for _, task in self._running.values())) if task]
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
        now = self.clock.now()
        # before the rows are read: one that ends meanwhile is read as waiting still
        under_way, full = list(self._running), [kind for kind in self.handlers if self._room(kind) <= 0]

        def read(session: Session) -> tuple[list[Promise], int | None]:
            return due(session, now, under_way, full), next_due(session, now)

        rows, following = await self.store.read(read)
        for row in rows:
            if self._room(row.kind) > 0:
                self._begin(row)
        return SWEEP if following is None else max(0.005, min(SWEEP, (following - now) / 1000))

    def _room(self, kind: str) -> float:
        """How many more of `kind` may be under way."""
        handler = self.handlers.get(kind)
        if handler is None or handler.most is None:
            return math.inf
        return handler.most - sum(row.kind == kind for row, _ in self._running.values())

    def _begin(self, row: Promise) -> None:
        assert row.id is not None  # noqa: S101 - it was read from the store
        number = row.id
        task = asyncio.create_task(self._perform(row), name=f"promise {number} {row.kind}")
        self._running[number] = row, task
        task.add_done_callback(lambda _: self._ended(number))

    def _ended(self, number: int) -> None:
        self._running.pop(number, None)
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
            away = isinstance(error, Unreachable) and handler is not None and handler.one_place
            await self._again(row, error.why, getattr(error, "seconds", None), all_of_kind=away)
        except Exception as error:
            log.exception("promise failed", extra={"event": row.kind, "about": row.process, "study": row.study})
            await self._again(row, f"{type(error).__name__}: {error}", None)
        else:
            await self.store.run(lambda unit: self._done(unit, row, performed))

    def _done(self, unit: Unit, row: Promise, performed: Performed) -> None:
        if self._end(unit, row, "done", None) and performed:
            performed(unit)

    def _end(self, unit: Unit, row: Promise, state: str, error: str | None) -> bool:
        """Whether this is what ended it: it was still waiting."""
        ended = update(Promise).where(col(Promise.id) == row.id, col(Promise.state) == "waiting")
        values = {"state": state, "done_at": self.clock.now(), "last_error": error}
        return unit.session.connection().execute(ended.values(values)).rowcount > 0

    async def _again(self, row: Promise, why: str, seconds: float | None, *, all_of_kind: bool = False) -> None:
        pause = seconds or min(LONGEST, FIRST * GROWTH**row.attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load

        def unit_function(unit: Unit) -> None:
            current = unit.session.get(Promise, row.id)
            if current is None or current.state != "waiting":
                return
            current.attempts += 1
            current.last_error = why[:500]
            current.due_at = self.clock.now() + round(pause * 1000)
            if all_of_kind:
                behind = current.due_at + FOLLOW
                others = update(Promise).where(col(Promise.state) == "waiting", col(Promise.due_at) < behind)
                others = others.where(col(Promise.kind) == row.kind, col(Promise.id) != row.id)
                unit.session.connection().execute(others.values(due_at=behind))

        await self.store.run(unit_function)

    async def _give_up(self, row: Promise, handler: Handler | None, refusal: Refusal) -> None:
        def unit_function(unit: Unit) -> None:
            if self._end(unit, row, "given-up", str(refusal)[:500]) and handler and handler.given_up:
                handler.given_up(unit, unit.session.get_one(Promise, row.id), refusal)

        await self.store.run(unit_function)
