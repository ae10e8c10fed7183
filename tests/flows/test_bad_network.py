"""A network that loses, garbles and repeats: the study comes to its end, and nothing of it is twice."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlmodel import Session

from connector.kit.http import MOST_BYTES, answered
from connector.kit.outbox import waiting
from connector.kit.ports import Answer, Unreachable
from tests.flows.evidence import certified, twice
from tests.flows.small import Small, opened
from tests.space import Forward, Message, eventually

pytestmark = pytest.mark.slow

#: What the outbox sends. What a person asks for at once is theirs to repeat.
PROMISED = re.compile(
    r"POST /(receipts|standing|permits|log/entries|dsp/|slots$|keys/release|studies/[^/]+/(stop|destroy-keys|close)|"
    r"applications/[^/]+/close)|PUT /slots/"
)
DEEP = b"[" * 5000 + b"]" * 5000
#: What a peer may say that is no answer: status, media type, body.
ODD: dict[str, tuple[int, str, bytes]] = {
    "500": (500, "application/json", b"{}"),
    "500 in HTML": (502, "text/html", b"<h1>Bad gateway</h1>"),
    "HTML": (200, "text/html", b"<html>Please sign in</html>"),
    "huge": (200, "application/json", b'"' + b"x" * MOST_BYTES + b'"'),
    "deep": (200, "application/json", DEEP),
    "broken": (200, "application/json", b'{"envelope": '),
    "a list": (200, "application/json", b"[]"),
    "another object": (200, "application/json", b'{"envelope": {"body": 3}, "keys": [], "slot": 7}'),
    "nothing": (200, "", b""),
    "too many": (429, "application/json", b"{}"),
}

#: The protocol's own acknowledgement is any 2xx, so these cannot be told from one.
NOT_OF_DSP = ("nothing", "another object")


def said(url: str, odd: str) -> Answer:
    """What the guarded client makes of an odd answer (its caps: tests/unit/kit)."""
    status, media_type, body = ODD[odd]
    if len(body) > MOST_BYTES:
        raise Unreachable(url, "answer too large")
    return answered(url, status, media_type, body)


class Bad:
    """Each message is first lost, or answered with nonsense; then it takes effect and the answer is lost; then it goes
    through, and is repeated once later on."""

    def __init__(self) -> None:
        self.tried: dict[tuple[str, str, str], int] = {}

    async def between(self, message: Message, forward: Forward) -> Answer:
        if not PROMISED.match(f"{message.method} {message.path}"):
            return await forward()
        key = (message.source, message.target, f"{message.method} {message.path}")
        times = self.tried[key] = self.tried.get(key, 0) + 1
        kinds = [one for one in ODD if one not in NOT_OF_DSP] if "/dsp/" in message.path else list(ODD)
        odd = kinds[len(self.tried) % len(kinds)]
        if times == 1:
            if len(self.tried) % 3 == 0:
                raise Unreachable(message.url, "timed out")
            return said(message.url, odd)
        if times == 2:
            await forward()
            return said(message.url, odd)
        return await forward()


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Small]:
    async with opened(tmp_path) as found:
        yield found


async def test_a_study_through_a_network_that_loses_garbles_and_repeats(small: Small) -> None:
    small.need_walls()
    bad = Bad()
    small.space.network.between = bad.between
    kept = await small.played()
    await small.proven()
    assert twice(small.stores, small.study) == []
    assert kept["settled"]["body"]["held"] == []
    assert all(result.startswith("DELETED") for result in certified(small.stores["p01"], small.study).values())
    assert len(bad.tried) > 50


async def test_whatever_was_sent_in_a_study_and_is_sent_again_changes_nothing(small: Small) -> None:
    """A replay by somebody who listened: every request once more, word for word, in the order and in reverse."""
    heard: list[Message] = []

    async def listen(message: Message, forward: Forward) -> Answer:
        heard.append(message)
        return await forward()

    small.space.network.between = listen
    await small.played("staged")
    await small.proven()
    small.space.network.between = None
    before = await at_rest(small)
    changing = [one for one in heard if one.method != "GET"]
    assert len({one.path.split("/")[1] for one in changing}) > 6
    for message in [*changing, *reversed(changing)]:
        answer = await small.space.network.deliver(message)
        assert answer.status < 500, (message.path, answer)
    after = await at_rest(small)
    assert {
        name: (rows - after[name], after[name] - rows) for name, rows in before.items() if rows != after[name]
    } == {}


#: The rows of each table of each node, by node and table.
Rows = dict[str, "Counter[str]"]
#: It comes round by itself, whatever is sent.
SWEEP = "standing-sweep"
#: Of a promise what it is and what became of it, not when and how often it was tried.
LASTING = f"select process, kind, payload, state from promise where kind != '{SWEEP}'"


async def at_rest(small: Small) -> Rows:
    """Everything, once no node has anything more to do: all that is promised is due later."""

    async def quiet() -> bool:
        soon = small.space.clock.now() + 5_000
        promised = [one for store in small.stores.values() for one in store.read_now(waiting) if one.kind != SWEEP]
        return not [one for one in promised if one.attempts or one.due_at < soon]

    await eventually(quiet, "nothing is under way")
    return {
        f"{name}.{table}": rows
        for name, store in small.stores.items()
        for table, rows in store.read_now(_tables).items()
        if table != "journal"  # it may say that somebody tried
    }


def _tables(session: Session) -> Rows:
    connection = session.connection()
    queries = {name: f'select * from "{name}"' for name in inspect(connection).get_table_names()} | {"promise": LASTING}
    return {name: Counter(map(repr, connection.execute(text(query)))) for name, query in queries.items()}
