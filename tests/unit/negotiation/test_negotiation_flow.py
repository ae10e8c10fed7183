"""Negotiations between nodes: to the end, refused for the stated reason, through lost answers and restarts."""

import copy
from typing import Any

import pytest

from connector.evidence.model import Entry, Receipt
from connector.evidence.service import Receipts, checked
from connector.identity.service import ask
from connector.negotiation import agreed, consumer
from connector.negotiation.model import Agreement, Negotiation, ProtocolMessage
from connector.negotiation.service import agreement_facts
from tests.unit.negotiation.conftest import DAY, NOW, PERMIT, STUDY, Space, did, permit, snapshot, url
from vocab.errors import Refusal
from vocab.messages import negotiation as messages
from vocab.odrl.offer import agreement, research_offer, with_target

OFFER = research_offer("offer-h01", zone=did("p01"), disease="E10-E14")


AGREED = agreement(OFFER, "a-1", target="D-H01-DM", assigner=did("h01"), assignee=did("a02"), at=NOW)


async def begin(space: Space, name: str = "a02", together: str | None = None, **more: Any) -> str:
    runtime, given = space[name].runtime, {"provider": did("h01"), "dataset": "D-H01-DM", "study": STUDY, **more}
    asked, study = await consumer.look(runtime, **given), given["study"]
    row = await runtime.store.run(lambda unit: consumer.begin(unit, runtime, asked, study, "pi", together))
    return row.id


async def outcome(space: Space, pid: str, name: str = "a02") -> Negotiation:
    rows = {row.id: row for row in await space[name].rows(Negotiation)}
    found: Negotiation = rows[pid]
    return found


async def test_a_negotiation_ends_with_one_agreement_on_both_sides(space: Space) -> None:
    pid = await begin(space)
    await space.settle()
    assert (await outcome(space, pid)).state == "FINALIZED"
    (theirs,), (ours,) = await space["h01"].rows(Agreement), await space["a02"].rows(Agreement)
    assert theirs.state == ours.state == "FINALIZED"
    assert (theirs.id, theirs.digest, theirs.offer_digest) == (ours.id, ours.digest, ours.offer_digest)
    assert theirs.document == ours.document
    assert theirs.document["permission"] == OFFER["permission"]
    (receipt,) = await space["h01"].rows(Receipt)
    assert receipt.envelope["body"]["subject"]["snapshot"] == "digest-D-H01-DM"
    assert receipt.envelope["body"]["subject"]["permit"] == PERMIT


async def test_use_waits_for_the_receipt_that_both_signed(space: Space) -> None:
    pid = await begin(space)
    await space.settle()
    (receipt,) = await space["h01"].rows(Receipt)
    keys = {did(name): space.keys(name).public("receipt") for name in ("h01", "a02")}
    runtime = space["a02"].runtime
    facts = await runtime.store.read(lambda session: agreement_facts(session, receipt.about))
    assert facts is not None
    assert facts["receipt_complete"] is False
    assert facts["snapshot"] is None
    both = await runtime.store.run(
        lambda unit: checked(unit, runtime, receipt.envelope, receipt.payload, receipt.salt, keys)
    )
    assert [one["did"] for one in both.envelope["signatures"]] == [did("h01"), did("a02")]
    facts = await runtime.store.read(lambda session: agreement_facts(session, receipt.about))
    assert facts is not None
    assert facts["snapshot"] == "digest-D-H01-DM"
    assert (await outcome(space, pid)).agreement == receipt.about


@pytest.mark.parametrize("member", ["permit", "policy", "offer", "study", "dataset", "agreement", "until", "added"])
async def test_a_receipt_that_says_otherwise_is_disputed(space: Space, member: str) -> None:
    await begin(space)
    await space.settle()
    (receipt,) = await space["h01"].rows(Receipt)
    runtime = space["a02"].runtime
    body = copy.deepcopy(receipt.envelope["body"])
    body["subject"][member] = "other"
    check = runtime.get(Receipts).checks["agreement"]
    with pytest.raises(Refusal) as refused:
        await runtime.store.run(lambda unit: check(unit, body, receipt.payload))
    assert (refused.value.code, refused.value.values["what"]) == ("receipt-disputed", member)


async def test_a_company_without_a_permit_is_refused_by_the_hospital(space: Space) -> None:
    pid = await begin(space, "a03", offer=OFFER)
    await space.settle()
    row = await outcome(space, pid, "a03")
    assert (row.state, row.code) == ("TERMINATED", "no-permit")
    assert await space["h01"].rows(Negotiation) == []
    assert "no-permit" in [entry.code for entry in await space["h01"].rows(Entry)]


