"""The six gates under the release in the wheel: a study in order passes, and each single fact out of order refuses."""

import tomllib
from importlib.resources import files

import pytest
from studyfacts import A03, AGREED, CASES, DAY, NOW, OFFERED, REQUESTS, STUDY, facts, policy

from connector.policy.service import Policies
from vocab import terms
from vocab.profile import Gate

POLICIES = Policies()
#: The facts of the README's table: what each gate cannot do without.
_ALL = {"party", "revision", "dataset"}
_RUNNING = {*_ALL, "permit", "agreement", "snapshot", "zone"}
LEANS_ON = {
    Gate.CATALOG: {*_ALL, "standing"},
    Gate.NEGOTIATE: {*_ALL, "standing", "provider", "permit", "offer"},
    Gate.TRANSFER: {*_RUNNING, "standing", "destination", "token"},
    Gate.SUBMIT: {*_RUNNING, "standing", "task"},
    Gate.EGRESS: {*_RUNNING, "standing", "task", "output", "requester", "reviews"},
    Gate.HOLD: {*_RUNNING, "task"},
}
C, N, T, S, E, H = Gate.CATALOG, Gate.NEGOTIATE, Gate.TRANSFER, Gate.SUBMIT, Gate.EGRESS, Gate.HOLD
VERIFY = {"kind": "verify", "code_digest": "sha256:verify", "parts": ["train", "holdout"]}

#: Gate, the facts that are changed, and the code that must come first.
REFUSED = [(Gate(name), case["change"], case["expect"]) for name, cases in sorted(CASES.items()) for case in cases]


def decide(gate, changes=None, *, policy_=None, request=None):
    return POLICIES.decide(
        gate,
        policy=policy_ or policy(gate),
        request={**REQUESTS[gate], **(request or {})},
        facts=facts(**(changes or {})),
        now=NOW,
    )


def test_the_cases_judge_the_policies_that_are_written_for_the_wire():
    assert STUDY["offer"] == OFFERED.to_json()
    assert STUDY["agreement"] == AGREED.to_json()


@pytest.mark.parametrize("gate", list(Gate))
def test_a_study_in_order_passes_every_gate(gate):
    decision = decide(gate)
    assert decision.allow, decision.reasons
    assert decision.reasons == ()
    assert NOW < decision.valid_until <= NOW + 300_000


@pytest.mark.parametrize(("gate", "changes", "code"), REFUSED)
def test_one_fact_out_of_order_is_refused_for_its_reason(gate, changes, code):
    decision = decide(gate, changes)
    assert not decision.allow
    assert decision.reasons[0].code == code, decision.reasons
    assert decision.valid_until is None


#: Codes of the room that no gate gives: they are raised where a policy is read, published or a release is loaded, or
#: given for policies from elsewhere.
RAISED = {
    "odrl-duty",
    "odrl-conflict",
    "policy-inherits",
    "question-malformed",
    "term-unknown",
    "policy-not-understood",
    "policy-too-large",
    "operand-without-gate",
    "offer-unsatisfiable",
    "release-broken",
    "engine-unavailable",
}


def test_every_code_of_the_room_is_given_by_some_gate():
    given = {reason.code for gate, changes, _ in REFUSED for reason in decide(gate, changes).reasons}
    given |= {reason.code for reason in decide(S, request={"action": terms.REIDENTIFY}).reasons}
    given |= {reason.code for reason in decide(T, {"party": {"did": A03}}).reasons}
    room = tomllib.loads((files("vocab.errors") / "policy.toml").read_text("utf-8"))
    assert given == room.keys() - RAISED


@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("name", sorted(facts()))
def test_a_gate_refuses_without_a_fact_it_leans_on_and_ignores_the_others(gate, name):
    decision = decide(gate, {name: None})
    assert decision.allow == (name not in LEANS_ON[gate]), decision.reasons


@pytest.mark.parametrize("gate", list(Gate))
def test_without_any_fact_the_answer_is_no(gate):
    decision = POLICIES.decide(gate, policy=policy(gate), request={}, facts={}, now=NOW)
    assert not decision.allow
    assert decision.reasons[0].code != "engine-unavailable"


@pytest.mark.parametrize("gate", list(Gate))
def test_without_a_policy_the_answer_is_no(gate):
    decision = POLICIES.decide(gate, policy=None, request=REQUESTS[gate], facts=facts(), now=NOW)
    assert [reason.code for reason in decision.reasons] == ["odrl-unknown"]


def test_a_searching_company_sees_what_it_may_apply_for_and_what_is_still_open():
    decision = decide(C)
    assert decision.later == (
        terms.LEGAL_PURPOSE,
        terms.DRB_APPROVAL,
        terms.IRB_DECISION,
        terms.PROCESSING_PLACE,
        terms.SPATIAL,
        terms.K_ANONYMITY,
        terms.OUTPUT_KIND,
        terms.ELAPSED_TIME,
        terms.JOB_COUNT,
    )


