"""Fixtures: a space of six nodes, before and after everybody was admitted."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from governance_board import apply, at_op, delegate, deliberate, vote
from governance_nodes import PLANS, Space, TestClock, Wire, member, people_of, port

from connector.kit.keys import Keys
from connector.kit.settings import Authority, Organisation, Settings
from connector.web.people import Person
from tests.kept import apart, copied

#: Does what leads from one fixture to the next.
Play = Callable[[Space], Awaitable[object]]


async def begun(space: Space) -> None:
    key = Keys(space.folder / "op" / "keys").public("receipt").hex()
    for name, (roles, camp, duties) in PLANS.items():
        settings = Settings(
            name=name,
            did=f"did:web:localhost%3A{port(name)}",
            url=f"http://localhost:{port(name)}",
            port=port(name),
            roles=roles,
            organisation=Organisation(ko=f"기관 {name}", en=name, camp=camp),
            authority=Authority(did=f"did:web:localhost%3A{port('op')}", url=f"http://localhost:{port('op')}", key=key),
            folder=space.folder / name,
            development=True,
        )
        (space.folder / name).mkdir(exist_ok=True)
        tokens = {person: secrets.token_urlsafe(32) for person in duties}
        people = {person: Person(person, person, frozenset(held)) for person, held in duties.items()}
        await space.start(settings, tokens, people)


async def admit(space: Space) -> None:
    for name in ("h01", "h03", "a02", "a03", "p01"):
        status, body = await space["op"].as_person("admin", "POST", "/api/members", member(space[name]))
        assert status == 201, body
    await space.settle()


async def ask(space: Space) -> None:
    await delegate(space, "h01", "D-H01-DM")
    await delegate(space, "h03", "D-H03-DM", "D-H03-LAB")
    answer = await apply(space)
    assert answer.status == 201, answer.body


async def decide(space: Space) -> None:
    await deliberate(space)
    await vote(space, "chair", "member-1", "member-2", "member-3")
    status, body = await at_op(space, "chair", "decide")
    assert status == 200, body
    await space.settle()


async def stop(space: Space) -> None:
    for node in space.nodes.values():
        await node.runtime.outbox.stop()
    for node in space.nodes.values():
        await asyncio.to_thread(node.runtime.store.close)


async def again(kept: Space, folder: Path) -> Space:
    """The nodes of a space that has stopped go on in a copy."""
    copied(kept.folder, folder)
    found = Space(folder, TestClock(kept.clock.at, kept.clock.ticks), Wire())
    for name, node in kept.nodes.items():
        settings = node.runtime.settings.model_copy(update={"folder": folder / name})
        await found.start(settings, node.tokens, people_of(node))
    return found


def keep(folder: Path, before: Space | None, play: Play) -> Space:
    """What `play` leads to, stopped: made once, each test goes on in a copy of its own."""

    async def played() -> Space:
        space = await again(before, folder) if before else Space(folder, TestClock(), Wire())
        await play(space)
        await stop(space)
        return space

    return apart(played())


@pytest.fixture(scope="session")
def kept_space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    return keep(tmp_path_factory.mktemp("space"), None, begun)


@pytest.fixture(scope="session")
def kept_members(tmp_path_factory: pytest.TempPathFactory, kept_space: Space) -> Space:
    return keep(tmp_path_factory.mktemp("members"), kept_space, admit)


@pytest.fixture(scope="session")
def kept_applied(tmp_path_factory: pytest.TempPathFactory, kept_members: Space) -> Space:
    return keep(tmp_path_factory.mktemp("applied"), kept_members, ask)


@pytest.fixture(scope="session")
def kept_permitted(tmp_path_factory: pytest.TempPathFactory, kept_applied: Space) -> Space:
    return keep(tmp_path_factory.mktemp("permitted"), kept_applied, decide)


@pytest.fixture
async def space(tmp_path: Path, kept_space: Space) -> AsyncIterator[Space]:
    """OP and five nodes, not yet members."""
    found = await again(kept_space, tmp_path)
    yield found
    await stop(found)


@pytest.fixture
async def members(tmp_path: Path, kept_members: Space) -> AsyncIterator[Space]:
    """The same, with everybody admitted."""
    found = await again(kept_members, tmp_path)
    yield found
    await stop(found)


@pytest.fixture
async def applied(tmp_path: Path, kept_applied: Space) -> AsyncIterator[Space]:
    found = await again(kept_applied, tmp_path)
    yield found
    await stop(found)


@pytest.fixture
async def permitted(tmp_path: Path, kept_permitted: Space) -> AsyncIterator[Space]:
    found = await again(kept_permitted, tmp_path)
    yield found
    await stop(found)
