"""What a unit promises, on every backend."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import MetaData
from sqlmodel import Field, Session, SQLModel, select

from connector.kit.db import Store, Unit
from vocab.errors import Refusal


class Base(SQLModel):
    metadata = MetaData()


class Account(Base, table=True):
    __tablename__ = "account"
    name: str = Field(primary_key=True)
    won: int


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    store = opened()
    store.create(Base.metadata)
    return store


def put(name: str, won: int) -> Callable[[Unit], str]:
    def unit_function(unit: Unit) -> str:
        unit.session.add(Account(name=name, won=won))
        unit.session.flush()
        return name

    return unit_function


def balance(session: Session) -> dict[str, int]:
    return {row.name: row.won for row in session.exec(select(Account))}


async def test_what_a_unit_changed_is_there_for_the_next_process(store: Store, opened: Callable[[], Store]) -> None:
    assert await store.run(put("a", 1)) == "a"
    store.close()
    assert await opened().read(balance) == {"a": 1}


async def test_a_unit_that_raises_leaves_no_trace_and_its_neighbours_commit(store: Store) -> None:
    def broken(unit: Unit) -> None:
        put("b", 2)(unit)
        raise Refusal("not-found", what="b")

    results = await asyncio.gather(
        store.run(put("a", 1)), store.run(broken), store.run(put("c", 3)), return_exceptions=True
    )
    assert [type(one) for one in results] == [str, Refusal, str]
    assert await store.read(balance) == {"a": 1, "c": 3}


async def test_a_broken_constraint_breaks_only_its_own_unit(store: Store) -> None:
    await store.run(put("a", 1))
    results = await asyncio.gather(store.run(put("a", 9)), store.run(put("b", 2)), return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert await store.read(balance) == {"a": 1, "b": 2}


async def test_units_that_read_and_write_the_same_row_do_not_lose_one_another(store: Store) -> None:
    await store.run(put("a", 0))

    def add(unit: Unit) -> None:
        account = unit.session.get(Account, "a")
        assert account is not None
        account.won += 1

    await asyncio.gather(*(store.run(add) for _ in range(40)))
    assert await store.read(balance) == {"a": 40}


async def test_a_commit_wakes_whoever_waits_and_a_failed_unit_does_not_matter(store: Store) -> None:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    store.on_commit(lambda: loop.call_soon_threadsafe(woken.set) and None)
    await store.run(put("a", 1))
    await asyncio.wait_for(woken.wait(), 10)


async def test_readers_do_not_wait_for_the_writer(store: Store) -> None:
    await store.run(put("a", 1))
    inside, go = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(unit: Unit) -> None:
        put("b", 2)(unit)
        loop.call_soon_threadsafe(inside.set)
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(30)

    writing = asyncio.create_task(store.run(slow))
    await asyncio.wait_for(inside.wait(), 10)
    assert await asyncio.wait_for(store.read(balance), 10) == {"a": 1}
    go.set()
    await writing
    assert await store.read(balance) == {"a": 1, "b": 2}


async def test_who_comes_after_the_store_was_closed_is_told(store: Store) -> None:
    waiting = [asyncio.create_task(store.run(put(str(n), n))) for n in range(50)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(store.close))
    late = await asyncio.gather(*waiting, return_exceptions=True)
    await closing
    with pytest.raises((Refusal, RuntimeError)):
        await asyncio.wait_for(store.run(put("z", 1)), 30)
    assert not [one for one in late if isinstance(one, BaseException) and not isinstance(one, Refusal | RuntimeError)]
