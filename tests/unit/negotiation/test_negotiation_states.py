"""The table of states: what it does not name is refused."""

import itertools

import pytest

from connector.negotiation.states import TERMINAL, TRANSITIONS, Message, Side, State, after
from vocab.errors import Refusal

ALL = list(itertools.product([None, *State], Side, Message))


@pytest.mark.parametrize(("state", "sender", "message"), [case for case in ALL if case not in TRANSITIONS])
def test_what_the_table_does_not_name_is_refused(state: State | None, sender: Side, message: Message) -> None:
    with pytest.raises(Refusal) as refused:
        after(state, sender, message)
    assert refused.value.code == "transition-refused"


def test_an_ended_negotiation_accepts_nothing() -> None:
    assert not [case for case in TRANSITIONS if case[0] in TERMINAL]


def test_either_side_may_end_what_has_not_ended() -> None:
    for state, side in itertools.product(set(State) - TERMINAL, Side):
        assert after(state, side, Message.TERMINATION) is State.TERMINATED


def test_a_message_belongs_to_one_side() -> None:
    """Termination apart, nobody can say what is the other's to say."""
    senders = {(message, side) for _, side, message in TRANSITIONS if message is not Message.TERMINATION}
    assert len(senders) == len({message for message, _ in senders})


def test_only_an_agreement_that_was_verified_becomes_final() -> None:
    assert [case[0] for case, to in TRANSITIONS.items() if to is State.FINALIZED] == [State.VERIFIED]
    assert [case[0] for case, to in TRANSITIONS.items() if to is State.VERIFIED] == [State.AGREED]
