"""Fixtures: a space of six nodes, before and after everybody was admitted."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from governance_board import apply, at_op, delegate, deliberate, vote
from governance_nodes import PLANS, Space, TestClock, Wire, member, port

from connector.kit.keys import Keys
from connector.kit.settings import Authority, Organisation, Settings
from connector.web.people import Person


@pytest.fixture
async def space(tmp_path: Path) -> AsyncIterator[Space]:
    """OP and five nodes, not yet members."""
    found = Space(tmp_path, TestClock(), Wire())
    key = Keys(tmp_path / "op" / "keys").public("receipt").hex()
    for name, (roles, camp, duties) in PLANS.items():
        settings = Settings(
            name=name,
            did=f"did:web:localhost%3A{port(name)}",
            url=f"http://localhost:{port(name)}",
            port=port(name),
            roles=roles,
            organisation=Organisation(ko=f"기관 {name}", en=name, camp=camp),
            authority=Authority(did=f"did:web:localhost%3A{port('op')}", url=f"http://localhost:{port('op')}", key=key),
            folder=tmp_path / name,
            development=True,
        )
        (tmp_path / name).mkdir(exist_ok=True)
        tokens = {person: secrets.token_urlsafe(32) for person in duties}
        people = {person: Person(person, person, frozenset(held)) for person, held in duties.items()}
        await found.start(settings, tokens, people)
    yield found
    for node in found.nodes.values():
        await node.runtime.outbox.stop()
    for node in found.nodes.values():
        await asyncio.to_thread(node.runtime.store.close)


@pytest.fixture
async def members(space: Space) -> Space:
    """The same, with everybody admitted."""
    for name in ("h01", "h03", "a02", "a03", "p01"):
        status, body = await space["op"].as_person("admin", "POST", "/api/members", member(space[name]))
        assert status == 201, body
    await space.settle()
    return space


@pytest.fixture
async def applied(members: Space) -> Space:
    await delegate(members, "h01", "D-H01-DM")
    await delegate(members, "h03", "D-H03-DM", "D-H03-LAB")
    answer = await apply(members)
    assert answer.status == 201, answer.body
    return members


@pytest.fixture
async def permitted(applied: Space) -> Space:
    await deliberate(applied)
    await vote(applied, "chair", "member-1", "member-2", "member-3")
    status, body = await at_op(applied, "chair", "decide")
    assert status == 200, body
    await applied.settle()
    return applied
