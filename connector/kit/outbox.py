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

from sqlalchemy import Index, bindparam, func, insert
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


class Promise(ConnectorTable, table=True):
    """One effect that a unit promised."""

    __tablename__ = "promise"
    __table_args__ = (
        Index("promise_waiting", "state", "process", "id"),
        Index("promise_due", "state", "due_at"),
        Index("promise_kind", "state", "kind", "due_at"),
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
    given = {
        "process": process,
        "kind": kind,
        "payload": dict(payload),
        "study": study,
        "state": "waiting",
        "attempts": 0,
        "made_at": now,
        "due_at": due_at or now,
        "deadline_at": deadline_at or max(now, due_at or 0) + DEADLINE,
    }
    unit.session.connection().execute(_PROMISE, given)


def waiting(session: Session) -> list[Promise]:
    """What this node still waits for, oldest first: shown on its page."""
    return list(session.exec(select(Promise).where(Promise.state == "waiting").order_by(col(Promise.id))))


def hasten(unit: Unit, process: str, now: int) -> None:
    """What this process waits for is due now."""
    waits = update(Promise).where(col(Promise.process) == process, col(Promise.state) == "waiting")
    unit.session.connection().execute(waits.where(col(Promise.due_at) > now).values(due_at=now))
    unit.marks.add(MARK)


# Statements that are run at every turn are made once: making one takes longer than running it.
_PROMISE: Final = insert(Promise)
_EARLIER: Final = aliased(Promise)
_BEHIND: Final = select(_EARLIER.id).where(
    _EARLIER.process == Promise.process, _EARLIER.state == "waiting", col(_EARLIER.id) < Promise.id
)
_DUE: Final = (
    select(Promise)
    .where(Promise.state == "waiting", col(Promise.kind).in_(bindparam("kinds", expanding=True)))
    .where(col(Promise.due_at) <= bindparam("now"), ~_BEHIND.exists())
    .where(col(Promise.id).not_in(bindparam("under_way", expanding=True)))
    .order_by(col(Promise.id))
    .limit(AT_ONCE)
)
_NEXT_DUE: Final = select(func.min(Promise.due_at)).where(
    Promise.state == "waiting", col(Promise.due_at) > bindparam("now")
)
_ENDED: Final = (
    update(Promise)
    .where(col(Promise.id) == bindparam("row"), col(Promise.state) == "waiting")
    .values(state=bindparam("to"), done_at=bindparam("at"), last_error=bindparam("error"))
)


def due(session: Session, now: int, kinds: Collection[str], under_way: Collection[int] = ()) -> list[Promise]:
    """What of these kinds may be performed now, but `under_way`: the first waiting promise of a process, whose time has
    come, oldest first. What waits for a place that is away is not read.
    """
    given = {"now": now, "kinds": list(kinds), "under_way": list(under_way)}
    return list(session.exec(_DUE, params=given))


def next_due(session: Session, now: int) -> int | None:
    """When the next promise that is not due yet will be."""
    return session.exec(_NEXT_DUE, params={"now": now}).one()


def _kinds(session: Session) -> set[str]:
    return set(session.exec(select(Promise.kind).where(Promise.state == "waiting").distinct()))


@dataclass(slots=True)
class Outbox:
    """The worker of one node."""

    store: Store
    clock: Clock
    handlers: dict[str, Handler] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[int, tuple[Promise, asyncio.Task[None]]] = field(default_factory=dict)
    _loop: asyncio.Task[None] | None = None
    #: Kinds whose one place cannot be reached: how often in a row, and when it is asked again.
    _away: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: What is looked for: what is handled here, and what another run left that is not.
    _kinds: set[str] = field(default_factory=set)

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
        swept = True
        while True:
            self._wake.clear()
            try:
                if swept:
                    self._kinds = await self.store.read(_kinds)
                pause = await self._round()
            except Exception:  # the store may be away for a while: the worker must outlive that
                log.exception("outbox round failed")
                pause = FIRST
            try:
                async with asyncio.timeout(pause):  # not wait_for: until 3.12 it can swallow a cancellation
                    await self._wake.wait()
                swept = False
            except TimeoutError:
                swept = pause >= SWEEP

    async def _round(self) -> float:
        """Starts what is due; returns the seconds until the next row is."""
        now = self.clock.now()
        # before the rows are read: one that ends meanwhile is read as waiting still
        under_way, kinds = (
            list(self._running),
            [kind for kind in {*self.handlers, *self._kinds} if self._room(kind) > 0],
        )

        def read(session: Session) -> tuple[list[Promise], int | None]:
            return due(session, now, kinds, under_way), next_due(session, now)

        rows, following = await self.store.read(read)
        moments = [then for _, then in self._away.values() if then > now]
        moments += [] if following is None else [following]
        for row in rows:
            if self._room(row.kind) > 0:
                self._begin(row)
        return max(0.005, min([SWEEP, *((then - now) / 1000 for then in moments)]))

    def _room(self, kind: str) -> float:
        """How many more of `kind` may be under way."""
        handler = self.handlers.get(kind)
        if handler is None or handler.most is None:
            return math.inf
        most = handler.most
        if kind in self._away:
            most = 1 if self.clock.now() >= self._away[kind][1] else 0
        return most - sum(row.kind == kind for row, _ in self._running.values())

    def _place_away(self, kind: str) -> float:
        """The one place of `kind` cannot be reached: the seconds until one of them asks for all."""
        times, then = self._away.get(kind, (0, 0))
        now = self.clock.now()
        if then <= now:  # else those that were under way together say so one after another
            then = now + round(min(LONGEST, FIRST * GROWTH**times) * 1000)
            self._away[kind] = times + 1, then
        return (then - now) / 1000

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
            self._away.pop(row.kind, None)
        except Refusal as refusal:
            await self._give_up(row, handler, refusal)
        except (TryLater, Unreachable) as error:
            away = isinstance(error, Unreachable) and handler is not None and handler.one_place
            await self._again(row, error.why, self._place_away(row.kind) if away else getattr(error, "seconds", None))
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
        given = {"row": row.id, "to": state, "at": self.clock.now(), "error": error}
        return unit.session.connection().execute(_ENDED, given).rowcount > 0

    async def _again(self, row: Promise, why: str, seconds: float | None) -> None:
        pause = seconds or min(LONGEST, FIRST * GROWTH**row.attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load

        def unit_function(unit: Unit) -> None:
            current = unit.session.get(Promise, row.id)
            if current is None or current.state != "waiting":
                return
            current.attempts += 1
            current.last_error = why[:500]
            current.due_at = self.clock.now() + round(pause * 1000)

        await self.store.run(unit_function)

    async def _give_up(self, row: Promise, handler: Handler | None, refusal: Refusal) -> None:
        def unit_function(unit: Unit) -> None:
            if self._end(unit, row, "given-up", str(refusal)[:500]) and handler and handler.given_up:
                handler.given_up(unit, unit.session.get_one(Promise, row.id), refusal)

        await self.store.run(unit_function)
