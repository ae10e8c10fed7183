"""The first page after signing in: what waits for me, the studies of this house, what it waits for."""

from dataclasses import dataclass

from connector.web.cells import Outcome
from connector.web.timeline import Waiting
from vocab.words.values import At, AtSecond, Said, Value


@dataclass(frozen=True, slots=True)
class Todo:
    """Something that this person can move on."""

    what: Said
    since: At
    link: str


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A study with its state in words."""

    title: Value
    study: str
    state: Said
    outcome: Outcome
    changed: At
    link: str


@dataclass(frozen=True, slots=True)
class Home:
    """Any list may be empty, and then the page says so. `waits`: what this node still has to bring to others.

    `events_url` makes the page live.
    """

    now_ms: int
    todos: tuple[Todo, ...]
    studies: tuple[StudyLine, ...]
    waits: Waiting | None = None
    events_url: str | None = None
    title_key: str = "home"

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)
