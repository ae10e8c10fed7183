"""Row 19 between real nodes: settled from the log, signed by every party after its own computing, once."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from connector.evidence.model import Receipt
from connector.identity.service import Members
from connector.kit.db import Unit
from connector.play.hands import Said
from connector.rights.model import PermitRow
from connector.statements.offline import recompute_run
from governance.log.model import LogEntry
from governance.settlement.model import PartyStatement, Posting, SettlementRun
from tests.space import Space
from tests.unit.settlement.settlement_study import Study
from vocab.errors import Refusal
from vocab.money.recompute import proven, recompute
from vocab.money.tariff import Tariff
from vocab.tlog.policy import policy

PARTIES = {"h01": "accepted", "h03": "accepted", "a02": "accepted", "p01": "accepted"}


async def test_every_party_computes_its_statement_again_and_signs_it(study: Study) -> None:
    run = await study.settle()
    assert run["new"] is True
    # 599,860 + 358,620 + 300,000 + 2,520 + 50,000 = 1,311,000; fee 20,995 + 12,551 + 10,500 + 88 + 1,750
    assert run["totals"][study.did("a02")]["payable_won"] == 1_311_000 + 45_884 + 1_000_000
    found = await study.answered(run["id"], PARTIES)
    own = {one["party"]: one["state"] for one in found["statements"]}
    assert own[study.did("op")] == own[study.did("op") + "#drb-office"] == "own"
    hospital = study.space.hand("h01", "steward")
    (kept,) = await hospital.get("/api/statements")
    assert kept["same_code"] is True
    assert kept["statement"] == next(
        one["statement"] for one in found["statements"] if one["party"] == study.did("h01")
    )
    assert await hospital.get(f"/api/statements/{run['id']}") == kept
    split = 1_000_000 * 19_993 // (19_993 + 7_931)
    assert kept["statement"]["receivable_won"] in (599_860 + split, 599_860 + split + 1)


async def test_a_second_run_adds_nothing(study: Study) -> None:
    first, second = await study.settle(), await study.settle()
    assert (first["id"], first["digest"], second["new"]) == (second["id"], second["digest"], False)
    store = study.space.nodes["op"].runtime.store
    counts = await store.read(
        lambda session: [len(session.exec(select(table)).all()) for table in (SettlementRun, Posting, PartyStatement)]
    )
    assert counts == [1, 2 * len(first["body"]["lines"]), 6]
    await study.answered(first["id"], PARTIES)
    assert (await study.settle())["new"] is False


async def test_the_books_balance(study: Study) -> None:
    run = await study.settle()
    books = await study.space.hand("op", "clerk").get("/api/settlements/balance")
    assert books["sum_won"] == 0
    assert books["accounts"][study.did("a02")] == -run["totals"][study.did("a02")]["payable_won"]


async def test_a_late_receipt_makes_a_run_of_its_own(study: Study) -> None:
    first = await study.settle()
    await study.answered(first["id"], PARTIES)
    await study.published(await study.task("task-2", 10))
    second = await study.settle()
    assert second["number"] == 2
    assert [line["kind"] for line in second["body"]["lines"]] == ["zone", "operator-fee"]
    found = await study.answered(second["id"], {"a02": "accepted", "p01": "accepted"})
    assert {one["party"] for one in found["statements"]} == {study.did(name) for name in ("a02", "p01", "op")}


async def test_what_is_not_in_the_log_is_not_settled(study: Study) -> None:
    study.space.network.cut("p01", "op")
    reading = await study.task("task-2", 600)
    with pytest.raises(Said) as said:
        await study.settle(receipts=[reading])
    assert said.value.code == "not-in-the-log"
    assert (await study.settle())["totals"][study.did("p01")]["receivable_won"] == 42 * 60
    study.space.network.heal()


async def test_a_float_never_becomes_money(study: Study) -> None:
    hand = study.space.hand("op", "clerk")
    text = (Path(__file__).parents[3] / "policies" / "tariff.toml").read_text("utf-8")
    body = await hand.post("/api/settlements/preview", {"study": study.id, "tariff": text})
    assert body["totals"][study.did("p01")]["receivable_won"] == 42 * 60
    with pytest.raises(Said) as said:
        await hand.post(
            "/api/settlements/preview",
            {"study": study.id, "tariff": text.replace("zone_minute = 60", "zone_minute = 60.5")},
        )
    assert said.value.code == "money-not-integer"
    await study.published(await study.task("task-2", 1.5))
    with pytest.raises(Said) as said:
        await study.settle()
    assert said.value.code == "money-not-integer"


async def test_a_study_that_goes_on_is_not_settled(study: Study) -> None:
    await study.end("suspended")
    with pytest.raises(Said) as said:
        await study.settle()
    assert said.value.code == "study-not-ended"


async def test_an_unknown_study_and_another_persons_hand_are_refused(study: Study) -> None:
    with pytest.raises(Said) as said:
        await study.space.hand("op", "clerk").post("/api/settlements", {"study": "urn:uuid:none"})
    assert said.value.code == "nothing-to-settle"
    with pytest.raises(Said) as said:
        await study.space.hand("op", "chair").post("/api/settlements", {"study": study.id})
    assert said.value.code == "duty-missing"


def _fetch(space: Space) -> Callable[[str], bytes]:
    """Addresses of the space, without a token, for code that runs in another thread."""
    loop = asyncio.get_running_loop()
    apps = {space.space.nodes[name].url: node.app for name, node in space.nodes.items()}

    async def get(url: str) -> bytes:
        base = next(base for base in apps if url.startswith(f"{base}/"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(apps[base])) as client:
            answer = await client.get(url)
        if answer.status_code != httpx.codes.OK:
            raise OSError(url)
        return answer.content

    return lambda url: asyncio.run_coroutine_threadsafe(get(url), loop).result(60)


async def test_anybody_computes_it_again_from_the_public_log(study: Study) -> None:
    run = await study.settle()
    row = await study.receipt("op", "settlement")
    assert row is not None
    await study.published(row.id)
    node, fetch = study.space.space.nodes["op"].url, _fetch(study.space)
    found = await asyncio.to_thread(recompute_run, run["id"], node, fetch)
    assert (found["equal"], found["digest"], found["differs"]) == (True, run["digest"], [])
    assert found["logged"] >= run["body"]["log"]["size"]

    def cheating(url: str) -> bytes:
        data = fetch(url)
        if "/settlements/" not in url:
            return data
        given = json.loads(data)
        given["body"]["lines"][0]["amount_won"] += 1
        return json.dumps(given).encode()

    with pytest.raises(Refusal, match="not-in-the-log"):
        await asyncio.to_thread(recompute_run, run["id"], node, cheating)


async def test_a_hospital_takes_the_receipts_and_computes_the_digest(study: Study) -> None:
    run = await study.settle()
    given = json.loads(await _text(study, f"/settlements/{run['id']}"))
    rows = json.loads(await _text(study, f"/settlements/{run['id']}/receipts"))
    trusted = policy((await _text(study, "/log/policy")).encode())
    keys = study.space.nodes["h01"].runtime
    again = recompute(given["body"], proven(given["body"], rows, trusted), keys.get(Members).receipts)
    assert again.equal
    assert again.digest == run["digest"] == given["digest"]


async def _text(study: Study, path: str) -> str:
    wire = study.space.nodes["h01"].runtime.peer
    answer = await wire.request("GET", study.space.space.nodes["op"].url + path)
    assert answer.ok
    return answer.text


async def test_a_hospital_whose_receipt_was_left_out_disputes(study: Study) -> None:
    """The operator hides a hospital's agreement from its own settlement: the hospital has it with its proof."""
    op = study.space.nodes["op"].runtime

    def hide(unit: Unit) -> None:
        row = unit.session.exec(
            select(LogEntry).where(LogEntry.type == "agreement", LogEntry.author == study.did("h03"))
        ).one()
        row.type = "hidden"

    await op.store.run(hide)
    run = await study.settle()
    # the payer notices too: it signed that agreement
    await study.answered(run["id"], {"h01": "accepted", "a02": "disputed"})
    assert study.did("h03") not in run["totals"]
    journal = await study.space.hand("a02", "pi").get("/api/journal", limit=500)
    assert [one for one in journal if one.get("code") == "statement-differs"]


