"""The receipts of a study, authored by the nodes whose they are and logged; the rooms that make them are not asked."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlmodel import select

from connector.evidence.model import Receipt
from connector.evidence.service import Receipts, author
from connector.kit.db import Unit
from governance.log.model import LogEntry
from governance.log.service import head, log_key
from governance.members.service import set_permit, take_effect
from tests.space import Space, eventually

NAMES = ("op", "h01", "h03", "a02", "p01")


@dataclass
class Study:
    """A study that was played; `id` and `permit` carry it."""

    space: Space
    id: str
    permit: str

    def did(self, name: str) -> str:
        return self.space.nodes[name].runtime.did

    async def author(self, name: str, kind: str, other: str | None, about: str, subject: dict[str, Any]) -> str:
        """A receipt of the study; its id."""
        runtime = self.space.nodes[name].runtime

        def made(unit: Unit) -> str:
            to = self.did(other) if other else None
            row = author(unit, runtime, kind, about=about, subject=subject, payload={}, counterparty=to, study=self.id)
            return row.id

        return await runtime.store.run(made)

    async def agreement(self, hospital: str, dataset: str, patients: int) -> str:
        subject = {"permit": self.permit, "dataset": dataset, "patients": patients}
        return await self.author(hospital, "agreement", "a02", f"agreement {dataset}", subject)

    async def task(self, name: str, minutes: Any) -> str:
        return await self.author("p01", "task-end", "a02", name, {"started_minutes": minutes})

    async def published(self, *receipts: str) -> None:
        """These are in the log, under a checkpoint that both camps cosigned."""
        runtime = self.space.nodes["op"].runtime

        def look(session: Any) -> bool:
            size = head(session, log_key(runtime).name).published_size
            rows = session.exec(select(LogEntry.receipt).where(LogEntry.index < size)).all()
            return set(receipts) <= set(rows)

        async def found() -> bool:
            return await runtime.store.read(look)

        await eventually(found, "published")

    async def end(self, state: str = "ended") -> None:
        """The standing list says that the permit is over."""
        runtime = self.space.nodes["op"].runtime
        await runtime.store.run(lambda unit: set_permit(unit, runtime, self.permit, self.id, state))
        await take_effect(runtime)

    async def settle(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self.space.hand("op", "clerk").post(
            "/api/settlements", {"study": self.id, **more}
        )
        return found

    async def answered(self, run: str, states: dict[str, str]) -> dict[str, Any]:
        """Waits until the parties' answers are these."""
        hand = self.space.hand("op", "clerk")

        async def look() -> dict[str, Any] | None:
            found = await hand.get(f"/api/settlements/{run}")
            seen = {one["party"]: one["state"] for one in found["statements"]}
            return found if {self.did(name): state for name, state in states.items()}.items() <= seen.items() else None

        whole: dict[str, Any] = await eventually(look, f"answers {states}")
        return whole

    async def receipt(self, name: str, kind: str) -> Receipt | None:
        """The newest receipt of this kind at a node."""
        query = select(Receipt).where(Receipt.type == kind, Receipt.study == self.id)
        return await self.space.nodes[name].runtime.store.read(lambda session: session.exec(query).first())


async def played(space: Space) -> Study:
    """Two hospitals, 42 minutes, one release, ended."""
    signs(space)
    study = Study(space, uuid.uuid4().urn, uuid.uuid4().urn)
    subject = {
        "outcome": "approved",
        "applicant": study.did("a02"),
        "permit": study.permit,
        "outcome_reward": 1_000_000,
    }
    receipts = [
        await study.author("op", "decision", None, study.id, subject),
        await study.agreement("h01", "D-H01-DM", 19_993),
        await study.agreement("h03", "D-H03-DM", 7_931),
        await study.task("task-1", 42),
        await study.author("p01", "release", "a02", "release-1", {}),
    ]
    await study.end()
    await study.published(*receipts)
    return study


def signs(space: Space) -> None:
    """The company signs whatever the hospitals and the zone bring: the rooms that would look are not tested here."""
    checks = space.nodes["a02"].runtime.get(Receipts).checks
    for kind in ("agreement", "task-end", "release"):
        checks[kind] = lambda _unit, _body, _payload: None
