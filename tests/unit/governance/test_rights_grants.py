"""What leans on a right stops when the right ends, wherever it runs, and only that."""

import uuid
from dataclasses import replace

import pytest
from governance_nodes import NOW, Node, Space
from sqlmodel import select

from connector.evidence.model import Entry
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Promise, waiting
from connector.rights import facts
from connector.rights.model import Grant, PermitRow
from connector.rights.service import Ended, end_grant, grant, held, permit_for, right_ended
from governance.boards.permits import es256
from governance.boards.rules import Seat, counted
from governance.members.service import set_permit
from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import research_offer, with_target
from vocab.records.envelope import digest, signed
from vocab.records.permit import Covered, Permit, issued

HOUR = 3_600_000


def decided(space: Space, study: str) -> dict:
    """A decision as the operator's board would sign it."""
    seats = [Seat(f"m{place}", "x", place > 2) for place in range(5)]
    votes = {"m0": "yes", "m1": "yes", "m3": "yes"}
    body = {
        "type": "decision",
        "application": study,
        "outcome": "approved",
        "rule_set": "kr-2025-12",
        "seated": [{"member": seat.member, "external": seat.external} for seat in seats],
        "recused": [],
        "votes": [{"member": member, "vote": vote} for member, vote in votes.items()],
        "arithmetic": counted(seats, [], votes).to_json(),
        "at": NOW,
    }
    op = space["op"]
    return signed(body, op.did, op.runtime.keys.sign)


def drawn(space: Space, decision: dict, study: str, **change) -> Permit:
    found = Permit(
        id=uuid.uuid4().urn,
        issuer=space["op"].did,
        study=study,
        applicant=space["a02"].did,
        datasets=(Covered("D-H01-DM", space["h01"].did, ("age",)),),
        purpose="https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateMedicalDevicesAlgorithms",
        legal_purpose="https://w3id.org/dure/kr#scientificResearch",
        disease=("E11",),
        code_digests=("sha256:" + "0" * 64,),
        image_digests=("sha256:" + "1" * 64,),
        zone=space["p01"].did,
        begins=NOW,
        until=NOW + HOUR,
        irb_decision="approved",
        irb_until=NOW + 2 * HOUR,
        drb="approved",
        outcome_reward=0,
        max_jobs=20,
        decision_digest=digest(decision["body"]),
    )
    return replace(found, **change)


async def bring(space: Space, node: Node, permit: Permit, decision: dict):
    op = space["op"]
    message = {"permit": issued(permit, es256(op.runtime.keys.token)), "decision": decision}
    return await space.wire.exchange("POST", f"{node.runtime.settings.url}/permits", message, {})


async def state(space: Space, **permits: str) -> None:
    """The operator says something of permits in its next standing list."""
    op = space["op"]

    def say(unit: Unit) -> None:
        for permit, said in permits.items():
            set_permit(unit, op.runtime, permit, "urn:uuid:study", said)

    await op.runtime.store.run(say)
    await space.settle()


@pytest.fixture
async def stopped(members: Space) -> list[str]:
    """The zone's tasks that were stopped, with the reason."""
    found: list[str] = []

    async def stop(row: Promise):
        found.append(f"{row.payload['id']} {row.payload['why']}")

    members["p01"].runtime.outbox.handlers["stop:task"] = Handler(stop)
    return found


async def started(space: Space, task: str, permit: Permit, *, stage: str = "negotiate", more=()) -> Grant:
    """A task runs at the zone under `permit`, as its room would note it."""
    p01 = space["p01"]
    standing = p01.rights.demand()
    row = await p01.read(lambda session: session.get(PermitRow, permit.id))
    offer = research_offer("urn:uuid:offer", zone=p01.did, disease="E10-E14")
    policy = normalise(with_target(offer, "D-H01-DM"))
    known = {
        "party": facts.party(standing, permit.applicant),
        "permit": facts.permit(row, standing),
        "dataset": {"id": "D-H01-DM"},
    }
    return await p01.runtime.store.run(
        lambda unit: grant(
            unit,
            kind="task",
            id=task,
            study=permit.study,
            parties=[permit.applicant, *more],
            revision=standing.release,
            valid_until=permit.until,
            now=space.clock.at,
            permit=permit.id,
            snapshot=f"snapshot of {task}",
            leans={"gate": stage, "policy": policy.to_json(), "request": {"action": terms.USE}, "facts": known},
        )
    )


async def grants_of(node: Node) -> dict[str, str]:
    rows = await node.read(lambda session: list(session.exec(select(Grant))))
    return {row.id: row.state for row in rows}


