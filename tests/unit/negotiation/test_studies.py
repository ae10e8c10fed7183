"""Studies: drafts always save, the board's answer is passed on, hospitals agree together or not at all; the search."""

import itertools
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from connector.negotiation.model import Negotiation
from connector.negotiation.service import begin, look
from connector.rights.service import Rights
from connector.studies.model import Study
from connector.studies.states import TRANSITIONS, State, Step, after
from tests.unit.datasets.forms import description
from tests.unit.negotiation.conftest import STUDY, Space, did, permit, snapshot
from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.offer import research_offer
from vocab.records.envelope import opened

ALL = list(itertools.product(State, Step))


@pytest.mark.parametrize(("state", "step"), [case for case in ALL if case not in TRANSITIONS])
def test_what_the_table_does_not_name_is_refused(state: State, step: Step) -> None:
    with pytest.raises(Refusal) as refused:
        after(state, step)
    assert refused.value.code == "study-state"


def test_only_drafts_and_applications_change() -> None:
    assert {state for state, step in TRANSITIONS if step is Step.SAVE} == {State.DRAFT, State.APPLIED}


class Board:
    """The operator's end, as far as a company sees it."""

    def __init__(self, space: Space) -> None:
        self.received: list[dict[str, Any]] = []
        self.refuse: dict[str, Any] | None = None
        app = FastAPI()

        @app.post("/applications", status_code=201)
        async def applications(request: Request) -> Any:
            if self.refuse:
                return JSONResponse(self.refuse, 422)
            self.received.append(await request.json())
            return {"id": "x", "state": "pre-screen"}

        @app.post("/{path:path}")
        async def other(path: str) -> Any:
            self.received.append({"path": path})
            return JSONResponse({"id": STUDY}, 202 if path.startswith("studies/") else 200)

        for host in ("localhost:7300", "localhost:7305"):
            space.wire.apps[host] = app


async def drafted(space: Space, **plan: Any) -> str:
    status, body = await space["a02"].call("pi", "POST", "/api/studies", {"title": "당뇨 신장 예측", "plan": plan})
    assert status == 201
    return str(body["id"])


async def permitted(space: Space) -> None:
    """S1 with its permit, as if the board had decided."""
    await space["a02"].add(
        Study(id=STUDY, title="S1", plan={}, state="permitted", permit=permit().id, by="pi", begun_at=1, changed_at=1)
    )


async def test_a_draft_always_saves(space: Space) -> None:
    study = await drafted(space, purpose=3, nonsense=[{}])
    status, body = await space["a02"].call("pi", "PATCH", f"/api/studies/{study}", {"plan": {"days": "?"}})
    assert (status, body["state"], body["plan"]) == (200, "draft", {"days": "?"})


async def test_an_application_is_signed_and_sent_whole(space: Space) -> None:
    board = Board(space)
    study = await drafted(space, purpose=terms.MEDICAL_DEVICE_AI)
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{study}/apply")
    assert (status, body["state"]) == (200, "applied")
    key = {did("a02"): space.keys("a02").public("receipt")}
    sent = opened(board.received[0], "application", key, did("a02"))
    assert (sent["id"], sent["applicant"], sent["purpose"]) == (study, did("a02"), terms.MEDICAL_DEVICE_AI)


async def test_the_boards_refusal_is_passed_on_and_the_study_stays_a_draft(space: Space) -> None:
    board = Board(space)
    board.refuse = {"code": "attestation-missing", "rule": "attestations", "needed": ["no-linking"], "seen": []}
    study = await drafted(space)
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{study}/apply")
    assert (body["code"], body["needed"]) == ("attestation-missing", ["no-linking"])
    assert status == 422
    assert (await space["a02"].call("pi", "GET", f"/api/studies/{study}"))[1]["state"] == "draft"


async def test_an_operator_that_is_down_is_said_plainly(space: Space) -> None:
    study = await drafted(space)
    assert (await space["a02"].call("pi", "POST", f"/api/studies/{study}/apply"))[1]["code"] == "operator-unreachable"


async def test_a_permit_that_arrives_permits_the_study(space: Space) -> None:
    study = await drafted(space)
    node = space["a02"].runtime
    row = permit(study=study, id="permit-2")
    for call in node.get(Rights).on_permit:
        await node.store.run(lambda unit, call=call: call(unit, row))  # type: ignore[misc]
    body = (await space["a02"].call("pi", "GET", f"/api/studies/{study}"))[1]
    assert (body["state"], body["permit"]) == ("permitted", "permit-2")
    assert (await space["a02"].call("pi", "PATCH", f"/api/studies/{study}", {"plan": {}}))[1]["code"] == "study-state"


async def test_without_a_permit_nothing_is_negotiated(space: Space) -> None:
    study = await drafted(space)
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{study}/negotiate")
    assert (status, body["code"]) == (409, "study-state")


