"""The standing list: who is in it, who may change it, and that nobody can bring an older or a forged one."""

import pytest
from governance_nodes import Space, member
from sqlmodel import select

from connector.evidence.model import Entry
from connector.identity.service import Members, ask
from connector.kit.outbox import Promise
from connector.rights.lease import GRACE, LeaseState, lease
from connector.rights.model import StandingRow
from governance.members.standing import RENEW, RENEWAL
from governance.members.states import TRANSITIONS, Command, State, after
from vocab.errors import Refusal
from vocab.records.envelope import signed
from vocab.tlog.note import key


@pytest.mark.parametrize(
    ("state", "command"), [(s, c) for s in (None, *State) for c in Command if (s, c) not in TRANSITIONS]
)
def test_what_the_table_does_not_name_is_refused(state, command):
    with pytest.raises(Refusal, match="member-command-refused"):
        after(state, command, "did:web:x")


def test_an_ended_membership_stays_ended():
    assert not [pair for pair in TRANSITIONS if pair[0] is State.ENDED]


async def test_the_operator_is_the_first_member_and_leans_on_its_own_list(space: Space):
    standing = space["op"].rights.standing
    assert standing is not None
    assert [one.did for one in standing.members] == [space["op"].did]
    assert standing.release.startswith("sha256:")


async def test_an_admitted_node_is_in_everybodys_list_with_the_keys_of_its_document(members: Space):
    h01 = members["h01"]
    for node in members.nodes.values():
        standing = node.rights.demand()
        found = standing.member(h01.did)
        assert found is not None
        assert standing.keys[h01.did] == h01.runtime.keys.public("receipt")
        assert node.runtime.get(Members).tokens[h01.did] == h01.runtime.keys.public("token")
        assert key(found.vkey).name == "localhost:7101/w"
        assert key(found.vkey).public == h01.runtime.keys.public("witness")
    assert members["a02"].rights.demand().zone(members["p01"].did) is not None
    assert members["a02"].rights.demand().zone(members["h01"].did) is None


async def test_an_unreachable_participant_stays_invited_and_is_admitted_when_asked_again(space: Space):
    op, h01 = space["op"], space["h01"]
    space.wire.down.add("localhost:7101")
    status, body = await op.as_person("admin", "POST", "/api/members", member(h01))
    assert (status, body["code"]) == (503, "member-unreachable")
    _, rows = await op.as_person("admin", "GET", "/api/members")
    assert [row["state"] for row in rows if row["did"] == h01.did] == ["invited"]
    assert op.rights.demand().member(h01.did) is None
    space.wire.down.clear()
    assert (await op.as_person("admin", "POST", "/api/members", member(h01)))[0] == 201
    assert (await op.as_person("admin", "POST", "/api/members", member(h01)))[1]["code"] == "member-exists"


async def test_a_document_of_somebody_else_admits_nobody(space: Space):
    op = space["op"]
    space.wire.apps["localhost:7101"] = space["h03"].app
    status, body = await op.as_person("admin", "POST", "/api/members", member(space["h01"]))
    assert (status, body["code"]) == (400, "did-invalid")
    assert op.rights.demand().member(space["h01"].did) is None


async def test_only_an_admin_admits(space: Space):
    status, body = await space["op"].as_person("secretary", "POST", "/api/members", member(space["h01"]))
    assert (status, body["code"]) == (403, "duty-missing")
    status, body = await space["op"].as_person("admin", "POST", "/api/members", {**member(space["h01"]), "extra": 1})
    assert (status, body["code"]) == (422, "request-invalid")


async def test_a_lower_number_is_refused_and_changes_nothing(members: Space):
    a02 = members["a02"]
    rows = await a02.read(lambda session: list(session.exec(select(StandingRow).order_by(StandingRow.seq))))
    first, newest = rows[0], rows[-1]
    assert first.seq < newest.seq
    answer = await members.wire.request("POST", f"{a02.runtime.settings.url}/standing", json=first.envelope)
    assert (answer.status, answer.body["code"]) == (409, "standing-rolled-back")
    assert a02.rights.demand().seq == newest.seq
    again = await members.wire.request("POST", f"{a02.runtime.settings.url}/standing", json=newest.envelope)
    assert again.status == 204


async def test_a_forged_list_is_refused(members: Space):
    a02, a03 = members["a02"], members["a03"]
    row = (await a02.read(lambda session: list(session.exec(select(StandingRow)))))[-1]
    body = {**row.envelope["body"], "seq": 1000}
    forged = [
        ({**row.envelope, "body": body}, "signature-invalid"),
        (signed(body, a03.did, a03.runtime.keys.sign), "signature-invalid"),
        (signed(body, a02.rights.demand().operator, a03.runtime.keys.sign), "signature-invalid"),
        ({**row.envelope, "suite": "none"}, "envelope-invalid"),
        ({}, "envelope-invalid"),
    ]
    for envelope, code in forged:
        answer = await members.wire.request("POST", f"{a02.runtime.settings.url}/standing", json=envelope)
        assert answer.body["code"] == code
    assert a02.rights.demand().seq < 1000


