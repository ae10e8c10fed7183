"""What the page of the public log shows: the newest checkpoint, who signed it, and how to check it elsewhere."""

from dataclasses import dataclass

from connector.web.timeline import Table
from vocab.words.values import At, AtSecond, Said, Value


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness and when it signed this checkpoint; no time: it has not yet; no camp: it is no member any more."""

    name: Value
    camp: str | None
    at: At | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """`policy` says in words what the trust policy wants, `satisfied` whether this checkpoint has it.

    `waiting`: entries that the quorum has not cosigned yet, and what is missing for that.
    """

    now_ms: int
    refresh_url: str
    origin: str
    size: int
    root: str
    signed: At | None
    policy: Said
    satisfied: bool
    cosigners: tuple[Cosigner, ...]
    entries: Table
    verify: str
    waiting: int = 0
    waits_for: str | None = None
    older_url: str | None = None

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)