async def test_a_study_agrees_with_every_hospital_of_its_permit(space: Space) -> None:
    await permitted(space)
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    assert (status, len(body["negotiations"])) == (202, 2)
    await space.settle()
    body = (await space["a02"].call("pi", "GET", f"/api/studies/{STUDY}"))[1]
    assert {one["dataset"] for one in body["agreements"]} == {"D-H01-DM", "D-H03-DM"}
    assert (body["missing"], body["complete"]) == ([], False)
    assert set(body["waiting"]) == {"D-H01-DM", "D-H03-DM"}  # for their receipts
    assert (await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate"))[1] == {"negotiations": []}


async def test_one_hospital_that_refuses_leaves_none_to_use(space: Space) -> None:
    await permitted(space)
    await space["h03"].add(snapshot("D-H03-DM", accepted=False))
    await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    await space.settle()
    await space.retry()
    body = (await space["a02"].call("pi", "GET", f"/api/studies/{STUDY}"))[1]
    assert body["complete"] is False
    assert "D-H03-DM" in body["missing"]


async def test_one_hospital_that_is_down_starts_nothing(space: Space) -> None:
    await permitted(space)
    space.wire.down.add("h03")
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    assert (status, body["code"]) == (503, "peer-unreachable")
    assert await space["a02"].rows(Negotiation) == []
    space.wire.down.clear()
    await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    await space.settle()
    body = (await space["a02"].call("pi", "GET", f"/api/studies/{STUDY}"))[1]
    assert body["missing"] == []


async def test_who_asks_again_while_a_hospital_has_yet_to_answer_starts_only_what_is_missing(space: Space) -> None:
    await permitted(space)
    node = space["a02"].runtime
    one = await look(node, did("h01"), "D-H01-DM", STUDY)
    await node.store.run(lambda unit: begin(unit, node, one, STUDY, "pi", "t1"))
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    assert (status, [one["dataset"] for one in body["negotiations"]]) == (202, ["D-H03-DM"])
    assert {row.together for row in await space["a02"].rows(Negotiation)} == {"t1"}
    status, body = await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/negotiate")
    assert (status, body) == (202, {"negotiations": []})


async def test_closing_tells_the_zone_first_and_then_the_board(space: Space) -> None:
    board = Board(space)
    await permitted(space)
    assert (await space["a02"].call("pi", "POST", f"/api/studies/{STUDY}/close"))[1]["state"] == "closing"
    await space.settle()
    heard = list(dict.fromkeys(one["path"] for one in board.received))  # each at least once
    assert heard == [f"studies/{STUDY}/close", f"applications/{STUDY}/close"]
    assert (await space["a02"].call("pi", "GET", f"/api/studies/{STUDY}"))[1]["state"] == "closed"


async def found(space: Space, words: str, name: str = "a02", *, commercial: bool = True) -> dict[str, Any]:
    path = f"/api/search?q={words}&commercial={str(commercial).lower()}"
    status, body = await space[name].call("pi", "GET", path)
    assert status == 200, body
    return dict(body)


async def test_the_search_finds_what_a_company_may_apply_for(space: Space) -> None:
    rows = (await found(space, "당뇨 신장 예측"))["rows"]
    assert [(row["dataset"], row["outcome"]) for row in rows] == [
        ("D-H01-DM", "may-apply"),
        ("D-H03-DM", "may-apply"),
    ]
    assert rows[0]["patients"] == 20_000
    assert terms.DRB_APPROVAL in rows[0]["later"]
    assert (await found(space, "diabetes kidney"))["rows"]
    assert (await found(space, "심전도"))["rows"] == []


async def test_a_non_commercial_set_is_shown_with_its_reason(space: Space) -> None:
    await space["h01"].call("steward", "POST", "/api/datasets", description("D-NC"))
    offer = research_offer("nc", zone=did("p01"), disease="E10-E14", purpose=terms.NON_COMMERCIAL_RESEARCH)
    assert (await space["h01"].call("steward", "POST", "/api/datasets/D-NC/offers", offer))[0] == 201
    row = next(row for row in (await found(space, "당뇨"))["rows"] if row["dataset"] == "D-NC")
    assert (row["outcome"], row["code"]) == ("withheld", "purpose-outside-offer")
    assert row["reason"]["ko"]


async def test_another_companys_search_shows_the_reason(space: Space) -> None:
    rows = (await found(space, "당뇨", "a03"))["rows"]
    assert {row["code"] for row in rows} == {"disease-outside-offer"}


async def test_a_hospital_that_is_down_is_named_and_the_others_are_found(space: Space) -> None:
    space.wire.down.add("h03")
    body = await found(space, "당뇨")
    assert [row["dataset"] for row in body["rows"]] == ["D-H01-DM"]
    assert [one["provider"] for one in body["unasked"]] == [did("h03")]


async def test_an_unchanged_catalogue_is_not_sent_again(space: Space) -> None:
    await found(space, "당뇨")
    space.wire.sent.clear()
    assert len((await found(space, "당뇨"))["rows"]) == 2
    assert {status for _, path, status in space.wire.sent if path.endswith("/catalog/request")} == {304}
