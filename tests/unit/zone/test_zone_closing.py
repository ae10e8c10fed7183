"""A study's end at the zone: what is destroyed, who says so, and what the certificates hold."""

import copy
from typing import Any

import pytest

from compute.staging.model import StagedObject, Study
from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import document, ended, in_state, submitted, task
from tests.unit.zone.world import PERMIT, STUDY, World, did
from vocab.errors import Refusal
from vocab.records.certificate import check_closing, check_task

Json = dict[str, Any]


async def closed(world: World) -> Json:
    async def look() -> Json | None:
        rows = await world.rows(Study)
        return rows[0].certificate if rows and rows[0].state == "closed" else None

    return dict(await world.eventually(look, "the closing certificate"))


async def countersigned(world: World, kind: str, count: int) -> None:
    async def look() -> bool:
        return len([row for row in await world.authored(kind) if row.state == "complete"]) == count

    await world.eventually(look, f"{count} {kind}")


async def test_a_closed_study_leaves_no_ciphertext_and_every_hospital_countersigns(both: World, engine: Bare) -> None:
    engine.work = lambda *_: {"metrics.json": b"{}"}
    await ended(both, await submitted(both, engine))
    assert (await both.call("a02", "POST", f"/studies/{STUDY}/close", {}))[0] == 202
    found = await closed(both)
    assert found["result"] == "DELETED", found["exceptions"]
    assert {one["sha256"] for one in found["objects"]} == {
        about["sha256"] for one in both.hospitals.values() for _, about in one.parts.values()
    }
    assert not any((both.folder / "p01" / "staging").iterdir())
    assert not any((both.folder / "p01" / "results").iterdir())
    assert found["scan"]["found_before"] == found["scan"]["planted"] > 0
    assert found["scan"]["found"] == 0
    await countersigned(both, "task-certificate", 2)
    await countersigned(both, "closing-certificate", 2)
    assert all(one.certificates for one in both.hospitals.values())
    assert all(row.state == "destroyed" for row in await both.rows(StagedObject))


async def test_after_the_end_nothing_starts_and_nothing_is_staged(both: World, engine: Bare) -> None:
    await both.call("a02", "POST", f"/studies/{STUDY}/close", {})
    await closed(both)
    status, said = await both.call("a02", "POST", "/ga4gh/tes/v1/tasks", document(both, engine))
    assert (status, said["code"]) == (403, "expired")
    hospital = both.hospitals["h01"]
    status, said = await both.call("h01", "POST", "/slots", both.wanted(hospital))
    assert said["code"] == "study-closed"


async def test_closing_stops_what_runs_and_certifies_it(both: World, engine: Bare) -> None:
    engine.hold = True
    running = await submitted(both, engine)
    await in_state(both, running, "RUNNING")
    waiting = await submitted(both, engine)
    await both.call("a02", "POST", f"/studies/{STUDY}/close", {})
    found = await closed(both)
    assert [one["task"] for one in found["tasks"]] == [running]
    assert (await task(both, running))["state"] == "SYSTEM_ERROR"
    assert (await task(both, waiting))["state"] == "CANCELED"


async def test_the_permits_own_end_closes_the_study(both: World) -> None:
    both.clock.forward(90 * 24 * 3600)
    both.runtime.outbox.nudge()
    found = await closed(both)
    assert found["why"] == "expired"


async def test_a_permit_that_the_board_ends_closes_the_study_and_refuses_as_expired(both: World, engine: Bare) -> None:
    both.permits[PERMIT] = "ended"
    await both.standing()
    await closed(both)
    status, said = await both.call("a02", "POST", "/ga4gh/tes/v1/tasks", document(both, engine))
    assert (status, said["code"]) == (403, "expired")


async def test_a_suspended_permit_destroys_nothing_until_it_is_ended(both: World) -> None:
    both.permits[PERMIT] = "suspended"
    await both.standing()
    assert (await both.rows(Study))[0].state == "open"
    assert all(row.state == "staged" for row in await both.rows(StagedObject))
    both.permits[PERMIT] = "ended"
    await both.standing()
    assert (await closed(both))["why"] == "expired"


