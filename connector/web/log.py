"""What the page of the public log shows: the newest checkpoint, who signed it, and how to check it elsewhere."""

from dataclasses import dataclass
from typing import Literal

from connector.web.timeline import Table
from vocab.words.values import At, AtSecond, Said


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness and when it signed this checkpoint; no time: it has not yet."""

    name: str
    camp: Literal["hospital", "company", "zone", "operator"]
    at: At | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """`policy` says in words what the trust policy wants, `satisfied` whether this checkpoint has it."""

    now_ms: int
    refresh_url: str
    origin: str
    size: int
    root: str
    signed: At
    policy: Said
    satisfied: bool
    cosigners: tuple[Cosigner, ...]
    entries: Table
    verify: str

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)
