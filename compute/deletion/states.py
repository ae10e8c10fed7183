"""How a study ends at the zone: a table. Nothing leads back, and only what was wiped and confirmed is closed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """Where a study is."""

    OPEN = "open"
    CLOSING = "closing"
    WIPED = "wiped"
    KEYS_DESTROYED = "keys-destroyed"
    CLOSED = "closed"


class Event(StrEnum):
    """What moves it."""

    CLOSE = "close"
    WIPE = "wipe"
    CONFIRM = "confirm"
    CERTIFY = "certify"


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.OPEN, Event.CLOSE): State.CLOSING,
    (State.CLOSING, Event.WIPE): State.WIPED,
    (State.WIPED, Event.CONFIRM): State.KEYS_DESTROYED,
    (State.KEYS_DESTROYED, Event.CERTIFY): State.CLOSED,
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to. Raises `Refusal("changed-meanwhile")`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Refusal("changed-meanwhile", what="study", needed=event.value, seen=state.value) from None
