"""How a membership goes: a pure table. A pair that is not in it is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """Where a membership stands."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Command(StrEnum):
    """What the operator's people can do."""

    INVITE = "invite"
    ADMIT = "admit"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    END = "end"


TRANSITIONS: Final[Mapping[tuple[State | None, Command], State]] = {
    (None, Command.INVITE): State.INVITED,
    (State.INVITED, Command.INVITE): State.INVITED,
    (State.INVITED, Command.ADMIT): State.ACTIVE,
    (State.ACTIVE, Command.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Command.REINSTATE): State.ACTIVE,
    (State.INVITED, Command.END): State.ENDED,
    (State.ACTIVE, Command.END): State.ENDED,
    (State.SUSPENDED, Command.END): State.ENDED,
}


def after(state: State | None, command: Command, did: str) -> State:
    """The state that `command` leads to. Raises `Refusal("member-command-refused")`."""
    try:
        return TRANSITIONS[state, command]
    except KeyError:
        raise Refusal("member-command-refused", rule=command.value, seen=state, did=did) from None
