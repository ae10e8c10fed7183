"""A node may die at any commit: the study still comes to its end, and nothing of it is twice.

Each node dies once at every place in the code that commits: the commit is durable, and nothing that would have followed
in memory happens, no answer and no message. It is started again on its store; people do again what was not answered.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.play.hands import Hand, Said
from tests.flows.evidence import certified, twice
from tests.flows.small import COUNT, ENDED, Small, opened
from tests.life import Doom, Over
from tests.space import Space, eventually

Json = dict[str, Any]

pytestmark = pytest.mark.slow


class Deaths:
    """Every node dies at the first commit of each kind, and is started again."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.seen: dict[str, set[str]] = defaultdict(set)
        self.died: list[tuple[str, str]] = []
        self._watches: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """From now on they die."""
        for name in self.space.nodes:
            self.space.network.lives[name].doom = self.doom(name)
            self._watches.append(asyncio.create_task(self._watch(name)))

    async def end(self) -> None:
        """No more deaths; all nodes live."""
        lives = self.space.network.lives
        for life in lives.values():
            life.doom = None

        async def all_live() -> bool:
            return len(self.space.nodes) == len(lives) and not any(life.dead for life in lives.values())

        await eventually(all_live, "all nodes live")
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def doom(self, name: str) -> Doom:
        """Whether this commit is of a kind that the node has not died of."""

        def dies(ran: list[str]) -> bool:
            new = set(ran) - self.seen[name]
            self.seen[name] |= new
            self.died += [(name, one) for one in sorted(new)]
            return bool(new)

        return dies

    async def _watch(self, name: str) -> None:
        while True:
            await self.space.network.lives[name].over.wait()
            doom = self.space.network.lives[name].doom
            await self.space.kill(name)
            with contextlib.suppress(Over):
                await self.space.start(name, doom)


class Stubborn:
    """A person who does again what was not answered, and takes `done before` for an answer."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand

    async def _until_answered(self, call: Callable[[], Awaitable[Any]]) -> Any:
        lost = False
        while True:
            try:
                return await call()
            except httpx.HTTPError:
                lost = True
            except Said as said:
                if lost and said.status == 409:  # it had been done before its answer was lost
                    return None
                if said.status != 503:
                    raise
            await asyncio.sleep(0.1)

    async def get(self, path: str, **params: Any) -> Any:
        return await self._until_answered(lambda: self.hand.get(path, **params))

    async def post(self, path: str, body: Any = None) -> Any:
        return await self._until_answered(lambda: self.hand.post(path, body))

    async def download(self, path: str) -> bytes:
        found: bytes = await self._until_answered(lambda: self.hand.download(path))
        return found


class Mortal(Small):
    """A small study whose people are stubborn."""

    def hand(self, name: str, person: str) -> Any:
        return Stubborn(self.space.hand(name, person))

    async def counted(self) -> str:
        """Tasks that die with their zone are submitted again."""
        while True:
            self.ran = await self.submit(COUNT)
            if (await self.reached(self.ran, *ENDED))["state"] == "COMPLETE":
                return self.ran


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[Mortal]:
    async with opened(tmp_path) as small:
        small.need_walls()
        yield Mortal(small.space)


async def test_a_study_survives_a_death_at_every_kind_of_commit(mortal: Mortal) -> None:
    deaths = Deaths(mortal.space)
    await deaths.begin()
    try:
        kept = await mortal.played()
    finally:
        await deaths.end()
    await mortal.proven()
    assert twice(mortal.stores, mortal.study) == []
    assert kept["settled"]["body"]["held"] == []
    results = certified(mortal.stores["p01"], mortal.study)
    assert all(result.startswith("DELETED") for result in results.values()), results
    assert len(deaths.died) > 100, deaths.died
