"""Rows 6, 7 and 18 of the scenario between real nodes: an application becomes a permit, and all that is refused."""

import pytest
from governance_board import DAYS_90, OTHER, STUDY, apply, at_op, delegate, deliberate, vote
from governance_nodes import NOW, Space
from sqlmodel import select

from connector.evidence.model import Entry, Receipt
from connector.evidence.service import Receipts
from connector.identity.service import ask
from connector.rights.model import PermitRow
from connector.rights.service import permit_for
from governance.boards.model import PermitIssued
from governance.boards.rules import DELIBERATION_MS, PRE_SCREEN_MS
from governance.boards.seats import signer
from vocab.records.attestations import ATTESTATIONS
from vocab.records.decision import recounted
from vocab.records.envelope import digest, opened, signed
from vocab.words import known

# ---- row 6


async def test_a_complete_application_enters_prescreening_and_its_deadline_runs(applied: Space):
    op, a02, h01, a03 = (applied[name] for name in ("op", "a02", "h01", "a03"))
    _, rows = await op.as_person("secretary", "GET", "/api/applications")
    assert [(row["id"], row["state"]) for row in rows] == [(STUDY, "pre-screen")]
    assert rows[0]["deadline_at"] == NOW + PRE_SCREEN_MS
    for node, seen in ((a02, True), (h01, True), (a03, False)):
        answer = await ask(node.runtime, "GET", f"{op.runtime.settings.url}/applications/{STUDY}", op.did)
        assert answer.ok is seen


async def test_the_same_application_again_changes_nothing(applied: Space):
    answer = await apply(applied)
    assert (answer.status, answer.body["state"], answer.body["round"]) == (201, "pre-screen", 1)
    assert (await apply(applied, title="another")).body["code"] == "application-exists"
    assert (await apply(applied, by="a03", applicant=applied["a03"].did)).body["code"] == "application-exists"


IRB = {"decision": "approved", "number": "IRB-1", "document_digest": "2" * 64}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"attestations": list(ATTESTATIONS[1:])}, "attestation-missing"),
        ({"irb": None}, "irb-missing"),
        ({"irb": ...}, "irb-missing"),
        ({"irb": {**IRB, "until": NOW + DAYS_90 - 1}}, "irb-expired"),
        ({"irb": {**IRB, "until": NOW - 1}}, "irb-expired"),
        ({"irb": {**IRB, "decision": "pending", "until": NOW}}, "application-incomplete"),
        ({"title": ""}, "application-incomplete"),
        ({"question": ...}, "application-incomplete"),
        ({"code_digests": []}, "application-incomplete"),
        ({"period_ms": "90"}, "application-incomplete"),
        ({"surprise": 1}, "application-incomplete"),
        ({"zone": "did:web:localhost%3A7101"}, "zone-unknown"),
        ({"datasets": [{"id": "D", "provider": "did:web:nowhere", "columns": ["a"]}]}, "provider-unknown"),
        ({"applicant": "did:web:localhost%3A7104"}, "application-incomplete"),
    ],
)
async def test_an_application_that_lacks_something_does_not_enter(members: Space, change, code):
    await delegate(members, "h01", "D-H01-DM")
    await delegate(members, "h03", "D-H03-DM")
    assert (await apply(members, **change)).body["code"] == code
    assert (await members["op"].as_person("secretary", "GET", "/api/applications"))[1] == []


async def test_a_hospital_that_has_not_delegated_is_not_applied_for(members: Space):
    await delegate(members, "h01", "D-H01-DM")
    answer = await apply(members)
    assert (answer.status, answer.body["code"]) == (403, "not-delegated")
    assert answer.body["values"]["dataset"] == "D-H03-DM"
    await delegate(members, "h03", "D-H03-LAB")
    assert (await apply(members)).body["code"] == "not-delegated"


async def test_a_delegation_is_signed_by_both_and_its_receipt_holds_at_the_operator(members: Space):
    h01, op = members["h01"], members["op"]
    answer = await delegate(members, "h01", "D-H01-DM")
    keys = h01.rights.demand().keys
    assert opened(answer["envelope"], "delegation", keys, h01.did, op.did)["datasets"] == ["D-H01-DM"]
    receipt = (await h01.read(lambda session: list(session.exec(select(Receipt)))))[0]
    check = op.runtime.get(Receipts).checks["delegation"]
    body = receipt.envelope["body"]
    await op.runtime.store.run(lambda unit: check(unit, body, receipt.payload))
    with pytest.raises(Exception, match="receipt-disputed"):
        await op.runtime.store.run(lambda unit: check(unit, body, {**receipt.payload, "datasets": ["D-H01-LAB"]}))