@pytest.mark.parametrize(
    ("gate", "open_"),
    [
        (N, (terms.PROCESSING_PLACE, terms.SPATIAL, terms.K_ANONYMITY, terms.OUTPUT_KIND, terms.JOB_COUNT)),
        (T, (terms.OUTPUT_KIND, terms.JOB_COUNT)),
        (S, (terms.OUTPUT_KIND,)),
        (E, ()),
    ],
)
def test_each_gate_leaves_open_only_what_later_gates_decide(gate, open_):
    assert decide(gate).later == open_


def test_hold_leaves_open_what_its_grant_left_open():
    assert decide(H, request={"stage": "negotiate"}).later == decide(N).later
    assert decide(H, request={"stage": "submit"}).later == decide(S).later


def test_hold_refuses_a_grant_of_no_gate():
    decision = decide(H, request={"stage": "whatever"})
    assert [decision.allow, decision.reasons[0].code] == [False, "fact-missing"]


def test_the_running_twentieth_task_goes_on():
    assert decide(H, {"task": {"jobs_done": 20}}).allow
    assert not decide(S, {"task": {"jobs_done": 20}}).allow


def test_the_zones_own_code_may_mount_the_holdout():
    decision = decide(S, {"task": VERIFY}, request={"action": terms.iri("med:verify")})
    assert decide(S, {"task": {**VERIFY, "jobs_done": 20}}, request={"action": terms.iri("med:verify")}).allow
    assert decision.allow, decision.reasons


def test_an_offer_grants_nothing_once_data_would_move():
    for gate in (T, S, E, H):
        assert decide(gate, policy_=OFFERED).reasons[0].needed == "Agreement"


def test_an_agreement_serves_its_own_assignee_and_dataset_alone():
    assert not decide(T, {"party": {"did": A03}}, policy_=AGREED).allow
    assert not decide(T, {"dataset": {"id": "urn:other"}}, policy_=AGREED).allow


@pytest.mark.parametrize(
    "action", [terms.REIDENTIFY, terms.LINK_ACROSS_PROVIDERS, terms.EXPORT_RECORDS, terms.DISTRIBUTE]
)
def test_what_is_prohibited_is_refused_though_it_is_a_use(action):
    codes = [reason.code for reason in decide(S, request={"action": action}).reasons]
    assert codes == ["odrl-prohibited"]


def test_records_of_persons_never_leave():
    record = {"kind": "record", "format": "csv"}
    codes = {one.code for one in decide(E, {"output": record}, request={"action": terms.EXPORT_RECORDS}).reasons}
    assert codes == {"format-refused", "record-level", "odrl-prohibited", "output-outside-offer"}


def test_the_automatic_checks_need_no_reviewer_but_a_review_needs_a_stranger():
    assert decide(E, {"reviews": None, "requester": None}, request={"step": "check"}).allow
    one = [{"person": "reviewer-1", "organisation": "op", "decision": "release"}]
    assert decide(E, {"reviews": one}, request={"step": "review"}).allow
    mine = [{"person": "colleague", "organisation": facts()["requester"]["organisation"], "decision": "release"}]
    assert decide(E, {"reviews": mine}, request={"step": "review"}).reasons[0].code == "same-organisation"
    assert decide(E, {"reviews": one}, request={"step": "release"}).reasons[0].code == "second-review-missing"
    assert decide(E, {"reviews": one}, request={"step": None}).reasons[0].code == "second-review-missing"


def test_obligations_name_their_due_date():
    end = facts()["permit"]["until"]
    due = {one["action"]: one["due"] - end for one in decide(T).obligations}
    assert due == {terms.DELETE: 5 * DAY, terms.COMPENSATE: 30 * DAY, terms.PUBLISH_RESULTS: 548 * DAY}


def test_a_yes_ends_with_the_right_that_carries_it():
    assert decide(T, {"permit": {"until": NOW + 1000}}).valid_until == NOW + 1000


def test_a_refusal_says_rule_needed_and_seen():
    refusal = decide(C, {"party": {"did": A03, "diseases": ["I44-I49"]}}).refusal()
    assert [refusal.code, refusal.rule] == ["disease-outside-offer", "permission-1.5"]
    assert [refusal.needed, refusal.seen] == [terms.kcd("E10-E14"), [terms.kcd("I44-I49")]]


def test_the_first_reason_for_a_stranger_without_permit_is_no_permit():
    decision = decide(N, {"permit": None, "party": {"did": A03, "diseases": ["I44-I49"]}})
    assert decision.reasons[0].code == "no-permit"