@pytest.fixture
async def two(members: Space) -> tuple[Permit, Permit]:
    """Two permits in force at the zone."""
    found = []
    for _ in range(2):
        study = uuid.uuid4().urn
        decision = decided(members, study)
        permit = drawn(members, decision, study)
        assert (await bring(members, members["p01"], permit, decision)).status == 204
        found.append(permit)
    await state(members, **{permit.id: "active" for permit in found})
    return found[0], found[1]


@pytest.mark.parametrize(("said", "why"), [("suspended", "permit-suspended"), ("ended", "expired")])
async def test_a_permit_that_ends_stops_its_task_and_no_other(members: Space, two, stopped, said, why):
    await started(members, "t1", two[0])
    await started(members, "t2", two[1])
    await state(members, **{two[0].id: said})
    await members.settle()
    assert stopped == [f"t1 {why}"]
    assert await grants_of(members["p01"]) == {"t1": "ended", "t2": "running"}
    rows = await members["p01"].read(lambda session: list(session.exec(select(Entry))))
    assert [row.values["why"] for row in rows if row.kind == "right-ended"] == [why]


async def test_a_permit_runs_out_though_the_operator_is_silent(members: Space, two, stopped):
    await started(members, "t1", two[0])
    members.wire.down.add("localhost:7100")
    members.clock.move(HOUR - 1)
    await members.settle()
    assert stopped == []
    members.clock.move(1)
    await members.settle()
    assert stopped == ["t1 expired"]


@pytest.mark.parametrize("who", ["a02", "h01"])
async def test_a_suspended_member_stops_whatever_leaned_on_it(members: Space, two, stopped, who):
    await started(members, "t1", two[0], more=[members["h01"].did])
    change = {"did": members[who].did, "reason": "audit"}
    assert (await members["op"].as_person("admin", "POST", "/api/members/suspend", change))[0] == 200
    await members.settle()
    assert stopped == ["t1 not-a-member"]


async def test_what_hold_allows_goes_on(members: Space, two):
    p01 = members["p01"]
    await started(members, "t1", two[0])
    standing, ended = p01.rights.demand(), Ended("expired", permit=two[0].id)
    verdicts = await p01.read(lambda session: held(p01.runtime, standing, session, ended, members.clock.at))
    assert [(thing, decision.reasons) for thing, decision in verdicts.items()] == [(("task", "t1"), ())]
    go_on = [thing for thing, decision in verdicts.items() if decision.allow]
    await p01.runtime.store.run(
        lambda unit: right_ended(unit, p01.runtime, why="expired", permit=two[0].id, go_on=go_on)
    )
    assert await grants_of(p01) == {"t1": "running"}


async def test_what_hold_cannot_judge_stops(members: Space, two):
    p01 = members["p01"]
    await started(members, "t1", two[0], stage="submit")  # without the facts of that gate
    standing, ended = p01.rights.demand(), Ended("expired", permit=two[0].id)
    verdicts = await p01.read(lambda session: held(p01.runtime, standing, session, ended, members.clock.at))
    assert not verdicts["task", "t1"].allow


async def test_a_stopped_snapshot_stops_what_was_granted_meanwhile_too(members: Space, two, stopped):
    p01 = members["p01"]
    await started(members, "t1", two[0])
    await p01.runtime.store.run(
        lambda unit: right_ended(unit, p01.runtime, why="provider-stopped", snapshot="snapshot of t1")
    )
    await members.settle()
    assert stopped == ["t1 provider-stopped"]


async def test_nothing_is_granted_on_a_right_that_ended_since_the_decision(members: Space, two):
    await state(members, **{two[0].id: "suspended"})
    with pytest.raises(Refusal, match="changed-meanwhile"):
        await started(members, "t1", two[0])
    with pytest.raises(Refusal, match="changed-meanwhile"):
        await started(members, "t2", two[1], more=["did:web:stranger"])
    members.clock.move(HOUR)
    with pytest.raises(Refusal, match="expired"):
        await started(members, "t2", two[1])
    assert await grants_of(members["p01"]) == {}


async def test_a_grant_said_twice_is_one_and_an_ended_one_is_not_stopped(members: Space, two, stopped):
    p01 = members["p01"]
    await started(members, "t1", two[0])
    await started(members, "t1", two[0])
    assert await grants_of(p01) == {"t1": "running"}
    await p01.runtime.store.run(lambda unit: end_grant(unit, kind="task", id="t1", now=members.clock.at))
    await state(members, **{two[0].id: "ended"})
    await members.settle()
    assert stopped == []