async def test_two_lists_with_one_number_are_noticed(members: Space):
    op, a02 = members["op"], members["a02"]
    row = (await a02.read(lambda session: list(session.exec(select(StandingRow)))))[-1]
    other = signed({**row.envelope["body"], "lease_seconds": 3600}, op.did, op.runtime.keys.sign)
    answer = await members.wire.request("POST", f"{a02.runtime.settings.url}/standing", json=other)
    assert (answer.status, answer.body["code"]) == (409, "standing-forked")


async def test_a_list_with_an_unknown_member_or_another_operator_is_refused(members: Space):
    op, a02 = members["op"], members["a02"]
    row = (await a02.read(lambda session: list(session.exec(select(StandingRow)))))[-1]
    for change in ({"surprise": 1}, {"operator": a02.did}, {"members": []}, {"seq": "7"}):
        body = {**row.envelope["body"], "seq": 99, **change}
        envelope = signed(body, op.did, op.runtime.keys.sign)
        answer = await members.wire.request("POST", f"{a02.runtime.settings.url}/standing", json=envelope)
        assert answer.body["code"] == "standing-invalid", change


async def test_a_restarted_node_knows_its_list_before_anything_runs(members: Space):
    seq = members["a02"].rights.demand().seq
    members.wire.down.add("localhost:7100")
    again = await members.restart("a02")
    assert again.rights.demand().seq == seq
    assert again.runtime.get(Members).tokens == again.rights.demand().tokens


async def test_a_suspended_member_can_speak_to_nobody_until_reinstated(members: Space):
    op, a02, h01 = members["op"], members["a02"], members["h01"]
    change = {"did": a02.did, "reason": "audit"}
    assert (await op.as_person("admin", "POST", "/api/members/suspend", change))[0] == 200
    await members.settle()
    assert not h01.rights.demand().active(a02.did)
    assert a02.did in h01.rights.demand().keys
    answer = await ask(a02.runtime, "GET", f"{op.runtime.settings.url}/standing", op.did)
    assert answer.body["code"] == "not-a-member"
    assert (await op.as_person("admin", "POST", "/api/members/reinstate", change))[0] == 200
    answer = await ask(a02.runtime, "GET", f"{op.runtime.settings.url}/standing", op.did)
    assert answer.ok
    status, body = await op.as_person("admin", "POST", "/api/members/suspend", {"did": op.did, "reason": "no"})
    assert (status, body["code"]) == (409, "operator-stays")


async def test_a_node_that_was_away_sweeps_the_newest_list(members: Space):
    op, h03 = members["op"], members["h03"]
    members.wire.down.add("localhost:7102")
    await op.as_person("admin", "POST", "/api/reviewers", {"id": "r-1", "organisation": "x"})
    await members.settle()
    assert not h03.rights.demand().reviewers
    members.wire.down.clear()
    members.clock.move(300_001)
    await members.settle()
    assert [one.id for one in h03.rights.demand().reviewers] == ["r-1"]
    assert h03.rights.contact == members.clock.ticks


async def test_the_list_is_signed_anew_before_it_is_out_of_date(members: Space):
    a02 = members["a02"]
    before = a02.rights.demand()
    members.clock.move(RENEW)
    await members.settle()
    after_renewal = a02.rights.demand()
    assert after_renewal.seq == before.seq + 1
    assert after_renewal.fresh(members.clock.at + RENEW)
    assert not before.fresh(before.valid_until)
    assert not before.fresh(before.at - 3_600_000)


async def test_one_renewal_waits_and_a_newer_list_moves_it(members: Space):
    op = members["op"]

    async def renewals() -> list[int]:
        rows = await op.read(lambda session: session.exec(select(Promise).where(Promise.kind == RENEWAL)).all())
        return [row.due_at for row in rows if row.state == "waiting"]

    (before,) = await renewals()
    members.clock.move(60_000)
    await op.as_person("admin", "POST", "/api/reviewers", {"id": "r-1", "organisation": "x"})
    (moved,) = await renewals()
    assert moved == members.clock.at + RENEW > before
    members.clock.move(RENEW)
    await members.settle()
    assert await renewals() == [members.clock.at + RENEW]


async def test_what_was_done_is_in_the_journal_with_words(members: Space):
    kinds = {row.kind for row in await members["op"].read(lambda session: list(session.exec(select(Entry))))}
    assert {"member-invited", "member-admitted", "standing-signed"} <= kinds


@pytest.mark.parametrize(
    ("silence", "state"),
    [
        (0, LeaseState.RUNNING),
        (59.9, LeaseState.RUNNING),
        (60, LeaseState.FROZEN),
        (60 + GRACE - 0.1, LeaseState.FROZEN),
        (60 + GRACE, LeaseState.KILL),
        (-5, LeaseState.RUNNING),
    ],
)
def test_a_lease_runs_freezes_and_dies_by_silence_alone(silence, state):
    found = lease(1000.0, 60, 1000.0 + silence)
    assert found.state is state
    assert (found.seconds == 0) == (state is LeaseState.KILL)
    if state is not LeaseState.KILL:
        assert lease(1000.0, 60, 1000.0 + max(silence, 0) + found.seconds).state is not state


def test_without_a_word_from_the_operator_nothing_runs():
    assert lease(None, 60, 5.0).state is LeaseState.KILL
