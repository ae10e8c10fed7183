"""The first page after signing in: what waits for me, and the studies of this house."""

from dataclasses import dataclass

from connector.web.timeline import Outcome
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
    """Both lists; either may be empty, and then the page says so."""

    now_ms: int
    todos: tuple[Todo, ...]
    studies: tuple[StudyLine, ...]

    @property
    def now(self) -> AtSecond:
        """When this page was drawn."""
        return AtSecond(self.now_ms)
