"""What the tests beside this do at the nodes: author, wait, break, look."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlmodel import Session, select

from connector.evidence.model import Receipt
from connector.evidence.service import Receipts, author
from connector.kit.db import Unit
from governance.log.model import LogEntry
from tests.space import Space, eventually
from vocab.errors import Refusal

KIND = "probe"
SUBJECT = {"agreement": "a-1", "dataset": "D-H01-DM"}
PAYLOAD = {"text": "what both agreed"}
STUDY = "urn:uuid:5f0c7a34-0000-4000-8000-000000000001"


def ready(space: Space, name: str) -> list[str]:
    """`name` countersigns receipts of the tests' kind, except those that speak of a lie. Returns what was completed."""
    completed: list[str] = []

    def check(_unit: Unit, body: dict[str, Any], _payload: dict[str, Any]) -> None:
        if body["subject"].get("agreement") == "lie":
            raise Refusal("receipt-disputed", what="agreement", needed="a-1", seen="lie")
        if body["subject"].get("agreement") == "early":
            raise Refusal("not-found", what="agreement")

    receipts = space.nodes[name].runtime.get(Receipts)
    receipts.checks[KIND] = check
    receipts.completed[KIND] = lambda _unit, row: completed.append(row.id)
    return completed


def agreeing(space: Space, name: str, kind: str) -> None:
    """`name` countersigns whatever receipt of this kind arrives."""
    space.nodes[name].runtime.get(Receipts).checks[kind] = lambda *_: None


async def authored(space: Space, name: str, other: str | None, about: str, **subject: str) -> str:
    runtime = space.nodes[name].runtime

    def made(unit: Unit) -> str:
        counterparty = space.nodes[other].runtime.did if other else None
        return author(
            unit,
            runtime,
            KIND,
            about=about,
            subject={**SUBJECT, **subject},
            payload=PAYLOAD,
            counterparty=counterparty,
            study=STUDY,
        ).id

    return await runtime.store.run(made)


async def kept(space: Space, name: str, receipt: str) -> Receipt | None:
    return await space.nodes[name].runtime.store.read(lambda session: session.get(Receipt, receipt))


async def waits(space: Space, name: str, receipt: str, what: Callable[[Receipt], Any], seconds: float = 60) -> Receipt:
    async def look() -> Receipt | None:
        row = await kept(space, name, receipt)
        return row if row is not None and what(row) else None

    found = await eventually(look, f"{name} {receipt}", seconds)
    assert isinstance(found, Receipt)
    return found


async def logged(space: Space) -> list[LogEntry]:
    def read(session: Session) -> list[LogEntry]:
        return list(session.exec(select(LogEntry).where(LogEntry.type == KIND).order_by(LogEntry.index)))

    return await space.nodes["op"].runtime.store.read(read)


async def restarted(space: Space, name: str) -> None:
    await space.stop(name)
    await asyncio.sleep(0)
    await space.start(name)
    ready(space, name)