async def test_only_a_hospital_delegates_and_only_its_own(members: Space):
    a02, op = members["a02"], members["op"]
    body = {
        "type": "delegation",
        "id": "urn:uuid:x",
        "hospital": a02.did,
        "board": "shared-drb",
        "datasets": ["D-H01-DM"],
        "from": NOW,
        "until": NOW + 1,
    }
    for hospital in (a02.did, members["h01"].did):
        envelope = signed({**body, "hospital": hospital}, a02.did, a02.runtime.keys.sign)
        answer = await ask(a02.runtime, "POST", f"{op.runtime.settings.url}/delegations", op.did, json=envelope)
        assert answer.body["code"] == "envelope-invalid"


async def test_a_passed_deadline_is_told_and_allows_nothing(applied: Space):
    applied.clock.move(PRE_SCREEN_MS)
    await applied.settle()
    rows = await applied["op"].read(lambda session: list(session.exec(select(Entry).where(Entry.study == STUDY))))
    assert [row.outcome for row in rows if row.kind == "deadline-passed"] == ["waiting"]
    _, body = await applied["op"].as_person("secretary", "GET", f"/api/applications/{STUDY}")
    assert body["state"] == "pre-screen"
    await deliberate(applied)
    applied.clock.move(DELIBERATION_MS)
    await applied.settle()
    assert (await at_op(applied, "chair", "decide"))[1]["code"] == "board-quorum-missing"


async def test_a_returned_application_may_come_again_corrected(applied: Space):
    status, body = await at_op(applied, "secretary", "prescreen", {"complete": False, "reason": "no plan"})
    assert (status, body["state"], body["reason"]) == (200, "returned", "no plan")
    answer = await apply(applied, question="a plan")
    assert (answer.body["state"], answer.body["round"]) == ("pre-screen", 2)


# ---- row 7


async def test_four_of_four_with_one_recused_become_a_permit_for_the_columns_only(permitted: Space):
    op = permitted["op"]
    for name in ("h01", "h03", "a02", "p01"):
        node = permitted[name]
        row = await node.read(lambda session: permit_for(session, STUDY))
        assert [one["columns"] for one in row.fields["datasets"]] == [["age", "sex"], ["age"]]
        assert row.fields["until"] - row.fields["from"] == DAYS_90
        assert node.rights.demand().permit_state(row.id) == "active"
        numbers = recounted(row.decision["body"])
        assert (numbers.seated, numbers.recused, numbers.present, numbers.yes, numbers.cast) == (5, 1, 4, 4, 4)
    assert await permitted["a03"].read(lambda session: permit_for(session, STUDY)) is None
    receipts = await op.read(lambda session: list(session.exec(select(Receipt))))
    subject = receipts[0].envelope["body"]["subject"]
    assert (receipts[0].type, subject["permit"], subject["datasets"]) == ("decision", row.id, ["D-H01-DM", "D-H03-DM"])


async def test_each_vote_is_signed_with_the_members_own_key_and_its_reason(permitted: Space):
    op = permitted["op"]
    _, body = await op.as_person("chair", "GET", f"/api/applications/{STUDY}")
    seats = {seat["member"]: bytes.fromhex(seat["key"]) for seat in body["seats"]}
    assert len(set(seats.values())) == 5
    assert len(body["votes"]) == 4
    for ballot, counted in zip(body["votes"], body["decision"]["body"]["votes"], strict=True):
        member = ballot["body"]["member"]
        keys = {signer(op.did, member): seats[member]}
        assert opened(ballot, "vote", keys, signer(op.did, member))["reason"] == "sound"
        assert counted == {"member": member, "vote": "yes", "digest": digest(ballot)}
    assert body["decision"]["body"]["recused"] == [{"member": "member-4", "why": "same-organisation"}]


async def test_the_recused_members_vote_is_refused(applied: Space):
    await deliberate(applied)
    ballot = {"vote": "yes", "reason": "mine"}
    status, body = await at_op(applied, "member-4", "votes", ballot)
    assert (status, body["code"]) == (403, "recused")
    assert (await at_op(applied, "member-3", "recuse", {"reason": "co-author"}))[0] == 204
    assert (await at_op(applied, "member-3", "votes", ballot))[1]["code"] == "recused"


async def test_a_vote_twice_is_refused(applied: Space):
    await deliberate(applied)
    await vote(applied, "member-1")
    status, body = await at_op(applied, "member-1", "votes", {"vote": "no", "reason": "changed my mind"})
    assert (status, body["code"]) == (409, "voted-already")


