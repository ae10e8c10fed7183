"""What every room adds to the pages that all nodes have: a study's name and state, what waits for a person, panels.

Rooms register functions here when they are installed; the first page and the timelines call them. So the pages import
no room, and a role adds to them without being known.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from connector.web.cells import Outcome
from connector.web.home import Todo
from connector.web.people import Person
from connector.web.timeline import Event, Figure, Panel
from vocab.words.values import Said, Value


@dataclass(frozen=True, slots=True)
class Look:
    """One person looks at one study, now."""

    session: Session
    study: str
    person: Person
    now: int
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a room knows of a study as a whole; what it does not know is none."""

    title: Value = None
    state: Said | None = None
    outcome: Outcome = "done"


@dataclass(slots=True)
class Faces:
    """Everything that rooms added. Later rooms know better: the last title and state win."""

    known: list[Callable[[Session, str, int], Known | None]] = field(default_factory=list)
    todos: list[Callable[[Session, Person, int], Iterable[Todo]]] = field(default_factory=list)
    facts: list[Callable[[Look], Iterable[Figure]]] = field(default_factory=list)
    panels: list[Callable[[Look], Iterable[Panel]]] = field(default_factory=list)
    #: Panels that stand below those of the roles.
    tail: list[Callable[[Look], Iterable[Panel]]] = field(default_factory=list)
    #: Panels that another node has to be asked for. Whoever asks answers within seconds, also when nobody answers it.
    remote: list[Callable[[str, int], Awaitable[Iterable[Panel]]]] = field(default_factory=list)
    #: The name of the organisation with this DID, or the DID.
    name: Callable[[str], Value] = str

    def study(self, session: Session, study: str, now: int) -> Known:
        """What all rooms together know of a study."""
        found = Known()
        for ask in self.known:
            if (said := ask(session, study, now)) is not None:
                state, outcome = (said.state, said.outcome) if said.state else (found.state, found.outcome)
                found = Known(said.title or found.title, state, outcome)
        return found
