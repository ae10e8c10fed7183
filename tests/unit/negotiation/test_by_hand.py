"""A person in the middle: offers that wait, counter-offers of both sides, offers that nobody asked for, reasons."""

import copy
from typing import Any

import pytest

from connector.evidence.model import Receipt
from connector.identity.service import ask
from connector.negotiation import consumer, core, hands
from connector.negotiation.model import Agreement, Negotiation
from tests.unit.negotiation.conftest import STUDY, Space, did, url
from vocab.messages import negotiation as messages
from vocab.odrl.offer import research_offer, with_target

OFFER = research_offer("offer-h01", zone=did("p01"), disease="E10-E14")
DSP = "/dsp/2025-1"


def jobs(count: int, offer_id: str = "offer-h01") -> dict[str, Any]:
    """The offer with another number of tasks."""
    offer = copy.deepcopy(OFFER)
    offer["permission"][0]["constraint"][10]["rightOperand"] = str(count)
    return {**offer, "@id": offer_id}


async def rule(space: Space, node: str, person: str, when: str, **more: str) -> None:
    status, _ = await space[node].call(person, "PUT", "/api/approvals", {"when": when, **more})
    assert status == 200


async def begin(space: Space, offer: dict[str, Any] | None = None) -> str:
    wanted = {"provider": did("h01"), "dataset": "D-H01-DM", "study": STUDY}
    row = await consumer.start(space["a02"].runtime, "pi", **wanted, offer=offer)
    await space.settle()
    return row.id


async def states(space: Space) -> tuple[str, str]:
    """As the hospital and as the company see the one negotiation."""
    (theirs,), (ours,) = await space["h01"].rows(Negotiation), await space["a02"].rows(Negotiation)
    return theirs.state, ours.state


async def pid_at(space: Space, node: str) -> str:
    (row,) = await space[node].rows(Negotiation)
    return str(row.id)


async def do(space: Space, node: str, person: str, step: str, body: Any = None) -> tuple[int, Any]:
    answer = await space[node].call(person, "POST", f"/api/negotiations/{await pid_at(space, node)}/{step}", body)
    await space.settle()
    return answer


async def test_a_counter_offer_goes_from_person_to_person_and_is_what_both_agree_on(space: Space) -> None:
    await rule(space, "h01", "steward", "changes")
    await rule(space, "a02", "pi", "changes", peer=did("h01"))
    pid = await begin(space, jobs(30))
    assert await states(space) == ("REQUESTED", "REQUESTED")
    _, seen = await space["h01"].call("steward", "GET", f"/api/negotiations/{await pid_at(space, 'h01')}")
    assert seen["waits"] is True
    assert [(one["was"], one["is"]) for one in seen["differences"]] == [
        ("med:jobCount lteq 20", "med:jobCount lteq 30")
    ]
    assert (await do(space, "h01", "steward", "offer", {"offer": jobs(25, "counter-1")}))[0] == 200
    assert await states(space) == ("OFFERED", "OFFERED")
    _, seen = await space["a02"].call("pi", "GET", f"/api/negotiations/{pid}")
    assert seen["differences"] == [
        {"path": "permission-1.med:jobCount", "was": "med:jobCount lteq 30", "is": "med:jobCount lteq 25"}
    ]
    await do(space, "a02", "pi", "acceptance")
    assert await states(space) == ("FINALIZED", "FINALIZED")
    (theirs,), (ours,) = await space["h01"].rows(Agreement), await space["a02"].rows(Agreement)
    assert theirs.document == ours.document
    assert (theirs.offer, theirs.offer_digest) == (ours.offer, ours.offer_digest)
    assert theirs.document["permission"] == jobs(25)["permission"]
    (receipt,) = await space["h01"].rows(Receipt)
    assert receipt.envelope["body"]["subject"]["offer"] == theirs.offer_digest