async def test_another_reward_than_the_permits_is_disputed(study: Study) -> None:
    h01 = study.space.nodes["h01"].runtime

    def other(unit: Unit) -> None:
        unit.session.add(
            PermitRow(
                id=study.permit,
                study=study.id,
                jws="",
                fields={"outcome_reward": 1_000_001, "datasets": []},
                decision={},
                until=0,
                received_at=0,
            )
        )

    await h01.store.run(other)
    run = await study.settle()
    await study.answered(run["id"], {"h01": "disputed", "h03": "accepted"})


async def test_a_party_with_another_tariff_disputes(study: Study) -> None:
    h03 = study.space.nodes["h03"].runtime
    h03.add(dataclasses.replace(h03.get(Tariff), zone_minute=61))
    run = await study.settle()
    await study.answered(run["id"], {**PARTIES, "h03": "disputed"})


async def test_a_statement_in_the_log_carries_both_signatures(study: Study) -> None:
    run = await study.settle()
    await study.answered(run["id"], PARTIES)

    def signed(session) -> list[Receipt]:  # type: ignore[no-untyped-def]
        query = select(Receipt).where(Receipt.type == "statement", Receipt.about == run["id"])
        return list(session.exec(query).all())

    rows = await study.space.nodes["op"].runtime.store.read(signed)
    assert [len(row.envelope["signatures"]) for row in rows] == [2, 2, 2, 2]
    assert {row.envelope["body"]["subject"]["run_digest"] for row in rows} == {run["digest"]}
    await study.published(*(row.id for row in rows))


@pytest.mark.parametrize(("language", "said"), [("ko", "성과 보상"), ("en", "Outcome reward")])
async def test_the_timeline_shows_the_statement_to_the_won(study: Study, language: str, said: str) -> None:
    run = await study.settle()
    await study.answered(run["id"], PARTIES)
    for name, person in (("op", "clerk"), ("h01", "steward"), ("a02", "pi")):
        space = study.space
        headers = {"authorization": f"Bearer {space.space.token(name, person)}", "accept-language": language}
        transport = httpx.ASGITransport(space.nodes[name].app)
        async with httpx.AsyncClient(transport=transport) as client:
            page = await client.get(f"{space.space.nodes[name].url}/studies/{study.id}", headers=headers)
        assert page.status_code == httpx.codes.OK
        assert said in page.text
        assert "599,860" in page.text
