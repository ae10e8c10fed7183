"""The store: units (one transaction each) and reads, on SQLite or PostgreSQL.

SQLite: one writer thread runs units in savepoints and commits them in groups, `synchronous=FULL`; readers never wait.
PostgreSQL: one unit is one SERIALIZABLE transaction, run again when the server asks for it. A unit does no I/O and
may run twice; what it reads, changes, records and promises commits together or not at all.
"""

import asyncio
import contextlib
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, Integer, MetaData, Table, create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlmodel import Session, SQLModel

from vocab.errors import Refusal

T = TypeVar("T")

#: Units that one SQLite commit carries at most: bounds how long the first one waits for the last.
GROUP: Final = 64
#: How often a PostgreSQL unit is run again before its conflict is reported.
RETRIES: Final = 20


@event.listens_for(Table, "after_parent_attach")
def _wide(table: Table, _metadata: MetaData) -> None:
    """Milliseconds and won do not fit 32 bits: whole numbers are BIGINT, in migrations too; SQLite's have 64 anyway."""
    for column in table.columns:
        if type(column.type) is Integer:
            column.type = BigInteger().with_variant(Integer(), "sqlite")


class ConnectorTable(SQLModel):
    """Base of the connector's tables: each context has its own metadata and its own migrations."""

    metadata = MetaData()


#: What is called after a commit, and the one mark that it waits for; None: any commit.
_Listener = tuple[Callable[[], None], str | None]


@dataclass(slots=True)
class Unit:
    """A transaction. It knows no business words."""

    session: Session
    #: What it leaves for others to take up, by name: whoever waits for that is called after the commit.
    marks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Job:
    function: Callable[[Unit], Any]
    done: Callable[[Any, BaseException | None], None]


class Store:
    """One node's database."""

    def __init__(self, url: str) -> None:
        self._url: URL = make_url(url)
        self.sqlite = self._url.get_backend_name() == "sqlite"
        self.engine: Engine = _sqlite(self._url) if self.sqlite else _postgresql(self._url)
        # a reader sees one moment and is never told to try again, as it would be under SERIALIZABLE
        reading: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = self.engine if self.sqlite else self.engine.execution_options(**reading)
        self._listeners: list[_Listener] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store")
        self._writer: threading.Thread | None = None
        self._closed = False
        if self.sqlite:
            self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
            self._writer.start()

    def on_commit(self, call: Callable[[], None], mark: str | None = None) -> None:
        """`call` runs (in the writer's thread) after each commit, or each with `mark`: it wakes whoever waits."""
        self._listeners.append((call, mark))

    async def run(self, function: Callable[[Unit], T]) -> T:
        """Runs `function` as one unit and returns when it is durable. What it raises leaves no trace in the store."""
        loop = asyncio.get_running_loop()
        if not self.sqlite:
            return await loop.run_in_executor(self._readers, partial(self._serializable, function))
        future: asyncio.Future[T] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # its loop has ended: nobody waits there any more
                loop.call_soon_threadsafe(_settle, future, result, error)

        self._jobs.put(_Job(function, done))
        if self._closed:
            self._refuse_rest()
        return await future

    async def read(self, function: Callable[[Session], T]) -> T:
        """Runs `function` on a read-only view in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self.read_now, function))

    def read_now(self, function: Callable[[Session], T]) -> T:
        """The same, in the calling thread."""
        with Session(self._reading, expire_on_commit=False) as session:
            return function(session)

    def create(self, metadata: MetaData) -> None:
        """Creates the tables of `metadata` that are missing (migrations do this in production)."""
        metadata.create_all(self.engine)

    def close(self) -> None:
        """Waits for the writer, then lets go of the file or server. Who comes later is told that it is closed."""
        self._closed = True
        if self._writer:
            self._jobs.put(None)
            self._writer.join(timeout=30)
            self._refuse_rest()
        self._readers.shutdown(wait=True)
        self.engine.dispose()

    # -- SQLite: one writer

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            while len(group) < GROUP:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._jobs.put(None)
                    break
                group.append(following)
            self._commit(group)

    def _refuse_rest(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:  # the writer has yet to see that it is over
                self._jobs.put(None)
                return
            job.done(None, Refusal("store-failed", why="closed"))

    def _commit(self, group: list[_Job]) -> None:
        results: list[tuple[Any, BaseException | None]] = []
        marks: set[str] = set()
        try:
            with self.engine.connect() as connection, connection.begin():
                results = [_in_savepoint(connection, job.function, marks) for job in group]
        except BaseException as error:  # noqa: BLE001 - the writer must live, and each waiting caller must be told
            failure = _as_refusal(error)
            results = [(None, failure)] * len(group)
        else:
            self._tell(marks)
        for job, (result, problem) in zip(group, results, strict=True):
            job.done(result, problem)

    def _tell(self, marks: set[str]) -> None:
        for call, mark in self._listeners:
            if mark is None or mark in marks:
                call()

    # -- PostgreSQL

    def _serializable(self, function: Callable[[Unit], T]) -> T:
        for attempt in range(RETRIES):
            try:
                with Session(self.engine, expire_on_commit=False) as session:
                    unit = Unit(session)
                    result = function(unit)
                    session.commit()
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) in ("40001", "40P01") and attempt + 1 < RETRIES:
                    time.sleep(random.uniform(0, 0.002 * (attempt + 1)))  # noqa: S311 - so that two do not meet again
                    continue
                raise _as_refusal(error) from error
            self._tell(unit.marks)
            return result
        raise Refusal("store-busy")


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _in_savepoint(
    connection: Connection, function: Callable[[Unit], Any], marks: set[str]
) -> tuple[Any, BaseException | None]:
    """What one unit of a group gave or raised; only the group's own commit makes it durable."""
    with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
        try:
            unit = Unit(session)
            result = function(unit)
            session.commit()
        except Exception as error:
            session.rollback()
            if isinstance(error, OperationalError):  # disk full, file gone: the whole group is in doubt
                raise
            return None, error
        marks |= unit.marks
        return result, None


def _as_refusal(error: BaseException) -> BaseException:
    if isinstance(error, SQLAlchemyError):
        return Refusal("store-failed", why=str(getattr(error, "orig", None) or type(error).__name__))
    return error


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=8, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Only the writer thread may take the write lock; a reader's snapshot must not.
        writer = threading.current_thread().name.startswith("store-writer")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    if url.get_driver_name() in ("", "psycopg2"):
        url = url.set(drivername="postgresql+psycopg")
    return create_engine(url, pool_size=8, max_overflow=8, isolation_level="SERIALIZABLE", pool_pre_ping=True)