async def test_the_company_counters_and_the_hospital_agrees_to_its_clauses(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await rule(space, "a02", "pi", "offers")
    await begin(space)
    await do(space, "h01", "steward", "offer")
    assert await states(space) == ("OFFERED", "OFFERED")
    await do(space, "a02", "pi", "counter-offer", {"offer": jobs(12, "ours-1")})
    assert await states(space) == ("REQUESTED", "REQUESTED")
    await do(space, "h01", "steward", "agreement")
    assert await states(space) == ("FINALIZED", "FINALIZED")
    (theirs,) = await space["h01"].rows(Agreement)
    assert theirs.document["permission"] == jobs(12)["permission"]


async def test_a_counter_request_that_asks_for_what_was_offered_needs_nobody(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await rule(space, "a02", "pi", "offers")
    await begin(space)
    await do(space, "h01", "steward", "offer", {"offer": jobs(15, "counter-1")})
    await rule(space, "h01", "steward", "changes")
    await do(space, "a02", "pi", "counter-offer", {"offer": jobs(15, "counter-1")})
    assert await states(space) == ("FINALIZED", "FINALIZED")


async def test_a_counter_request_that_nobody_looks_at_ends_with_the_clauses(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await rule(space, "a02", "pi", "offers")
    await begin(space)
    await do(space, "h01", "steward", "offer")
    assert (await space["h01"].call("steward", "PUT", "/api/approvals", {}))[1] == []
    await do(space, "a02", "pi", "counter-offer", {"offer": jobs(99, "ours-1")})
    (ours,) = await space["a02"].rows(Negotiation)
    assert (ours.state, ours.code) == ("TERMINATED", "offer-changed")
    assert "lteq 99" in ours.seen


async def test_an_offer_that_nobody_asked_for_is_accepted_by_a_person_under_the_permit(space: Space) -> None:
    runtime = space["h01"].runtime
    await hands.offer_first(runtime, "steward", consumer=did("a02"), dataset="D-H01-DM", study=STUDY)
    await space.settle()
    assert await states(space) == ("OFFERED", "OFFERED")
    (ours,) = await space["a02"].rows(Negotiation)
    assert (ours.waits, ours.side) == (True, "consumer")
    status, answer = await do(space, "a02", "pi", "acceptance")
    assert (status, answer["state"]) == (200, "ACCEPTED")
    assert await states(space) == ("FINALIZED", "FINALIZED")
    (agreement,) = await space["a02"].rows(Agreement)
    assert (agreement.study, agreement.permit) == (STUDY, (await space["h01"].rows(Agreement))[0].permit)


async def test_an_unasked_offer_can_be_countered_by_the_company(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await hands.offer_first(
        space["h01"].runtime, "steward", consumer=did("a02"), dataset="D-H01-DM", offer=jobs(5, "first"), study=STUDY
    )
    await space.settle()
    await do(space, "a02", "pi", "counter-offer", {"offer": jobs(8, "ours")})
    assert await states(space) == ("REQUESTED", "REQUESTED")
    await do(space, "h01", "steward", "agreement")
    assert await states(space) == ("FINALIZED", "FINALIZED")


async def test_a_company_without_a_permit_cannot_accept_what_it_was_offered(space: Space) -> None:
    await hands.offer_first(space["h01"].runtime, "steward", consumer=did("a03"), dataset="D-H01-DM")
    await space.settle()
    status, answer = await do(space, "a03", "pi", "acceptance")
    assert (status, answer["code"]) == (403, "no-permit")
    (row,) = await space["a03"].rows(Negotiation)
    assert row.state == "OFFERED"


async def test_an_unasked_offer_sent_twice_is_one_and_many_of_them_are_refused(space: Space) -> None:
    callback = f"{url('h01')}{DSP}"
    target = f"{url('a02')}{DSP}/negotiations/offers"

    async def send(pid: str) -> Any:
        message = messages.first_offer(pid, callback, with_target(OFFER, "D-H01-DM"), study=None)
        return await ask(space["h01"].runtime, "POST", target, did("a02"), json=message)

    first, again = await send("p-1"), await send("p-1")
    assert (first.status, again.status) == (201, 201)
    assert first.body["consumerPid"] == again.body["consumerPid"]
    assert first.body["state"] == "OFFERED"
    for number in range(2, consumer.MOST_UNASKED + 1):
        assert (await send(f"p-{number}")).status == 201
    assert len(await space["a02"].rows(Negotiation)) == consumer.MOST_UNASKED
    with pytest.raises(Exception, match="503"):
        await send("p-last")


async def test_an_unasked_offer_from_a_foreign_address_is_refused(space: Space) -> None:
    message = messages.first_offer("p-1", f"{url('h03')}{DSP}", with_target(OFFER, "D-H01-DM"), study=None)
    target = f"{url('a02')}{DSP}/negotiations/offers"
    answer = await ask(space["h01"].runtime, "POST", target, did("a02"), json=message)
    assert (answer.status, answer.body["code"]) == (400, "callback-foreign")
    assert await space["a02"].rows(Negotiation) == []


STEPS = [
    ("REQUESTED", []),
    ("OFFERED", [("h01", "steward", "offer")]),
    ("ACCEPTED", [("h01", "steward", "offer"), ("a02", "pi", "acceptance")]),
    ("AGREED", [("h01", "steward", "agreement")]),
    ("VERIFIED", [("h01", "steward", "agreement"), ("a02", "pi", "verification")]),
]


@pytest.mark.parametrize("who", [("h01", "steward"), ("a02", "pi")], ids=["hospital", "company"])
@pytest.mark.parametrize(("state", "steps"), STEPS, ids=[state for state, _ in STEPS])
async def test_either_side_ends_it_at_every_step_and_its_reason_arrives(
    space: Space, state: str, steps: Any, who: tuple[str, str]
) -> None:
    await rule(space, "h01", "steward", "steps")
    await rule(space, "a02", "pi", "steps")
    await begin(space)
    for node, person, step in steps:
        status, answer = await do(space, node, person, step, {} if step == "offer" else None)
        assert status == 200, answer
    assert await states(space) == (state, state)
    status, _ = await do(space, *who, "termination", {"reason": "병원 사정입니다 / for our own reasons"})
    assert status == 200
    assert await states(space) == ("TERMINATED", "TERMINATED")
    for node in ("h01", "a02"):
        (row,) = await space[node].rows(Negotiation)
        assert (row.code, row.waits) == ("ended-by-person", False)
        assert row.reason.startswith("병원 사정입니다 / for our own reasons")
    assert {one.state for node in ("h01", "a02") for one in await space[node].rows(Agreement)} <= {"VOID"}


async def test_every_step_waits_and_goes_on_only_by_hand(space: Space) -> None:
    await rule(space, "h01", "steward", "steps")
    await rule(space, "a02", "pi", "steps")
    await begin(space)
    for node, person, step, state in (
        ("h01", "steward", "agreement", "AGREED"),
        ("a02", "pi", "verification", "VERIFIED"),
        ("h01", "steward", "finalisation", "FINALIZED"),
    ):
        status, answer = await do(space, node, person, step)
        assert (status, answer["state"]) == (200, state)
        assert await states(space) == (state, state)


@pytest.mark.parametrize(
    ("node", "person", "step"),
    [
        ("h01", "steward", "finalisation"),
        ("h01", "steward", "acceptance"),
        ("h01", "pi", "verification"),
        ("a02", "pi", "acceptance"),
        ("a02", "pi", "verification"),
        ("a02", "steward", "agreement"),
    ],
)
async def test_a_step_out_of_turn_or_of_the_other_side_is_refused(
    space: Space, node: str, person: str, step: str
) -> None:
    await rule(space, "h01", "steward", "offers")
    await begin(space)
    status, answer = await do(space, node, person, step)
    assert status in (403, 409), answer
    assert await states(space) == ("REQUESTED", "REQUESTED")


async def test_an_offer_that_nobody_could_meet_does_not_leave_the_house(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await begin(space)
    status, answer = await do(space, "h01", "steward", "offer", {"offer": jobs(0, "counter-1")})
    assert (status, answer["code"]) == (400, "offer-unsatisfiable")
    assert await states(space) == ("REQUESTED", "REQUESTED")


async def test_a_lost_answer_to_a_counter_offer_changes_nothing(space: Space) -> None:
    """The message arrived and its answer did not: it is sent again under its id and takes effect once."""
    await rule(space, "h01", "steward", "offers")
    await rule(space, "a02", "pi", "offers")
    await begin(space)
    space.wire.lose.append("/offers")
    await do(space, "h01", "steward", "offer")
    await space.retry()
    assert await states(space) == ("OFFERED", "OFFERED")
    await do(space, "a02", "pi", "acceptance")
    assert await states(space) == ("FINALIZED", "FINALIZED")


@pytest.mark.parametrize("node", ["h01", "a02"])
async def test_what_nobody_decides_in_time_ends_on_both_sides(space: Space, node: str) -> None:
    await rule(space, "h01", "steward", "offers")
    await rule(space, "a02", "pi", "offers")
    await begin(space)
    if node == "a02":  # then the company is the one that is waited for
        await do(space, "h01", "steward", "offer")
    space.clock.move(core.WAITS - 60_000)
    await space.settle()
    assert "TERMINATED" not in await states(space)
    space.clock.move(120_000)
    await space.settle()
    assert await states(space) == ("TERMINATED", "TERMINATED")
    for one in ("h01", "a02"):
        (row,) = await space[one].rows(Negotiation)
        assert (row.code, row.waits) == ("waited-too-long", False)


async def test_a_decision_in_time_is_not_undone_by_the_deadline(space: Space) -> None:
    await rule(space, "h01", "steward", "offers")
    await begin(space)
    await do(space, "h01", "steward", "agreement")
    assert await states(space) == ("FINALIZED", "FINALIZED")
    space.clock.move(core.WAITS + 60_000)
    await space.settle()
    assert await states(space) == ("FINALIZED", "FINALIZED")