async def test_who_is_not_a_member_or_not_in_time_cannot_vote(applied: Space):
    ballot = {"vote": "yes", "reason": "x"}
    assert (await at_op(applied, "member-1", "votes", ballot))[1]["code"] == "not-in-deliberation"
    await deliberate(applied)
    assert (await at_op(applied, "secretary", "votes", ballot))[1]["code"] == "duty-missing"
    assert (await at_op(applied, "member-1", "votes", {"vote": "yes", "reason": ""}))[1]["code"] == "request-invalid"
    assert (await at_op(applied, "member-1", "votes", ballot, study=OTHER))[1]["code"] == "not-found"
    assert (await at_op(applied, "member-1", "decide"))[1]["code"] == "duty-missing"
    await vote(applied, "chair", "member-1")
    status, body = await at_op(applied, "chair", "decide")
    assert (status, body["code"], body["needed"], body["seen"]) == (409, "board-quorum-missing", 3, 2)


async def test_a_board_that_is_not_whole_decides_nothing(applied: Space):
    op = applied["op"]
    for person in ("chair", "member-1", "member-2"):
        seat = {"member": person, "organisation": "x", "external": False}
        assert (await op.as_person("secretary", "POST", "/api/board/seats", seat))[0] == 201
    for person in ("secretary", "stranger"):
        seat = {"member": person, "organisation": "x", "external": False}
        assert (await op.as_person("secretary", "POST", "/api/board/seats", seat))[1]["code"] == "person-unknown"
    await at_op(applied, "secretary", "prescreen", {"complete": True, "reason": "complete"})
    assert (await at_op(applied, "member-4", "votes", {"vote": "yes", "reason": "x"}))[1]["code"] == "not-seated"
    await vote(applied, "chair", "member-1", "member-2")
    assert (await at_op(applied, "chair", "decide"))[1]["code"] == "board-incomplete"


async def test_a_no_is_a_decision_too(applied: Space):
    await deliberate(applied)
    await vote(applied, "chair", "member-1", choice="yes")
    await vote(applied, "member-2", choice="no")
    await vote(applied, "member-3", choice="abstain")
    status, body = await at_op(applied, "chair", "decide")
    assert (status, body["outcome"], body["permit"]) == (200, "rejected", None)
    assert recounted(body["decision"]["body"]).yes == 2
    answer = await apply(applied)
    assert answer.body["state"] == "rejected"


async def test_a_hospitals_veto_takes_its_dataset_out(members: Space):
    await delegate(members, "h01", "D-H01-DM")
    await delegate(members, "h03", "D-H03-LAB")
    datasets = [
        {"id": "D-H01-DM", "provider": members["h01"].did, "columns": ["age"]},
        {"id": "D-H03-LAB", "provider": members["h03"].did, "columns": ["hba1c"]},
    ]
    assert (await apply(members, datasets=datasets)).status == 201
    veto = {"application": STUDY, "dataset": "D-H03-LAB", "reason": "k >= 5 leaves nothing"}
    assert (await members["h01"].as_person("steward", "POST", "/api/vetoes", veto))[1]["code"] == "not-found"
    assert (await members["h03"].as_person("steward", "POST", "/api/vetoes", veto))[0] == 201
    await deliberate(members)
    await vote(members, "chair", "member-1", "member-2")
    status, body = await at_op(members, "chair", "decide")
    assert (status, body["outcome"]) == (200, "approved")
    assert [one["id"] for one in body["permit"]["fields"]["datasets"]] == ["D-H01-DM"]
    assert body["decision"]["body"]["vetoed"] == [{"dataset": "D-H03-LAB", "why": "k >= 5 leaves nothing"}]
    await members.settle()
    assert await members["h03"].read(lambda session: permit_for(session, STUDY)) is None


async def test_nothing_is_permitted_when_every_dataset_is_vetoed(members: Space):
    await delegate(members, "h03", "D-H03-LAB")
    datasets = [{"id": "D-H03-LAB", "provider": members["h03"].did, "columns": ["hba1c"]}]
    assert (await apply(members, datasets=datasets)).status == 201
    await deliberate(members)
    veto = {"application": STUDY, "dataset": "D-H03-LAB", "reason": "count service only"}
    assert (await members["h03"].as_person("steward", "POST", "/api/vetoes", veto))[0] == 201
    await vote(members, "chair", "member-1", "member-2")
    status, body = await at_op(members, "chair", "decide")
    assert (status, body["code"]) == (403, "veto")
    assert (await at_op(members, "chair", "return", {"reason": "vetoed"}))[1]["state"] == "returned"


async def test_a_veto_after_the_decision_comes_too_late(permitted: Space):
    veto = {"application": STUDY, "dataset": "D-H03-DM", "reason": "late"}
    status, body = await permitted["h03"].as_person("steward", "POST", "/api/vetoes", veto)
    assert (status, body["code"]) == (409, "board-step-refused")


