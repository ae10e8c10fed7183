"""What is promised is performed: at least once, in order per process, until a deadline, also after a crash."""

import asyncio
from collections.abc import Callable

import pytest

from connector.kit import outbox
from connector.kit.clock import SystemClock
from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.outbox import Handler, Outbox, Promise, TryLater, promise
from connector.kit.ports import Unreachable
from vocab.errors import Refusal

CLOCK = SystemClock()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    store = opened()
    store.create(ConnectorTable.metadata)
    return store


def promising(process: str, *numbers: int, deadline_at: int | None = None) -> Callable[[Unit], None]:
    def unit_function(unit: Unit) -> None:
        for number in numbers:
            promise(unit, process, "say", {"n": number}, now=CLOCK.now(), deadline_at=deadline_at)

    return unit_function


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen")


async def test_promises_of_one_process_are_performed_in_order_and_others_do_not_wait(store: Store) -> None:
    said: list[tuple[str, int]] = []
    failing = {("a", 1): 2}

    async def perform(row: Promise) -> None:
        key = (row.process, row.payload["n"])
        if failing.get(key):
            failing[key] -= 1
            raise TryLater("not yet", 0.05)
        said.append(key)

    worker = Outbox(store, CLOCK, {"say": Handler(perform)})
    await store.run(promising("a", 1, 2, 3))
    await store.run(promising("b", 1))
    worker.start()
    await until(lambda: len(said) == 4)
    await worker.stop()
    assert [one for one in said if one[0] == "a"] == [("a", 1), ("a", 2), ("a", 3)]
    assert said.index(("b", 1)) < said.index(("a", 1))


async def test_a_commit_wakes_the_worker(store: Store) -> None:
    said: list[int] = []

    async def perform(row: Promise) -> None:
        said.append(row.payload["n"])

    worker = Outbox(store, CLOCK, {"say": Handler(perform)})
    worker.start()
    await asyncio.sleep(0.2)
    await store.run(promising("a", 7))
    await until(lambda: said == [7])
    await worker.stop()


async def test_what_was_under_way_at_a_crash_is_done_after_the_restart(
    store: Store, opened: Callable[[], Store]
) -> None:
    said: list[str] = []
    entered = asyncio.Event()

    async def hang(row: Promise) -> None:
        entered.set()
        await asyncio.sleep(600)

    first = Outbox(store, CLOCK, {"say": Handler(hang)})
    await store.run(promising("a", 1))
    first.start()
    await asyncio.wait_for(entered.wait(), 30)
    await first.stop()
    store.close()

    async def perform(row: Promise) -> Callable[[Unit], None]:
        return lambda unit: said.append(row.kind)

    again = opened()
    second = Outbox(again, CLOCK, {"say": Handler(perform)})
    second.start()
    await until(lambda: said == ["say"])
    for _ in range(1500):  # said inside the unit, which commits a moment later
        if not (left := await again.read(outbox.waiting)):
            break
        await asyncio.sleep(0.02)
    await second.stop()
    assert left == []


async def test_a_promise_is_given_up_at_its_deadline_and_the_room_is_told(store: Store) -> None:
    told: list[str] = []

    async def perform(row: Promise) -> None:
        raise TryLater("peer is down", 0.05)

    def given_up(unit: Unit, row: Promise, refusal: Refusal) -> None:
        told.append(f"{refusal.code} {refusal.values['why']}")

    worker = Outbox(store, CLOCK, {"say": Handler(perform, given_up)})
    await store.run(promising("a", 1, deadline_at=CLOCK.now() + 400))
    worker.start()
    await until(lambda: bool(told))
    await worker.stop()
    assert told == ["given-up peer is down"]


async def test_a_fault_in_a_handler_is_tried_again_and_remembered(store: Store) -> None:
    calls: list[int] = []

    async def perform(row: Promise) -> None:
        calls.append(row.attempts)
        raise RuntimeError("odd")

    worker = Outbox(store, CLOCK, {"say": Handler(perform)})
    await store.run(promising("a", 1))
    worker.start()
    await until(lambda: len(calls) >= 2)
    await worker.stop()
    (row,) = await store.read(outbox.waiting)
    assert row.attempts >= 1
    assert row.last_error == "RuntimeError: odd"


async def test_while_their_one_place_is_away_one_asks_for_all_and_then_all_go(store: Store) -> None:
    asked: list[str] = []
    away = True

    async def perform(row: Promise) -> None:
        asked.append(row.process)
        if away:
            raise Unreachable("u", "away")

    worker = Outbox(store, CLOCK, {"say": Handler(perform, most=4, one_place=True)})
    for number in range(20):
        await store.run(promising(f"p{number}", number))
    worker.start()
    await until(lambda: len(asked) >= 6)
    tried, away = len(asked), False
    for _ in range(1500):  # asked before the unit that ends it commits
        if not (left := await store.read(outbox.waiting)):
            break
        await asyncio.sleep(0.02)
    await worker.stop()
    assert tried < 4 + 4  # the first four at once, then one at a time
    assert left == []


async def test_no_more_of_a_kind_are_under_way_than_it_says(store: Store) -> None:
    under_way, seen = 0, []

    async def perform(row: Promise) -> None:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0.01)
        under_way -= 1

    worker = Outbox(store, CLOCK, {"say": Handler(perform, most=3)})
    for number in range(12):
        await store.run(promising(f"p{number}", number))
    worker.start()
    await until(lambda: len(seen) == 12)
    await worker.stop()
    assert max(seen) == 3