async def test_a_new_grant_asks_the_operator_at_once_and_the_lease_is_renewed_often(members: Space, two):
    p01 = members["p01"]
    members.clock.move(120_000)
    await started(members, "t1", two[0])
    await members.settle()
    assert p01.rights.contact == members.clock.ticks
    rows = await p01.read(waiting)
    assert [row.due_at - members.clock.at for row in rows if row.kind == "standing-sweep"] == [20_000]


async def test_a_stop_that_no_room_performs_waits_where_people_see_it(members: Space, two):
    p01 = members["p01"]
    await started(members, "t1", two[0])
    await state(members, **{two[0].id: "ended"})
    for _ in range(200):
        rows = [row for row in await p01.read(waiting) if row.kind == "stop"]
        if rows and rows[0].last_error:
            break
        await members.settle()
    assert rows[0].last_error == "no room here stops task"
    assert await grants_of(p01) == {"t1": "stopping"}


async def test_a_hospital_keeps_no_permit_for_what_it_did_not_delegate_or_vetoed(members: Space):
    h01 = members["h01"]
    study = uuid.uuid4().urn
    decision = decided(members, study)
    permit = drawn(members, decision, study)
    assert (await bring(members, h01, permit, decision)).body["code"] == "not-delegated"
    delegation = {"datasets": ["D-H01-DM"], "until": NOW + HOUR}
    assert (await h01.as_person("steward", "POST", "/api/delegations", delegation))[0] == 201
    assert (await bring(members, h01, permit, decision)).status == 204
    late = drawn(members, decision, study, begins=NOW + HOUR, until=NOW + 2 * HOUR)
    assert (await bring(members, h01, late, decision)).body["code"] == "not-delegated"


async def test_a_permit_whose_decision_does_not_add_up_is_refused(members: Space):
    p01, op = members["p01"], members["op"]
    study = uuid.uuid4().urn
    body = decided(members, study)["body"]
    body = {**body, "arithmetic": {**body["arithmetic"], "yes": 4}}
    decision = signed(body, op.did, op.runtime.keys.sign)
    permit = drawn(members, decision, study)
    assert (await bring(members, p01, permit, decision)).body["code"] == "decision-invalid"
    forged = signed(decided(members, study)["body"], op.did, p01.runtime.keys.sign)
    assert (await bring(members, p01, permit, forged)).body["code"] == "signature-invalid"


async def test_a_permit_before_any_standing_list_waits(space: Space):
    decision = decided(space, "urn:uuid:1")
    answer = await bring(space, space["a02"], drawn(space, decision, "urn:uuid:1"), decision)
    assert (answer.status, answer.body["code"]) == (503, "standing-missing")


async def test_a_permit_the_operator_does_not_list_is_no_permit(members: Space):
    p01 = members["p01"]
    study = uuid.uuid4().urn
    decision = decided(members, study)
    permit = drawn(members, decision, study)
    assert (await bring(members, p01, permit, decision)).status == 204
    row = await p01.read(lambda session: permit_for(session, study, "D-H01-DM"))
    assert facts.permit(row, p01.rights.demand())["state"] == "unlisted"
    assert facts.permit(None, p01.rights.demand()) is None
    assert await p01.read(lambda session: permit_for(session, study, "D-H03-DM")) is None
    with pytest.raises(Refusal, match="changed-meanwhile"):
        await started(members, "t1", permit)


async def test_people_see_standing_permits_and_grants(members: Space, two):
    p01 = members["p01"]
    await started(members, "t1", two[0])
    _, shown = await p01.as_person("operator", "GET", "/api/standing")
    assert (shown["fresh"], shown["lease"]["state"]) == (True, "running")
    _, permits = await p01.as_person("operator", "GET", "/api/permits")
    assert {row["id"]: row["state"] for row in permits} == {permit.id: "active" for permit in two}
    _, first = await p01.as_person("operator", "GET", "/api/permits?limit=1")
    _, second = await p01.as_person("operator", "GET", f"/api/permits?after={first[0]['id']}")
    assert [row["id"] for row in first + second] == sorted(permit.id for permit in two)
    _, grants = await p01.as_person("operator", "GET", "/api/grants")
    assert [(row["kind"], row["id"], row["state"]) for row in grants] == [("task", "t1", "running")]
    status, body = await p01.as_person("operator", "POST", "/api/delegations", {"datasets": ["x"], "until": NOW + 1})
    assert (status, body["code"]) == (403, "duty-missing")
