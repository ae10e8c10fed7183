"""How an application and a permit go, and who may do what in which state: three tables that a lawyer can read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from vocab.errors import Refusal


class State(StrEnum):
    """Where an application stands."""

    PRE_SCREEN = "pre-screen"
    RETURNED = "returned"
    DELIBERATION = "deliberation"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Step(StrEnum):
    """What happens to an application."""

    SUBMIT = "submit"
    PASS = "pass"  # noqa: S105 - complete, goes before the board
    RETURN = "return"
    APPROVE = "approve"
    REJECT = "reject"
    CLOSE = "close"


class Command(StrEnum):
    """What a person or the applicant's node can ask for."""

    SUBMIT = "submit"
    PRESCREEN = "prescreen"
    RECUSE = "recuse"
    VOTE = "vote"
    DECIDE = "decide"
    RETURN = "return"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"
    CLOSE = "close"
    VETO = "veto"


class Duty(StrEnum):
    """Who asks: duties of the operator's people, the applicant's node, the node of a provider that is named."""

    SECRETARY = "secretary"
    MEMBER = "member"
    CHAIR = "chair"
    APPLICANT = "applicant"
    PROVIDER = "provider"


class PermitState(StrEnum):
    """Where a permit stands; the standing list says it to everybody."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


#: Where each step leads. A pair that is not here is refused.
TRANSITIONS: Final[Mapping[tuple[State | None, Step], State]] = {
    (None, Step.SUBMIT): State.PRE_SCREEN,
    (State.RETURNED, Step.SUBMIT): State.PRE_SCREEN,
    (State.PRE_SCREEN, Step.PASS): State.DELIBERATION,
    (State.PRE_SCREEN, Step.RETURN): State.RETURNED,
    (State.DELIBERATION, Step.RETURN): State.RETURNED,
    (State.DELIBERATION, Step.APPROVE): State.APPROVED,
    (State.DELIBERATION, Step.REJECT): State.REJECTED,
    (State.PRE_SCREEN, Step.CLOSE): State.WITHDRAWN,
    (State.RETURNED, Step.CLOSE): State.WITHDRAWN,
    (State.DELIBERATION, Step.CLOSE): State.WITHDRAWN,
    (State.APPROVED, Step.CLOSE): State.CLOSED,
}

#: Who may do what in which state. What is not here is refused.
RIGHTS: Final[Mapping[State, Mapping[Duty, frozenset[Command]]]] = {
    State.PRE_SCREEN: {
        Duty.SECRETARY: frozenset({Command.PRESCREEN}),
        Duty.APPLICANT: frozenset({Command.CLOSE}),
        Duty.PROVIDER: frozenset({Command.VETO}),
    },
    State.RETURNED: {
        Duty.APPLICANT: frozenset({Command.SUBMIT, Command.CLOSE}),
    },
    State.DELIBERATION: {
        Duty.MEMBER: frozenset({Command.RECUSE, Command.VOTE}),
        Duty.CHAIR: frozenset({Command.DECIDE, Command.RETURN}),
        Duty.SECRETARY: frozenset({Command.RETURN}),
        Duty.APPLICANT: frozenset({Command.CLOSE}),
        Duty.PROVIDER: frozenset({Command.VETO}),
    },
    State.APPROVED: {
        Duty.CHAIR: frozenset({Command.SUSPEND, Command.RESUME, Command.END}),
        Duty.SECRETARY: frozenset({Command.END}),
        Duty.APPLICANT: frozenset({Command.CLOSE}),
    },
    State.REJECTED: {},
    State.WITHDRAWN: {},
    State.CLOSED: {},
}

#: Where a permit's commands lead; an ended permit stays ended.
PERMIT_TRANSITIONS: Final[Mapping[tuple[PermitState, Command], PermitState]] = {
    (PermitState.ACTIVE, Command.SUSPEND): PermitState.SUSPENDED,
    (PermitState.SUSPENDED, Command.RESUME): PermitState.ACTIVE,
    (PermitState.ACTIVE, Command.END): PermitState.ENDED,
    (PermitState.SUSPENDED, Command.END): PermitState.ENDED,
    (PermitState.ACTIVE, Command.CLOSE): PermitState.ENDED,
    (PermitState.SUSPENDED, Command.CLOSE): PermitState.ENDED,
}

#: Commands of the deliberation: out of it they say so.
_DELIBERATING: Final = frozenset({Command.RECUSE, Command.VOTE, Command.DECIDE})


def after(state: State | None, step: Step) -> State:
    """The state that `step` leads to. Raises `Refusal("board-step-refused")`."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise Refusal("board-step-refused", rule=step.value, seen=state) from None


def permit_after(state: PermitState, command: Command) -> PermitState:
    """The state that `command` leads a permit to. Raises `Refusal("board-step-refused")`."""
    try:
        return PERMIT_TRANSITIONS[state, command]
    except KeyError:
        raise Refusal("board-step-refused", rule=command.value, seen=state) from None


def demand(state: State, duties: frozenset[str], command: Command) -> None:
    """Raises unless one of `duties` may do `command` in `state`: `not-in-deliberation`, `board-step-refused` when
    nobody may, `duty-missing` when somebody else may."""
    able = sorted(duty.value for duty, commands in RIGHTS[state].items() if command in commands)
    if not able:
        code = "not-in-deliberation" if command in _DELIBERATING else "board-step-refused"
        raise Refusal(code, rule=command.value, seen=state.value)
    if duties.isdisjoint(able):
        raise Refusal("duty-missing", needed=able, seen=sorted(duties))
