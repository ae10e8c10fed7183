"""What the steps of a play share: the space, its people, the report, and what earlier steps left."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from connector.node import Node
from connector.play.hands import Hand, Hands, until
from connector.play.report import Report
from connector.play.space import Space

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Play:
    """One study under way."""

    space: Space
    hands: Hands
    report: Report
    #: The nodes that run here; only `crooked` looks at one.
    nodes: dict[str, Node]
    study: str = ""
    #: Smaller studies that some rows need.
    beside: list[str] = field(default_factory=list)
    #: What later steps need: ids by name.
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the play keeps its own notes, outside of all nodes."""
        folder = self.space.folder / "play"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def did(self, node: str) -> str:
        """A node's DID."""
        return self.space.nodes[node].did

    def hand(self, node: str, person: str) -> Hand:
        """A person."""
        return self.hands(node, person)

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]], seconds: float = 120.0) -> T:
        """Waits for what the nodes do by themselves."""
        return await until(what, look, seconds)

    def remember(self, **values: Any) -> None:
        """Keeps the studies' ids on disk, so that a play that was killed can be withdrawn by the next one."""
        self.kept.update(values)
        note = {"study": self.study, "beside": self.beside, "at": round(time.time()), "open": True}
        (self.folder / "study.json").write_text(json.dumps(note))

    def forget(self) -> None:
        """The study was played to its end."""
        (self.folder / "study.json").write_text(json.dumps({"study": self.study, "open": False}))