async def test_a_hospital_that_cannot_be_reached_is_waited_for(both: World) -> None:
    both.down.add("h03")
    await both.call("a02", "POST", f"/studies/{STUDY}/close", {})

    async def one_said() -> bool:
        return len((await both.rows(Study))[0].keys_destroyed) == 1

    await both.eventually(one_said)
    assert (await both.rows(Study))[0].state == "wiped"
    both.down.clear()
    both.clock.forward(120)
    both.runtime.outbox.nudge()
    assert len((await closed(both))["keys_destroyed"]) == 2


async def test_a_stranger_may_not_close_a_study_or_see_it(both: World) -> None:
    for method, path in (("POST", "close"), ("GET", "zone")):
        status, said = await both.call("a03", method, f"/studies/{STUDY}/{path}", {} if method == "POST" else None)
        assert (status, said["code"]) == (404, "not-found")
    status, said = await both.call("h03", "GET", f"/studies/{STUDY}/zone")
    assert status == 200
    assert len(said["slots"]) == 2


async def certificates(both: World, engine: Bare) -> tuple[Json, Json]:
    await ended(both, await submitted(both, engine))
    await both.call("a02", "POST", f"/studies/{STUDY}/close", {})
    closing = await closed(both)
    receipts = await both.authored("task-certificate")
    return dict(receipts[0].payload or {}), closing


async def test_an_omission_is_found(both: World, engine: Bare) -> None:
    one, closing = await certificates(both, engine)
    shas = [each["sha256"] for each in closing["objects"]]
    check_task(one, objects=[each["sha256"] for each in one["objects"]])
    check_closing(closing, objects=shas, tasks=[each["certificate"] for each in closing["tasks"]])
    for body, check in ((one, check_task), (closing, check_closing)):
        less = copy.deepcopy(body)
        gone = less["objects"].pop()
        with pytest.raises(Refusal) as refused:
            check(less, objects=[gone["sha256"]])
        assert refused.value.code == "certificate-omits-object"
    less = copy.deepcopy(closing)
    less["tasks"] = []
    with pytest.raises(Refusal) as refused:
        check_closing(less, tasks=[closing["tasks"][0]["certificate"]])
    assert refused.value.code == "certificate-omits-object"
    less = copy.deepcopy(closing)
    less["objects"] = [each for each in less["objects"] if each["provider"] == did("h01")]
    with pytest.raises(Refusal) as refused:  # the hospital's own word names a key that no object has
        check_closing(less)
    assert refused.value.code == "certificate-omits-object"


@pytest.mark.parametrize(
    "change",
    [
        {"end": {"nothing_left": False}},
        {"end": {}},
        {"walls": "thin"},
        {"begin": {"place": {"memory": False, "noswap": True}, "swap": "off"}},
        {"begin": {"place": {"memory": True, "noswap": False}, "swap": "on"}},
    ],
)
async def test_a_certificate_says_no_more_than_its_evidence(both: World, engine: Bare, change: Json) -> None:
    one, _ = await certificates(both, engine)
    assert one["result"] == "DELETED"
    with pytest.raises(Refusal) as refused:
        check_task({**one, **change})
    assert refused.value.code == "certificate-overstates"


async def test_thin_walls_never_say_deleted_plainly(both: World, engine: Bare) -> None:
    engine.level = "thin"
    engine.begin = {"place": {"kind": "folder", "memory": True, "noswap": False}, "swap": "off"}
    one, closing = await certificates(both, engine)
    assert one["result"] == closing["result"] == "DELETED_WITH_EXCEPTIONS"
    assert "thin-walls" in closing["exceptions"]


async def test_a_certificate_without_its_limits_is_malformed(both: World, engine: Bare) -> None:
    one, closing = await certificates(both, engine)
    for body, check in ((one, check_task), (closing, check_closing)):
        with pytest.raises(Refusal) as refused:
            check({**body, "limits": []})
        assert refused.value.code == "certificate-malformed"
        with pytest.raises(Refusal):
            check({**body, "more": 1})
