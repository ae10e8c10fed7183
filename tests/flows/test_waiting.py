"""A peer that cannot be had is waited for: with growing pauses, nothing changed meanwhile, and it is shown."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import Session, select

from connector.kit.outbox import Promise
from connector.kit.ports import Answer, Unreachable
from connector.play.hands import Said
from tests.flows.small import Small, opened
from tests.space import Forward, Message, eventually
from vocab.words import text
from vocab.words.values import At


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Small]:
    async with opened(tmp_path, names=("op", "h01", "h03", "a02", "p01")) as found:
        for step in ("published", "applied", "decided", "cut"):
            await getattr(found, step)()
        yield found


def first_request(session: Session) -> Promise | None:
    waiting = select(Promise).where(Promise.kind == "negotiation-message", Promise.state == "waiting")
    return session.exec(waiting).first()


async def silent(message: Message, forward: Forward) -> Answer:
    """H01 takes no message of the protocol."""
    if message.target == "h01" and message.method == "POST" and "/dsp/" in message.path:
        raise Unreachable(message.url, "timed out")
    return await forward()


async def test_a_hospital_that_is_down_is_waited_for_and_the_page_says_since_when(small: Small) -> None:
    pi, store = small.hand("a02", "pi"), small.stores["a02"]
    await small.space.stop("h01")
    with pytest.raises(Said, match="peer-unreachable"):
        await pi.post(f"/api/studies/{small.study}/negotiate")
    assert await pi.get("/api/negotiations", study=small.study) == []
    await small.space.start("h01")
    small.space.network.between = silent
    since = small.space.clock.now()
    await pi.post(f"/api/studies/{small.study}/negotiate")
    pauses: list[float] = []
    for attempt in range(1, 6):

        async def tried(least: int = attempt) -> Promise | None:
            row = await store.read(first_request)
            return row if row is not None and row.attempts >= least else None

        row = await eventually(tried, f"attempt {attempt}")
        pause = row.due_at - small.space.clock.now()
        pauses.append(pause)
        small.space.clock.forward(max(0, pause) / 1000)
        small.space.nodes["a02"].runtime.outbox.nudge()
    assert pauses[-1] > 2 * pauses[0], pauses
    assert since <= row.made_at <= since + 5_000
    assert row.last_error

    rows = await pi.get("/api/negotiations", study=small.study)
    mine = next(one for one in rows if one["peer"] == small.did("h01"))
    assert mine["state"] == "REQUESTED"
    for page in ("/", f"/studies/{small.study}"):
        shown = (await pi.download(page)).decode()
        assert "새빛대학병원" in shown
        assert f"응답 대기, {text(At(row.made_at), 'ko')}부터" in shown, page

    small.space.network.heal()
    small.space.clock.forward(60)
    for node in small.space.nodes.values():
        node.runtime.outbox.nudge()

    async def final() -> bool:
        found = await pi.get("/api/agreements", study=small.study)
        return len(found) == 2

    await eventually(final, "both agreements")


async def test_an_older_standing_list_is_refused_and_a_newer_one_reaches_who_was_away(small: Small) -> None:
    lists: list[Message] = []

    async def listen(message: Message, forward: Forward):  # type: ignore[no-untyped-def]
        if message.path == "/standing" and message.method == "POST" and message.target == "h01":
            lists.append(message)
        return await forward()

    admin, h01 = small.hand("op", "admin"), small.hand("h01", "steward")
    small.space.network.between = listen
    company = {"did": small.did("a02"), "reason": "확인"}

    async def seq() -> int:
        return int((await h01.get("/api/standing"))["standing"]["seq"])

    before = await seq()
    await admin.post("/api/members/suspend", company)

    async def newer() -> bool:
        return await seq() > before

    await eventually(newer, "H01 has the newer list")
    small.space.network.cut("op", "h01")
    await admin.post("/api/members/reinstate", company)
    at = await seq()
    small.space.network.heal()
    small.space.network.between = listen
    small.space.clock.forward(5)
    small.space.nodes["op"].runtime.outbox.nudge()

    async def newest() -> bool:
        return await seq() > at

    await eventually(newest, "H01 has the newest list")
    answer = await small.space.network.deliver(lists[0])
    assert answer.body["code"] == "standing-rolled-back"
    assert await seq() > at
