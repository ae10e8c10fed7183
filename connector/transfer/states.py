"""What each side may send in each state of a transfer, and where it leads (DSP 2025-1). Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connector.negotiation.states import Side
from vocab.errors import Refusal


class State(StrEnum):
    """The protocol's states."""

    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class Message(StrEnum):
    """What is sent."""

    REQUEST = "TransferRequestMessage"
    START = "TransferStartMessage"
    SUSPENSION = "TransferSuspensionMessage"
    COMPLETION = "TransferCompletionMessage"
    TERMINATION = "TransferTerminationMessage"


S, M, C, P = State, Message, Side.CONSUMER, Side.PROVIDER

#: States that accept nothing more.
TERMINAL: Final = frozenset({S.COMPLETED, S.TERMINATED})

#: A pair that is not here is refused. Only the provider starts; either side resumes, suspends, completes or ends it.
#: A provider whose consumer resumed starts once more: it says where the data are now.
TRANSITIONS: Final[Mapping[tuple[State | None, Side, Message], State]] = {
    (None, C, M.REQUEST): S.REQUESTED,
    **{(state, P, M.START): S.STARTED for state in (S.REQUESTED, S.STARTED)},
    **{(S.STARTED, side, M.SUSPENSION): S.SUSPENDED for side in Side},
    **{(S.SUSPENDED, side, M.START): S.STARTED for side in Side},
    **{(S.STARTED, side, M.COMPLETION): S.COMPLETED for side in Side},
    **{(state, side, M.TERMINATION): S.TERMINATED for state in State if state not in TERMINAL for side in Side},
}

#: How far a transfer has come: a peer that shows a later state has had the message that leads to an earlier one.
PROGRESS: Final[Mapping[str, int]] = {state: place for place, state in enumerate(State)}


def after(state: State | None, sender: Side, message: Message) -> State:
    """The state that `message` leads to. Raises `Refusal("transition-refused")`."""
    try:
        return TRANSITIONS[state, sender, message]
    except KeyError:
        raise Refusal("transition-refused", needed=_expected(state), seen=f"{sender} {message}", state=state) from None


def _expected(state: State | None) -> str:
    return ", ".join(f"{side} {message}" for (known, side, message) in TRANSITIONS if known == state) or "–"
