"""The pages of real nodes: everybody finds only pages that answer, and a study can be carried by their forms alone."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from connector.kit.outbox import waiting
from tests.flows.small import Small, opened
from tests.space import eventually
from vocab.words import known

pytestmark = pytest.mark.slow

#: Everybody who works at the six nodes.
PEOPLE = {
    "op": ("admin", "secretary", "chair", "member-1", "member-4", "clerk"),
    "h01": ("steward", "acceptor", "keykeeper"),
    "h03": ("steward",),
    "a02": ("pi", "analyst"),
    "a03": ("pi",),
    "p01": ("operator", "reviewer-1"),
}


class Browser:
    """One person before a node's pages, without scripts."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def page(self, path: str) -> str:
        """A page that answers."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.text

    async def forms(self, path: str) -> dict[str, dict[str, str]]:
        """The forms of a page by their address, with what is hidden in them."""
        text = await self.page(path)
        found = {}
        for action, inner in re.findall(r'<form method="post" action="([^"]+)".*?>(.*?)</form>', text, re.DOTALL):
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inner)
            found[html.unescape(action)] = {name: html.unescape(value) for name, value in hidden}
        del found["/logout"]
        return found

    async def fill(self, path: str, ending: str, **given: str) -> httpx.Response:
        """Sends the form of `path` whose address ends so."""
        for action, hidden in (await self.forms(path)).items():
            if action.endswith(ending):
                return await self.client.post(action, data={**hidden, **given})
        raise AssertionError(f"no form {ending} on {path}")

    async def done(self, path: str, ending: str, **given: str) -> None:
        """The same; it leads back to a page."""
        answer = await self.fill(path, ending, **given)
        assert answer.status_code == 303, answer.text[-2_000:]
        await self.page(answer.headers["location"])

    async def crawl(self) -> set[str]:
        """Every page that links lead to from the first one; each answers. Files are fetched too."""
        seen: set[str] = set()
        todo = ["/"]
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = await self.client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[-500:]}"
            if "text/html" in answer.headers["content-type"]:
                found = [html.unescape(one) for one in re.findall(r'href="([^"]+)"', answer.text)]
                todo += [
                    one for one in found if one.startswith("/") and not one.startswith("/static") and "lang=" not in one
                ]
        return seen


@asynccontextmanager
async def browser(small: Small, node: str, person: str, language: str = "ko") -> AsyncIterator[Browser]:
    """A signed-in browser."""
    space = small.space.space
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(small.space.nodes[node].app),
        base_url=space.nodes[node].url,
        headers={"accept": "text/html", "accept-language": language, "origin": space.nodes[node].url},
        timeout=120,
    ) as client:
        answer = await client.post("/login", data={"token": space.token(node, person)})
        assert answer.status_code == 303, answer.text
        yield Browser(client)


async def test_a_study_is_carried_by_the_forms_of_the_pages_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, names=("op", "h01", "h03", "a02", "a03", "p01")) as small:
        await small.published()
        pi, plan = small.hand("a02", "pi"), await small.plan()
        small.study = (await pi.post("/api/studies", {"title": plan["title"], "plan": plan}))["id"]
        study, case = f"/studies/{quote(small.study, safe='')}", f"/board/{small.study}"
        async with browser(small, "a02", "pi", "en") as company:
            assert "Not applied for yet" in await company.page("/")
            await company.done(study, "/do/apply")
        async with browser(small, "op", "secretary") as secretary:
            assert case in await secretary.page("/")
            await secretary.done(case, "/do/prescreen", screening="complete", reason="서류가 모두 있다.")
        async with browser(small, "op", "member-3") as aside:
            assert case in await aside.page("/")
            await aside.done(case, "/do/recuse", reason="공동 연구를 하고 있다.")
            assert case not in await aside.page("/")
        async with browser(small, "op", "member-4") as recused:
            assert not any("/votes" in action for action in await recused.forms(case))
        for member in ("member-1", "member-2", "chair"):
            async with browser(small, "op", member) as voter:
                await voter.done(case, "/votes", vote="yes", reason="근거가 충분하다.")
        async with browser(small, "op", "chair") as chair:
            await chair.done(case, "/do/decide")
            assert "/do/suspend" in " ".join(await chair.forms(case))
        for node in ("h01", "h03"):

            async def permitted(node: str = node) -> bool:
                async with browser(small, node, "keykeeper") as keeper:
                    return study in await keeper.page("/")

            await eventually(permitted, f"the permit at {node}")
            for person, step in (("keykeeper", "pseudonym-key"), ("steward", "cut"), ("acceptor", "accept")):
                async with browser(small, node, person) as worker:
                    await worker.done(study, f"/do/{step}")
            async with browser(small, node, "steward") as steward:
                assert "/do/stop" in " ".join(await steward.forms(study))
        async with browser(small, "a02", "pi", "en") as company:
            assert "negotiate with the hospitals" in await company.page("/")
            await company.done(study, "/do/negotiate")

            async def agreed() -> bool:
                return "agreed with every hospital" in await company.page("/")

            await eventually(agreed, "both agreements")
            assert not any(action.endswith("/do/negotiate") for action in await company.forms(study))
        async with browser(small, "h01", "steward", "en") as steward:
            await steward.done(study, "/do/stop", reason="환자 단체가 요청했다.")
            shown = await steward.page(study)
            assert "stopped" in shown
            assert not any(action.endswith("/do/stop") for action in await steward.forms(study))


async def test_every_page_that_anybody_finds_answers_in_both_languages(tmp_path: Path) -> None:
    async with opened(tmp_path) as small:
        await small.played("settled" if small.walls else "agreed")
        for node, people in PEOPLE.items():
            for person in people:
                for language in ("ko", "en"):
                    async with browser(small, node, person, language) as visitor:
                        assert len(await visitor.crawl()) > 2
        await refuses_what_it_should(small)
        for node in small.space.nodes.values():
            kinds = {kind.replace(":", "-") for kind in node.runtime.outbox.handlers}
            assert sorted(kind for kind in kinds if not known(f"effect.{kind}")) == []


async def refuses_what_it_should(small: Small) -> None:
    """Doors of pages are as shut as those of the API."""
    study = f"/studies/{quote(small.study, safe='')}"
    nodes: dict[str, Any] = small.space.space.nodes
    async with browser(small, "h01", "keykeeper", "en") as keeper:
        assert not any(action.endswith("/do/stop") for action in await keeper.forms(study))
        answer = await keeper.client.post(f"{study}/do/stop", data={"reason": "x"})
        assert (answer.status_code, "duty-missing" in answer.text) == (403, True)
        link = re.search(r'href="(/why/\d+)"', await keeper.page("/receipts") + answer.text)
        assert link is None, "a refusal's page is its own"
        foreign = {"origin": nodes["a03"].url}
        for path, data in ((f"{study}/do/stop", {"reason": "x"}), (f"{study}/do/pseudonym-key", {})):
            answer = await keeper.client.post(path, data=data, headers=foreign)
            assert (answer.status_code, "cross-site" in answer.text) == (403, True)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(small.space.nodes["h01"].app),
        base_url=nodes["h01"].url,
        headers={"accept": "text/html"},
    ) as stranger:
        for path in ("/", study, "/receipts", "/datasets", "/trials", "/why/1"):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
        answer = await stranger.post(f"{study}/do/stop", data={"reason": "x"}, headers={"origin": nodes["h01"].url})
        assert answer.status_code == 401


async def test_what_an_ended_permit_no_longer_allows_is_not_offered(tmp_path: Path) -> None:
    async with opened(tmp_path, names=("op", "h01", "h03", "a02", "a03", "p01")) as small:
        await small.published()
        await small.applied()
        await small.decided()
        study, case = f"/studies/{quote(small.study, safe='')}", f"/board/{small.study}"
        async with browser(small, "h01", "keykeeper", "en") as keeper, browser(small, "op", "chair") as chair:
            assert any(action.endswith("/do/pseudonym-key") for action in await keeper.forms(study))
            assert study in await keeper.page("/")
            await chair.done(case, "/do/end", reason="신청 기관이 연구를 그만두었다.")

            async def over() -> bool:
                return not await keeper.forms(study)

            await eventually(over, "nothing is offered any more")
            assert "A pseudonym key is needed" not in await keeper.page("/")
            assert "left</small>" not in await keeper.page(study), "no clock runs for what has ended"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_page_says_for_whom_the_node_waits_and_since_when(tmp_path: Path, *, cut: bool) -> None:
    async with opened(tmp_path, names=("op", "h01", "h03", "a02", "a03", "p01")) as small:
        await small.published()
        if cut:
            small.space.network.cut("op", "h01")
        await small.applied()
        path = f"/api/applications/{small.study}"
        await small.hand("op", "secretary").post(f"{path}/prescreen", {"complete": True, "reason": "모두 있다."})
        for member in ("member-1", "member-2", "chair"):
            await small.hand("op", member).post(f"{path}/votes", {"vote": "yes", "reason": "근거가 있다."})
        await small.hand("op", "chair").post(f"{path}/decide")
        async with browser(small, "op", "chair", "en") as chair:

            async def told() -> bool:
                text = await chair.page("/")
                return "Bringing a permit" in text and "waits for Saebit University Hospital since" in text

            if cut:
                await eventually(told, "the page says what it waits for")
                small.space.network.heal()
                small.space.nodes["op"].runtime.outbox.nudge()
                small.space.clock.forward(60)

            async def quiet() -> bool:
                rows = await small.space.nodes["op"].runtime.store.read(waiting)
                return not any(row.kind == "permit" for row in rows)

            await eventually(quiet, "the permit was brought")
            assert "Bringing a permit" not in await chair.page("/")