async def test_a_hospital_keeps_no_permit_for_what_it_never_delegated(permitted: Space):
    op, h01 = permitted["op"], permitted["h01"]
    row = await op.read(lambda session: session.exec(select(PermitIssued)).one())
    kept = await h01.read(lambda session: session.get(PermitRow, row.id))
    message = {"permit": kept.jws, "decision": kept.decision}
    url = f"{h01.runtime.settings.url}/permits"
    assert (await permitted.wire.request("POST", url, json=message)).status == 204  # again: nothing changes
    tampered = {**message, "permit": kept.jws[:-4] + "AAAA"}
    assert (await permitted.wire.request("POST", url, json=tampered)).body["code"] == "permit-invalid"
    other = signed({**kept.decision["body"], "at": 1}, op.did, op.runtime.keys.sign)
    answer = await permitted.wire.request("POST", url, json={**message, "decision": other})
    assert answer.body["code"] == "permit-invalid"
    answer = await permitted.wire.request("POST", f"{permitted['a03'].runtime.settings.url}/permits", json=message)
    assert answer.body["code"] == "permit-elsewhere"


# ---- row 18


async def test_the_applicants_close_ends_the_permit_everywhere(permitted: Space):
    a02, op = permitted["a02"], permitted["op"]
    row = await a02.read(lambda session: permit_for(session, STUDY))
    url = f"{op.runtime.settings.url}/applications/{STUDY}/close"
    assert (await ask(permitted["a03"].runtime, "POST", url, op.did)).body["code"] == "not-found"
    assert (await ask(a02.runtime, "POST", url, op.did)).body["state"] == "closed"
    assert (await ask(a02.runtime, "POST", url, op.did)).body["state"] == "closed"
    await permitted.settle()
    for node in permitted.nodes.values():
        assert node.rights.demand().permit_state(row.id) == "ended"


async def test_an_undecided_application_is_withdrawn(applied: Space):
    a02, op = applied["a02"], applied["op"]
    answer = await ask(a02.runtime, "POST", f"{op.runtime.settings.url}/applications/{STUDY}/close", op.did)
    assert answer.body["state"] == "withdrawn"


async def test_a_permit_of_fifteen_seconds_runs_out_by_itself(applied: Space):
    await deliberate(applied)
    assert (await apply(applied, id=OTHER, period_ms=15_000)).status == 201
    assert (await at_op(applied, "secretary", "prescreen", {"complete": True, "reason": "x"}, OTHER))[0] == 200
    await vote(applied, "chair", "member-1", "member-2", study=OTHER)
    _, body = await at_op(applied, "chair", "decide", study=OTHER)
    await applied.settle()
    permit = body["permit"]["id"]
    assert applied["p01"].rights.demand().permit_state(permit) == "active"
    applied.clock.move(15_000)
    await applied.settle()
    assert applied["p01"].rights.demand().permit_state(permit) == "ended"


async def test_a_permit_is_suspended_resumed_and_ended_by_the_chair(permitted: Space):
    row = await permitted["h01"].read(lambda session: permit_for(session, STUDY))
    why = {"reason": "incident"}
    assert (await at_op(permitted, "member-1", "suspend", why))[1]["code"] == "duty-missing"
    for command, state in (("suspend", "suspended"), ("resume", "active"), ("end", "ended")):
        assert (await at_op(permitted, "chair", command, why))[1]["state"] == state
        await permitted.settle()
        assert permitted["h01"].rights.demand().permit_state(row.id) == state
    assert (await at_op(permitted, "chair", "resume", why))[1]["code"] == "board-step-refused"


async def test_everything_survives_a_restart_in_the_middle(applied: Space):
    await deliberate(applied)
    await vote(applied, "chair", "member-1", "member-2")
    applied.wire.down |= {"localhost:7101", "localhost:7103"}
    assert (await at_op(applied, "chair", "decide"))[0] == 200
    await applied.restart("op")
    await applied.restart("h01")
    applied.wire.down.clear()
    applied.clock.move(90_000)
    await applied.settle()
    assert await applied["h01"].read(lambda session: permit_for(session, STUDY)) is not None
    assert await applied["a02"].read(lambda session: permit_for(session, STUDY)) is not None
    receipts = await applied["op"].read(lambda session: list(session.exec(select(Receipt))))
    assert len(receipts) == 1


async def test_what_the_journal_says_has_words(permitted: Space):
    for node in permitted.nodes.values():
        rows = await node.read(lambda session: list(session.exec(select(Entry))))
        assert not [row.kind for row in rows if not known(f"journal.{row.kind}")]
