"""What can be done to a study in each state, and where it leads. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """How far a study has come on the company's side."""

    DRAFT = "draft"
    APPLIED = "applied"
    PERMITTED = "permitted"
    CLOSING = "closing"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What happens to it."""

    SAVE = "save"
    APPLY = "apply"
    PERMIT = "permit"
    NEGOTIATE = "negotiate"
    CLOSE = "close"
    CLOSED = "closed"


S = State

#: A pair that is not here is refused. A draft always saves; an application that was returned becomes a draft by saving.
TRANSITIONS: Final[Mapping[tuple[State, Step], State]] = {
    (S.DRAFT, Step.SAVE): S.DRAFT,
    (S.DRAFT, Step.APPLY): S.APPLIED,
    (S.DRAFT, Step.PERMIT): S.PERMITTED,
    (S.DRAFT, Step.CLOSE): S.WITHDRAWN,
    (S.APPLIED, Step.SAVE): S.DRAFT,
    (S.APPLIED, Step.APPLY): S.APPLIED,
    (S.APPLIED, Step.PERMIT): S.PERMITTED,
    (S.APPLIED, Step.CLOSE): S.CLOSING,
    (S.PERMITTED, Step.PERMIT): S.PERMITTED,
    (S.PERMITTED, Step.NEGOTIATE): S.PERMITTED,
    (S.PERMITTED, Step.CLOSE): S.CLOSING,
    (S.CLOSING, Step.CLOSE): S.CLOSING,
    (S.CLOSING, Step.CLOSED): S.CLOSED,
}


def after(state: State, step: Step) -> State:
    """The state that `step` leads to. Raises `Refusal("study-state")`."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        needed = sorted({known for known, may in TRANSITIONS if may is step})
        raise Refusal("study-state", rule="study.state", needed=needed, seen=state, step=step) from None
