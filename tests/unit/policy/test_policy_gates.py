"""The six gates under the release in the wheel: a study in order passes, and each single fact out of order refuses."""

import tomllib
from importlib.resources import files

import pytest
from studyfacts import A03, AGREED, DAY, NOW, OFFERED, REQUESTS, facts, policy

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
REFUSED = [
    (C, {"party": {"active": False}}, "not-a-member"),
    (C, {"standing": {"fresh": False}}, "standing-stale"),
    (C, {"revision": {"active": False}}, "release-inactive"),
    (C, {"dataset": {"legal_basis": None}}, "description-without-legal-basis"),
    (C, {"party": {"did": A03, "diseases": ["I44-I49"]}}, "disease-outside-offer"),
    (C, {"party": {"purposes": [terms.NON_COMMERCIAL_RESEARCH]}}, "purpose-outside-offer"),
    (C, {"party": {"diseases": None}}, "odrl-unknown"),
    (C, {"party": {"diseases": []}}, "odrl-unknown"),
    (N, {"permit": None}, "no-permit"),
    (N, {"permit": {"applicant": A03}}, "no-permit"),
    (N, {"permit": {"datasets": []}}, "no-permit"),
    (N, {"permit": {"state": "suspended"}}, "no-permit"),
    (N, {"permit": {"from": NOW + 1}}, "no-permit"),
    (N, {"permit": {"state": "ended"}}, "expired"),
    (N, {"permit": {"until": NOW}}, "expired"),
    (N, {"permit": {"from": NOW - 91 * DAY}}, "expired"),
    (N, {"permit": {"drb": "refused"}}, "no-permit"),
    (N, {"permit": {"drb": None}}, "odrl-unknown"),
    (N, {"permit": {"irb": None}}, "irb-expired"),
    (N, {"permit": {"irb": {"decision": "approved", "until": NOW + DAY}}}, "irb-expired"),
    (N, {"permit": {"irb": {"decision": "refused", "until": NOW + 900 * DAY}}}, "irb-expired"),
    (N, {"permit": {"disease": ["I48"]}}, "disease-outside-offer"),
    (N, {"permit": {"purpose": terms.NON_COMMERCIAL_RESEARCH}}, "purpose-outside-offer"),
    (N, {"permit": {"legal_purpose": terms.iri("kr:statistics")}}, "purpose-outside-offer"),
    (N, {"provider": {"active": False}}, "not-a-member"),
    (N, {"offer": {"differences": [{"path": "permission-1.k", "was": "5", "is": "3"}]}}, "offer-changed"),
    (T, {"agreement": None}, "no-agreement"),
    (T, {"agreement": {"state": "TERMINATED"}}, "no-agreement"),
    (T, {"agreement": {"consumer": A03}}, "no-agreement"),
    (T, {"agreement": {"dataset": "urn:other"}}, "no-agreement"),
    (T, {"agreement": {"permit": "permit-2"}}, "no-permit"),
    (T, {"agreement": {"until": NOW}}, "expired"),
    (T, {"agreement": {"receipt_complete": False}}, "receipt-incomplete"),
    (T, {"snapshot": {"digest": "sha256:other"}}, "snapshot-not-accepted"),
    (T, {"snapshot": {"accepted": False}}, "snapshot-not-accepted"),
    (T, {"snapshot": {"k": 4}}, "snapshot-not-accepted"),
    (T, {"snapshot": {"stopped": True}}, "provider-stopped"),
    (T, {"destination": {"kind": "pull"}}, "zone-only"),
    (T, {"destination": {"zone_did": A03}}, "zone-only"),
    (T, {"destination": {"slot": False}}, "zone-only"),
    (T, {"destination": None}, "zone-only"),
    (T, {"dataset": {"non_public": None}, "destination": {"kind": "pull"}}, "zone-only"),
    (T, {"zone": {"did": A03}}, "zone-only"),
    (T, {"zone": {"country": "US"}}, "zone-only"),
    (T, {"zone": {"active": False}}, "not-a-member"),
    (T, {"token": {"used": True}}, "token-used"),
    (T, {"token": None}, "token-used"),
    (T, {"dataset": {"min_walls": "user"}}, "zone-below-level"),
    (T, {"dataset": {"min_walls": "secret"}}, "zone-below-level"),
    (T, {"zone": {"walls": "none"}}, "zone-below-level"),
    (T, {"dataset": {"synthetic": False}}, "zone-below-level"),
    (S, {"permit": {"until": NOW - 1}}, "expired"),
    (S, {"agreement": {"receipt_complete": False}}, "receipt-incomplete"),
    (S, {"snapshot": {"stopped": True}}, "provider-stopped"),
    (S, {"zone": {"walls": "thin"}, "dataset": {"synthetic": False}}, "zone-below-level"),
    (S, {"task": {"code_digest": "sha256:other"}}, "code-not-on-permit"),
    (S, {"task": {"image_digest": "sha256:other"}}, "image-not-on-permit"),
    (S, {"task": {"parts": ["train", "holdout"]}}, "holdout-mounted"),
    (S, {"task": {"parts": ["holdout"]}}, "holdout-mounted"),
    (S, {"task": {"jobs_done": 20}}, "job-limit"),
    (S, {"task": {"jobs_done": None}}, "job-limit"),
    (S, {"task": {"kind": "explore"}}, "fact-missing"),
    (S, {"task": {**VERIFY, "code_digest": "sha256:train"}}, "code-not-on-permit"),
    (S, {"task": {**VERIFY, "verify_runs_done": 3}}, "verify-limit"),
    (E, {"output": {"structural_ok": False}}, "format-refused"),
    (E, {"output": {"format": "pickle"}}, "format-refused"),
    (E, {"output": {"kind": "log", "format": "text"}}, "output-outside-offer"),
    (E, {"output": {"kind": "record", "format": "csv", "findings": []}}, "record-level"),
    (E, {"output": {"findings": None}}, "fact-missing"),
    (E, {"output": {"kind": "aggregate", "format": "csv", "findings": [{"code": "small-cell", "needed": 10, "seen": 3}]}}, "small-cell"),
    (E, {"output": {"kind": "aggregate", "format": "csv", "findings": [{"code": "differencing"}]}}, "differencing"),
    (E, {"output": {"kind": "aggregate", "format": "csv", "findings": ["?"]}}, "fact-missing"),
    (E, {"output": {"mia": {"0": 510, "1": 601}}}, "memorised"),
    (E, {"output": {"mia": {}}}, "memorised"),
    (E, {"output": {"residual_bytes": None}}, "residual-capacity"),
    (E, {"output": {"residual_bytes": 70_000}}, "residual-capacity"),
    (E, {"reviews": []}, "second-review-missing"),
    (E, {"reviews": [{"person": "r", "organisation": "op", "decision": "release"}] * 2}, "second-review-missing"),
    (E, {"requester": {"person": "reviewer-1"}}, "requester-reviews"),
    (E, {"requester": {"organisation": "op"}}, "same-organisation"),
    (E, {"snapshot": {"stopped": True}}, "provider-stopped"),
    (H, {"party": {"active": False}}, "not-a-member"),
    (H, {"permit": {"state": "ended"}}, "expired"),
    (H, {"permit": {"state": "suspended"}}, "no-permit"),
    (H, {"revision": {"active": False}}, "release-inactive"),
    (H, {"snapshot": {"stopped": True}}, "provider-stopped"),
    (H, {"agreement": {"state": "TERMINATED"}}, "no-agreement"),
    (H, {"zone": {"active": False}}, "not-a-member"),
]  # fmt: skip


def decide(gate, changes=None, *, policy_=None, request=None):
    return POLICIES.decide(
        gate,
        policy=policy_ or policy(gate),
        request={**REQUESTS[gate], **(request or {})},
        facts=facts(**(changes or {})),
        now=NOW,
    )


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


#: Codes of the room that no gate gives: they are raised where a policy is read, published or a release is loaded.
RAISED = {
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
