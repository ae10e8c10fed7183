"""The board's pages in a browser's hands: what waits for me, the case, my vote."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from governance_board import STUDY, deliberate, vote
from governance_nodes import Node, Space


@asynccontextmanager
async def browser(node: Node, person: str) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in browser."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=node.app),
        base_url=node.runtime.settings.url,
        headers={"accept": "text/html", "origin": node.runtime.settings.url},
    ) as client:
        answer = await client.post("/login", data={"token": node.tokens[person]})
        assert answer.status_code == 303, answer.text
        yield client


@pytest.mark.parametrize(
    ("language", "words"), [("ko", ("당뇨 신장 예측", "외부 위원", "제척")), ("en", ("Deadline", "excluded by rule"))]
)
async def test_a_case_shows_its_seats_and_its_arithmetic(applied: Space, language, words):
    await deliberate(applied)
    await vote(applied, "chair", "member-1")
    async with browser(applied["op"], "member-2") as client:
        page = await client.get(f"/board/{STUDY}?lang={language}")
        assert page.status_code == 200
        assert [word for word in words if word not in page.text] == []
        assert f'action="/board/{STUDY}/votes"' in page.text


async def test_a_member_votes_with_the_form_and_the_form_is_gone(applied: Space):
    await deliberate(applied)
    async with browser(applied["op"], "member-2") as client:
        listed = (await client.get("/board")).text
        assert "/board/" in listed
        assert "<title>심의 " in listed
        answer = await client.post(f"/board/{STUDY}/votes", data={"vote": "yes", "reason": "근거가 충분함"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/board/{STUDY}")
        page = await client.get(f"/board/{STUDY}?lang=en")
        assert "근거가 충분함" in page.text
        assert "You have voted." in page.text
        again = await client.post(f"/board/{STUDY}/votes", data={"vote": "no", "reason": "x"})
        assert again.status_code == 409


async def test_the_recused_member_sees_why_there_is_no_form(applied: Space):
    await deliberate(applied)
    async with browser(applied["op"], "member-4") as client:
        page = await client.get(f"/board/{STUDY}?lang=en")
        assert "You are recused from this case." in page.text
        assert "cast-vote" not in page.text
        assert f'action="/board/{STUDY}/votes"' not in page.text


async def test_each_duty_sees_what_waits_for_it(applied: Space):
    async with browser(applied["op"], "secretary") as client:
        assert "waiting for pre-screening" in (await client.get("/board?lang=en")).text
    async with browser(applied["op"], "member-1") as client:
        assert "waiting for your vote" not in (await client.get("/board?lang=en")).text
    await deliberate(applied)
    async with browser(applied["op"], "member-1") as client:
        assert "waiting for your vote" in (await client.get("/board?lang=en")).text
    await vote(applied, "chair", "member-1", "member-2")
    async with browser(applied["op"], "chair") as client:
        assert "ready to be decided" in (await client.get("/board?lang=en")).text


async def test_a_vote_from_another_site_is_refused(applied: Space):
    await deliberate(applied)
    async with browser(applied["op"], "member-2") as client:
        headers = {"origin": "https://elsewhere.example"}
        answer = await client.post(f"/board/{STUDY}/votes", data={"vote": "yes", "reason": "x"}, headers=headers)
        assert answer.status_code == 403
    _, body = await applied["op"].as_person("chair", "GET", f"/api/applications/{STUDY}")
    assert body["votes"] == []
