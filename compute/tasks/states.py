"""A task's life as one table. Whatever had walls passes SHREDDING, also when it failed, was stopped or was found dead.

What GA4GH TES 1.1 calls these states stands below: COMPLETE, the errors and CANCELED are only said once plaintext and
key are gone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """Where a task is."""

    QUEUED = "queued"
    AUTHORIZING = "authorizing"
    PREPARING = "preparing"
    KEYS = "keys"
    RUNNING = "running"
    COLLECTING = "collecting"
    SHREDDING = "shredding"
    ENDED = "ended"


class Event(StrEnum):
    """What moves it."""

    ADMIT = "admit"
    AUTHORIZE = "authorize"
    PREPARE = "prepare"
    START = "start"
    FINISH = "finish"
    COLLECT = "collect"
    SHRED = "shred"
    REFUSE = "refuse"
    FAIL = "fail"


class Outcome(StrEnum):
    """How it ended, in the words of TES."""

    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"


#: Where each event leads. A pair that is not here is refused.
TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.QUEUED, Event.ADMIT): State.AUTHORIZING,
    (State.QUEUED, Event.REFUSE): State.ENDED,
    (State.AUTHORIZING, Event.AUTHORIZE): State.PREPARING,
    (State.AUTHORIZING, Event.REFUSE): State.ENDED,
    (State.PREPARING, Event.PREPARE): State.KEYS,
    (State.PREPARING, Event.FAIL): State.SHREDDING,
    (State.KEYS, Event.START): State.RUNNING,
    (State.KEYS, Event.FAIL): State.SHREDDING,
    (State.RUNNING, Event.FINISH): State.COLLECTING,
    (State.RUNNING, Event.FAIL): State.SHREDDING,
    (State.COLLECTING, Event.COLLECT): State.SHREDDING,
    (State.COLLECTING, Event.FAIL): State.SHREDDING,
    (State.SHREDDING, Event.SHRED): State.ENDED,
}

#: Seconds that a task may stay in a state; RUNNING has its own limit, in the launcher.
DEADLINES: Final[Mapping[State, int]] = {
    State.QUEUED: 24 * 3600,
    State.AUTHORIZING: 60,
    State.PREPARING: 120,
    State.KEYS: 60,
    State.COLLECTING: 120,
    State.SHREDDING: 120,
}

_TES: Final[Mapping[State, str]] = {
    State.QUEUED: "QUEUED",
    State.AUTHORIZING: "INITIALIZING",
    State.PREPARING: "INITIALIZING",
    State.KEYS: "INITIALIZING",
    State.RUNNING: "RUNNING",
    State.COLLECTING: "RUNNING",
    State.SHREDDING: "RUNNING",
}

#: Nothing of a task exists outside the store in these: a restart takes it up where it was.
UNTOUCHED: Final = frozenset({State.QUEUED, State.AUTHORIZING})


def after(state: State, event: Event) -> State:
    """The state that `event` leads to. Raises `Refusal("changed-meanwhile")`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Refusal("changed-meanwhile", what="task", needed=event.value, seen=state.value) from None


def tes(state: State, outcome: Outcome | None, canceling: bool) -> str:
    """The state as TES says it."""
    if state is State.ENDED:
        return (outcome or Outcome.SYSTEM_ERROR).value
    return "CANCELING" if canceling else _TES[state]