async def test_what_is_withheld_is_refused_with_the_hospitals_reason(space: Space) -> None:
    with pytest.raises(Refusal) as refused:
        await begin(space, "a03")
    assert refused.value.code == "disease-outside-offer"
    with pytest.raises(Refusal) as refused:
        await begin(space, "a03", dataset="D-NOWHERE")
    assert refused.value.code == "dataset-unknown"


async def test_anothers_permit_is_no_permit(space: Space) -> None:
    """A03 names A02's study and permit: the hospital's own copy says whose it is."""
    await space["a03"].add(permit(applicant=did("a03")))
    pid = await begin(space, "a03", offer=OFFER)
    await space.settle()
    assert (await outcome(space, pid, "a03")).code == "no-permit"


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    offer = copy.deepcopy(OFFER)
    place: Any = offer
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return offer


CLAUSES = OFFER["permission"][0]["constraint"]
CHANGES = [
    *[(("permission", 0, "constraint", number), None) for number in range(len(CLAUSES))],
    (("permission", 0, "constraint", 7, "rightOperand"), "3"),
    (("permission", 0, "constraint", 10, "rightOperand"), "21"),
    (("permission", 0, "constraint", 5, "rightOperand"), "did:web:elsewhere"),
    (("prohibition", 0), None),
    (("obligation", 0), None),
    (("obligation", 0, "constraint", 0, "rightOperand"), "P6D"),
]


@pytest.mark.parametrize(("path", "value"), CHANGES)
async def test_a_request_whose_rules_differ_is_refused_clause_by_clause(space: Space, path: Any, value: Any) -> None:
    pid = await begin(space, offer=changed(path, value))
    await space.settle()
    row = await outcome(space, pid)
    assert (row.state, row.code) == ("TERMINATED", "offer-changed")
    assert row.needed != row.seen
    assert row.needed is not None
    assert await space["h01"].rows(Agreement) == []


