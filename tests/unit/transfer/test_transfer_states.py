"""The table of a transfer: what it does not name is refused."""

import itertools

import pytest

from connector.negotiation.states import Side
from connector.transfer.states import TERMINAL, TRANSITIONS, Message, State, after
from vocab.errors import Refusal

ALL = list(itertools.product([None, *State], Side, Message))


@pytest.mark.parametrize(("state", "sender", "message"), [case for case in ALL if case not in TRANSITIONS])
def test_what_the_table_does_not_name_is_refused(state: State | None, sender: Side, message: Message) -> None:
    with pytest.raises(Refusal, match="transition-refused"):
        after(state, sender, message)


def test_an_ended_transfer_accepts_nothing() -> None:
    assert not [case for case in TRANSITIONS if case[0] in TERMINAL]


def test_only_the_provider_starts_and_only_what_runs_is_completed() -> None:
    assert [case for case in TRANSITIONS if case[:2] == (State.REQUESTED, Side.CONSUMER)] == [
        (State.REQUESTED, Side.CONSUMER, Message.TERMINATION)
    ]
    assert {case[0] for case in TRANSITIONS if case[2] is Message.COMPLETION} == {State.STARTED}
