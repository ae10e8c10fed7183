"""What a running node is made of, handed to every room. `node.py` builds it; rooms only read it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connector.kit.db import Store
from connector.kit.keys import Keys
from connector.kit.outbox import Outbox
from connector.kit.ports import Clock, Peer
from connector.kit.settings import Settings

T = TypeVar("T")


@dataclass(slots=True)
class Runtime:
    """One node at work."""

    settings: Settings
    clock: Clock
    store: Store
    keys: Keys
    peer: Peer
    outbox: Outbox
    parts: dict[type[Any], Any] = field(default_factory=dict)
    #: Run in order after the outbox started, and in reverse before it stops.
    on_start: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    on_stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def did(self) -> str:
        """Who this node is."""
        return self.settings.did

    def now(self) -> int:
        """UTC milliseconds."""
        return self.clock.now()

    def add(self, part: object) -> None:
        """Makes `part` available to rooms by its class: the policy engine, the launcher, people."""
        self.parts[type(part)] = part

    def get(self, kind: type[T]) -> T:
        """The part of class `kind`. A missing one is a fault of `node.py`."""
        part: T = self.parts[kind]
        return part
