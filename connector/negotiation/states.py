"""What each side may send in each state of a negotiation, and where it leads (DSP 2025-1). Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """The protocol's states."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"


class Side(StrEnum):
    """Who sends."""

    CONSUMER = "consumer"
    PROVIDER = "provider"

    @property
    def other(self) -> "Side":
        """The counterparty's side."""
        return Side.PROVIDER if self is Side.CONSUMER else Side.CONSUMER


class Message(StrEnum):
    """What is sent."""

    REQUEST = "ContractRequestMessage"
    OFFER = "ContractOfferMessage"
    ACCEPTED = "ContractNegotiationEventMessage ACCEPTED"
    AGREEMENT = "ContractAgreementMessage"
    VERIFICATION = "ContractAgreementVerificationMessage"
    FINALIZED = "ContractNegotiationEventMessage FINALIZED"
    TERMINATION = "ContractNegotiationTerminationMessage"


S, M, C, P = State, Message, Side.CONSUMER, Side.PROVIDER

#: States that accept nothing more.
TERMINAL: Final = frozenset({S.FINALIZED, S.TERMINATED})

#: A pair that is not here is refused. Either side may end a negotiation that has not ended.
TRANSITIONS: Final[Mapping[tuple[State | None, Side, Message], State]] = {
    (None, C, M.REQUEST): S.REQUESTED,
    (None, P, M.OFFER): S.OFFERED,
    (S.REQUESTED, P, M.OFFER): S.OFFERED,
    (S.REQUESTED, P, M.AGREEMENT): S.AGREED,
    (S.OFFERED, C, M.REQUEST): S.REQUESTED,
    (S.OFFERED, C, M.ACCEPTED): S.ACCEPTED,
    (S.ACCEPTED, P, M.AGREEMENT): S.AGREED,
    (S.AGREED, C, M.VERIFICATION): S.VERIFIED,
    (S.VERIFIED, P, M.FINALIZED): S.FINALIZED,
    **{(state, side, M.TERMINATION): S.TERMINATED for state in State if state not in TERMINAL for side in Side},
}

#: How far a negotiation has come: a peer that shows a later state has had the message that leads to an earlier one.
PROGRESS: Final[Mapping[str, int]] = {state: place for place, state in enumerate(State)}


def after(state: State | None, sender: Side, message: Message) -> State:
    """The state that `message` leads to. Raises `Refusal("transition-refused")`."""
    try:
        return TRANSITIONS[state, sender, message]
    except KeyError:
        raise Refusal("transition-refused", needed=_expected(state), seen=f"{sender} {message}", state=state) from None


def _expected(state: State | None) -> str:
    return ", ".join(f"{side} {message}" for (known, side, message) in TRANSITIONS if known == state) or "–"
