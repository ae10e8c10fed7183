"""How a node's life ends in a test as it ends by kill -9: at a commit, and nothing that was under way goes on."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, NoReturn, Protocol, TypeVar

import httpx

from connector.kit.db import Store, Unit
from connector.kit.outbox import Promise

T = TypeVar("T")


class Over(Exception):
    """The node's life ended."""


#: Asked in the writer's thread after each commit, with what committed: whether the node dies of it.
Doom = Callable[[list[str]], bool]


class Life:
    """From a node's start to its death."""

    def __init__(self, doom: Doom | None = None) -> None:
        self.doom = doom
        self.dead = False
        self.over = asyncio.Event()
        self._loop: Final = asyncio.get_running_loop()
        self._ran: list[str] = []

    def of(self, store: Store) -> None:
        """From now on this store lives and dies with it."""
        run, read = store.run, store.read

        async def living_run(function: Callable[[Unit], T]) -> T:
            def unit_function(unit: Unit) -> T:
                if self.dead:
                    raise Over
                done = function(unit)
                self._ran.append(named(function))
                return done

            try:
                result = await run(unit_function)
            except Over:
                await never()
            if self.dead:
                await never()
            return result

        async def living_read(function: Callable[[Any], T]) -> T:
            found = await read(function)
            if self.dead:
                await never()
            return found

        store.run, store.read = living_run, living_read  # type: ignore[method-assign]
        store._listeners.insert(0, (self._committed, None))

    def end(self) -> None:
        """It ends now."""
        self.dead = True
        self._loop.call_soon_threadsafe(self.over.set)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Does `work` while it lives. Raises `Over` when it ends first."""
        doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done() or self.dead:
                raise Over
            return doing.result()
        finally:
            doing.cancel()
            ending.cancel()
            await asyncio.gather(doing, ending, return_exceptions=True)

    def _committed(self) -> None:
        """In the thread that committed."""
        ran, self._ran = self._ran, []
        if self.doom is not None and self.doom(ran):
            self.end()


def named(function: Callable[..., Any]) -> str:
    """A unit by the place in the code that it comes from; of a promise's end also which kind of promise."""
    while isinstance(function, partial):
        function = function.func
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    kinds = [one.kind for one in cells if isinstance(one, Promise)]
    return " ".join([f"{function.__module__}.{function.__qualname__}", *kinds])


async def never() -> NoReturn:
    """What a dead process does next."""
    await asyncio.get_running_loop().create_future()
    raise Over


class _Nodes(Protocol):
    apps: dict[str, Any]
    lives: dict[str, Life]


class Lives(httpx.AsyncBaseTransport):
    """The way to a node, to whichever life of it is there; one that ends before its answer has given none."""

    def __init__(self, nodes: _Nodes, name: str) -> None:
        self._nodes, self._name = nodes, name

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self._nodes.apps.get(self._name)
        if app is None:
            raise httpx.ConnectError("nobody there", request=request)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        try:
            return await self._nodes.lives[self._name].during(transport.handle_async_request(request))
        except Over:
            raise httpx.ReadError("the node is gone", request=request) from None