async def test_an_agreement_whose_rules_differ_is_ended_by_the_company(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hospital that slips another clause into the agreement."""

    def slipped(_offer: Any, agreement_id: str, **more: Any) -> dict[str, Any]:
        return honest(changed(("permission", 0, "constraint", 10, "rightOperand"), "2"), agreement_id, **more)

    honest = agreed.offers.agreement
    monkeypatch.setattr(agreed.offers, "agreement", slipped)
    pid = await begin(space)
    await space.settle()
    row = await outcome(space, pid)
    assert (row.state, row.code) == ("TERMINATED", "offer-changed")
    assert "jobCount lteq 20" in str(row.needed)
    assert "jobCount lteq 2" in str(row.seen)
    (theirs,) = await space["h01"].rows(Negotiation)
    assert (theirs.state, theirs.code) == ("TERMINATED", "offer-changed")
    assert [one.state for one in await space["h01"].rows(Agreement)] == ["VOID"]
    assert await space["a02"].rows(Agreement) == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ({"accepted": False}, "snapshot-not-accepted"),
        ({"stopped": True}, "provider-stopped"),
        ({"study": "another"}, "snapshot-not-accepted"),
    ],
)
async def test_without_an_accepted_snapshot_there_is_no_agreement(space: Space, spoil: Any, code: str) -> None:
    await space["h01"].add(snapshot("D-H01-DM", **spoil))
    pid = await begin(space)
    await space.settle()
    assert (await outcome(space, pid)).code == code


async def test_a_second_agreement_on_one_study_and_dataset_is_refused(space: Space) -> None:
    await begin(space)
    await space.settle()
    with pytest.raises(Refusal) as refused:
        await begin(space)
    assert refused.value.code == "agreement-exists"


STEPS = ["/negotiations/request", "/agreement", "/verification", "/events"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_lost_answer_changes_nothing(space: Space, step: str) -> None:
    """The message took effect, its answer was lost: it arrives twice, and everything exists once."""
    space.wire.lose.append(step)
    pid = await begin(space)
    await space.settle()
    await space.retry()
    assert space.wire.lose == []
    await finalised_once(space, pid)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["h01", "a02"])
async def test_a_restart_after_any_step_carries_on(space: Space, name: str, step: str) -> None:
    space.wire.lose.append(step)
    pid = await begin(space)
    await space.settle()
    await space.restart(name)
    await space.retry()
    await space.retry()
    await finalised_once(space, pid)


async def finalised_once(space: Space, pid: str) -> None:
    assert (await outcome(space, pid)).state == "FINALIZED"
    for name in ("h01", "a02"):
        assert [row.state for row in await space[name].rows(Agreement)] == ["FINALIZED"]
        assert [row.state for row in await space[name].rows(Negotiation)] == ["FINALIZED"]
        arrived = [row.message for row in await space[name].rows(ProtocolMessage) if row.direction == "in"]
        assert len(arrived) == len(set(arrived)) == 2
    assert len(await space["h01"].rows(Receipt)) == 1


async def test_a_hospital_that_is_down_is_waited_for(space: Space) -> None:
    space.wire.down.add("h01")
    with pytest.raises(Refusal) as refused:
        await begin(space)
    assert refused.value.code == "peer-unreachable"
    space.wire.down.clear()
    space.wire.lose.append("/negotiations/request")
    pid = await begin(space)
    space.wire.down.add("h01")
    await space.settle()
    assert (await outcome(space, pid)).state in ("REQUESTED", "VERIFIED")
    space.wire.down.clear()
    await space.retry()
    await space.retry()
    await finalised_once(space, pid)


async def test_when_the_permit_ends_the_agreement_ends(space: Space) -> None:
    await begin(space)
    await space.settle()
    await space.standing({PERMIT: "ended"})
    await space.settle()
    for name in ("h01", "a02"):
        assert [row.state for row in await space[name].rows(Agreement)] == ["ENDED"]


async def test_a_suspended_permit_leaves_the_agreement_until_it_is_ended(space: Space) -> None:
    await begin(space)
    await space.settle()
    for state, expected in (("suspended", "FINALIZED"), ("ended", "ENDED")):
        await space.standing({PERMIT: state})
        await space.settle()
        assert [(await space[name].rows(Agreement))[0].state for name in ("h01", "a02")] == [expected] * 2


async def test_a_negotiation_under_way_ends_with_its_permit(space: Space) -> None:
    """The hospital agreed, the company cannot answer yet; then the permit ends."""
    space.wire.lose.append("/agreement")
    pid = await begin(space)
    space.wire.down.add("a02")
    await space.settle()
    await space.standing({PERMIT: "ended"})
    space.wire.down.clear()
    for _ in range(3):
        await space.retry()
    assert (await outcome(space, pid)).state == "TERMINATED"
    assert [row.state for row in await space["h01"].rows(Negotiation)] == ["TERMINATED"]


async def test_an_expired_permit_agrees_nothing(space: Space) -> None:
    space.clock.move(90 * DAY)
    await space.standing()
    pid = await begin(space)
    await space.settle()
    assert (await outcome(space, pid)).code == "expired"


async def test_what_belongs_together_ends_together(space: Space) -> None:
    """H03 refuses while H01's agreement is still on its way: the company ends that one, too, and H01 hears why."""
    await space["h03"].add(snapshot("D-H03-DM", accepted=False))
    space.wire.down.add("a02")
    one = await begin(space, together="t1")
    await space.settle()
    assert (await outcome(space, one)).state == "REQUESTED"
    two = await begin(space, together="t1", provider=did("h03"), dataset="D-H03-DM")
    await space.settle()
    assert (await outcome(space, two)).code == "snapshot-not-accepted"
    assert (await outcome(space, one)).code == "sibling-ended"
    space.wire.down.clear()
    await space.retry()
    assert [(row.state, row.code) for row in await space["h01"].rows(Negotiation)] == [("TERMINATED", "sibling-ended")]
    assert [row.state for row in await space["h01"].rows(Agreement)] == ["VOID"]
    assert await space["a02"].rows(Agreement) == []


@pytest.mark.parametrize("path", ["agreement", "events", "termination", "agreement/verification"])
async def test_anothers_process_looks_like_none(space: Space, path: str) -> None:
    pid = await begin(space)
    await space.settle()
    kind = {
        "agreement": messages.agreement(pid, "p", AGREED),
        "events": messages.event(pid, "p", "FINALIZED"),
        "termination": messages.termination(pid, "p", Refusal("offer-changed")),
        "agreement/verification": messages.verification(pid, "p"),
    }[path]
    base = f"{url('a02')}/dsp/2025-1/negotiations/{pid}"
    answer = await ask(space["h03"].runtime, "POST", f"{base}/{path}", did("a02"), json=kind)
    assert (answer.status, answer.body["code"]) == (404, "process-unknown")
    assert (await ask(space["h03"].runtime, "GET", base, did("a02"))).status == 404
    assert (await ask(space["h01"].runtime, "GET", base, did("a02"))).body["state"] == "FINALIZED"


async def test_a_final_negotiation_takes_no_termination(space: Space) -> None:
    pid = await begin(space)
    await space.settle()
    row = await outcome(space, pid)
    message = messages.termination(pid, str(row.provider_pid), Refusal("offer-changed"))
    target = f"{url('a02')}/dsp/2025-1/negotiations/{pid}/termination"
    answer = await ask(space["h01"].runtime, "POST", target, did("a02"), json=message)
    assert (answer.status, answer.body["code"]) == (400, "transition-refused")
    assert (await outcome(space, pid)).state == "FINALIZED"


async def test_a_callback_elsewhere_is_refused(space: Space) -> None:
    message = messages.request(
        "c-1", "http://localhost:9/dsp", with_target(OFFER, "D-H01-DM"), study=STUDY, permit=PERMIT
    )
    target = f"{url('h01')}/dsp/2025-1/negotiations/request"
    answer = await ask(space["a02"].runtime, "POST", target, did("h01"), json=message)
    assert (answer.status, answer.body["code"]) == (400, "callback-foreign")


async def test_the_same_request_again_is_the_same_negotiation_and_another_is_refused(space: Space) -> None:
    target = f"{url('h01')}/dsp/2025-1/negotiations/request"
    offer = with_target(OFFER, "D-H01-DM")
    message = messages.request("c-1", f"{url('a02')}/dsp/2025-1", offer, study=STUDY, permit=PERMIT)
    runtime = space["a02"].runtime
    first = await ask(runtime, "POST", target, did("h01"), json=message)
    again = await ask(runtime, "POST", target, did("h01"), json={**message, "@id": "urn:uuid:other"})
    assert (first.status, again.status) == (201, 201)
    assert first.body["providerPid"] == again.body["providerPid"]
    other = messages.request("c-1", f"{url('a02')}/dsp/2025-1", offer, study="another", permit=PERMIT)
    answer = await ask(runtime, "POST", target, did("h01"), json=other)
    assert (answer.status, answer.body["code"]) == (400, "process-exists")


async def test_an_unknown_offer_is_refused(space: Space) -> None:
    pid = await begin(space, offer={**OFFER, "@id": "offer-of-yesterday"})
    await space.settle()
    assert (await outcome(space, pid)).code == "offer-unknown"


async def test_a_stranger_is_answered_as_if_nothing_were_there(space: Space) -> None:
    target = f"{url('h01')}/dsp/2025-1/negotiations/request"
    answer = await space.wire.request("POST", target, json={})
    assert (answer.status, answer.body["code"]) == (404, "token-missing")
    assert [entry for entry in await space["h01"].rows(Entry) if entry.code == "token-missing"] == []


async def test_people_see_negotiations_and_agreements(space: Space) -> None:
    wanted = {"provider": did("h01"), "dataset": "D-H01-DM", "study": STUDY}
    status, body = await space["a02"].call("pi", "POST", "/api/negotiations", wanted)
    assert status == 201
    await space.settle()
    assert (await space["a02"].call("pi", "GET", f"/api/negotiations/{body['id']}"))[1]["state"] == "FINALIZED"
    (agreement,) = (await space["h01"].call("steward", "GET", "/api/agreements"))[1]
    assert (agreement["state"], agreement["receipt_complete"]) == ("FINALIZED", False)
    assert (await space["h01"].call("steward", "POST", "/api/negotiations", wanted))[1]["code"] == "duty-missing"
    assert (await space["a02"].call("pi", "POST", "/api/negotiations", {**wanted, "x": 1}))[0] == 422


@pytest.mark.parametrize("pid", ["\\ud800", "\\u0000", 'urn:uuid:1", "consumerPid": "urn:uuid:2'])
async def test_ids_that_cannot_be_read_are_not_repeated(space: Space, pid: str) -> None:
    """What is refused is answered as the protocol says, also when the refusal itself could not quote it."""
    raw = f'{{"@type": "ContractRequestMessage", "consumerPid": "{pid}"}}'.encode()
    runtime, address = space["a02"].runtime, f"{url('h01')}/dsp/2025-1/negotiations/request"
    said = await ask(runtime, "POST", address, did("h01"), content=raw)
    assert (said.status, said.body["code"], said.body["consumerPid"]) == (400, "message-malformed", "unknown")
