"""The board's rules as tables and numbers: what a lawyer would check by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.boards.rules import RULES, Seat, conflicts, counted, demand_quorum, demand_vote
from governance.boards.states import (
    PERMIT_TRANSITIONS,
    RIGHTS,
    TRANSITIONS,
    Command,
    Duty,
    PermitState,
    State,
    Step,
    after,
    demand,
    permit_after,
)
from vocab.errors import Refusal
from vocab.records.decision import recounted

SEATS = [
    Seat(f"m{number}", organisation, number > 2) for number, organisation in enumerate(["op", "op", "a02", "u", "v"])
]


@pytest.mark.parametrize(("state", "step"), [(s, x) for s in (None, *State) for x in Step if (s, x) not in TRANSITIONS])
def test_a_step_that_the_table_does_not_name_is_refused(state, step):
    with pytest.raises(Refusal, match="board-step-refused"):
        after(state, step)


@pytest.mark.parametrize(
    ("state", "command"), [(s, c) for s in PermitState for c in Command if (s, c) not in PERMIT_TRANSITIONS]
)
def test_a_permit_command_that_the_table_does_not_name_is_refused(state, command):
    with pytest.raises(Refusal, match="board-step-refused"):
        permit_after(state, command)


def test_what_has_ended_stays_ended():
    final = (State.REJECTED, State.WITHDRAWN, State.CLOSED)
    assert not [pair for pair in TRANSITIONS if pair[0] in final]
    assert not [state for state in final if RIGHTS[state]]
    assert not [pair for pair in PERMIT_TRANSITIONS if pair[0] is PermitState.ENDED]


@pytest.mark.parametrize(("state", "duty", "command"), list(itertools.product(State, Duty, Command)))
def test_nobody_does_what_the_rights_table_does_not_give(state, duty, command):
    if command in RIGHTS[state].get(duty, frozenset()):
        demand(state, frozenset({duty}), command)
        return
    with pytest.raises(Refusal) as refused:
        demand(state, frozenset({duty}), command)
    assert refused.value.code in ("duty-missing", "not-in-deliberation", "board-step-refused")


def test_rights_in_words():
    assert RIGHTS[State.DELIBERATION][Duty.CHAIR] == {Command.DECIDE, Command.RETURN}
    assert [s for s in State if any(Command.VOTE in commands for commands in RIGHTS[s].values())] == [
        State.DELIBERATION
    ]
    assert {d for d, commands in RIGHTS[State.DELIBERATION].items() if Command.VOTE in commands} == {Duty.MEMBER}
    with pytest.raises(Refusal, match="not-in-deliberation"):
        demand(State.APPROVED, frozenset({"member"}), Command.VOTE)
    with pytest.raises(Refusal, match="duty-missing"):
        demand(State.DELIBERATION, frozenset({"member"}), Command.DECIDE)


def test_a_conflict_of_interest_is_derived_from_the_organisation_and_declared():
    assert conflicts(SEATS, {"a02"}, []) == {"m2": "same-organisation"}
    assert conflicts(SEATS, {"a02"}, ["m4", "nobody"]) == {"m2": "same-organisation", "m4": "declared"}


def test_a_recused_member_cannot_vote_and_nobody_votes_twice():
    demand_vote(SEATS, {"m2": "same-organisation"}, ["m0"], "m1")
    for member, code in (("m2", "recused"), ("m0", "voted-already"), ("stranger", "not-seated")):
        with pytest.raises(Refusal, match=code):
            demand_vote(SEATS, {"m2": "same-organisation"}, ["m0"], member)


def test_four_of_four_with_one_recused_carries():
    numbers = counted(SEATS, {"m2"}, {"m0": "yes", "m1": "yes", "m3": "yes", "m4": "yes"})
    assert numbers.to_json() == {
        "seated": 5,
        "external": 2,
        "recused": 1,
        "present": 4,
        "quorum": 3,
        "cast": 4,
        "yes": 4,
        "no": 0,
        "abstain": 0,
        "needed": 3,
    }
    assert numbers.carried
    demand_quorum(SEATS, numbers)


@pytest.mark.parametrize(
    ("votes", "carried"),
    [
        ("yyyyy", True),
        ("yyynn", True),
        ("yyn", True),
        ("yynn", False),  # half is not more than half
        ("yyaa", False),  # an abstention is cast, and is no yes
        ("yyyan", True),
        ("yy", False),  # no quorum
        ("nnn", False),
        ("", False),
    ],
)
def test_more_than_half_of_the_votes_cast(votes, carried):
    words = {"y": "yes", "n": "no", "a": "abstain"}
    numbers = counted(SEATS, set(), {f"m{place}": words[vote] for place, vote in enumerate(votes)})
    assert numbers.carried is carried


def test_the_vote_of_a_member_who_steps_back_later_does_not_count():
    before = counted(SEATS, set(), {"m0": "yes", "m1": "yes", "m3": "no"})
    after_recusal = counted(SEATS, {"m1"}, {"m0": "yes", "m1": "yes", "m3": "no"})
    assert before.carried
    assert not after_recusal.carried
    assert (after_recusal.present, after_recusal.quorate) == (2, False)


def test_a_board_not_seated_by_its_rules_decides_nothing():
    for seats in (SEATS[:4], [*SEATS, Seat("m5", "w", True)], [Seat(f"m{n}", "op", n == 0) for n in range(5)]):
        votes = {seat.member: "yes" for seat in seats}
        with pytest.raises(Refusal, match="board-incomplete"):
            demand_quorum(seats, counted(seats, set(), votes))
    with pytest.raises(Refusal, match="board-quorum-missing") as refused:
        demand_quorum(SEATS, counted(SEATS, set(), {"m0": "yes", "m1": "yes"}))
    assert (refused.value.needed, refused.value.seen) == (3, 2)


def body_of(votes, recused=(), outcome=None):
    numbers = counted(SEATS, recused, votes)
    return {
        "rule_set": RULES.id,
        "outcome": outcome or ("approved" if numbers.carried else "rejected"),
        "seated": [{"member": seat.member, "external": seat.external} for seat in SEATS],
        "recused": [{"member": member, "why": "declared"} for member in recused],
        "votes": [{"member": member, "vote": vote} for member, vote in votes.items()],
        "arithmetic": numbers.to_json(),
    }


VOTES = st.dictionaries(
    st.sampled_from([f"m{n}" for n in range(5)]), st.sampled_from(["yes", "no", "abstain"]), min_size=3
)


@given(VOTES)
def test_whoever_holds_a_decision_counts_the_same(votes):
    assert recounted(body_of(votes)).to_json() == counted(SEATS, set(), votes).to_json()


@given(VOTES, st.sampled_from(["yes", "cast", "needed", "present", "seated", "external", "quorum"]))
def test_a_decision_with_one_other_number_is_refused(votes, name):
    body = body_of(votes)
    body["arithmetic"][name] += 1
    with pytest.raises(Refusal, match="decision-invalid"):
        recounted(body)


def test_a_decision_that_contradicts_its_votes_is_refused():
    votes = {"m0": "yes", "m1": "no", "m3": "no"}
    fine = {"m0": "yes", "m1": "yes", "m3": "yes"}
    bad = [
        body_of(votes, outcome="approved"),
        {**body_of(fine), "rule_set": "other"},
        {**body_of(fine), "recused": [{"member": "m0"}]},
        {**body_of(fine), "recused": [{"member": "stranger"}]},
        {**body_of(fine), "votes": [*body_of(fine)["votes"], {"member": "m0", "vote": "yes"}]},
        {**body_of(fine), "votes": [{"member": "m0", "vote": "perhaps"}]},
        {**body_of(fine), "seated": body_of(fine)["seated"][:4]},
        {**body_of({"m0": "yes", "m1": "yes"}), "outcome": "rejected"},
        {},
    ]
    for body in bad:
        with pytest.raises(Refusal, match=r"decision-invalid|board-incomplete"):
            recounted(body)
