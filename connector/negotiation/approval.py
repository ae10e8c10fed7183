"""Which negotiations wait for one of our people, at which step."""

from collections.abc import Sequence
from enum import StrEnum

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.model import Approval


class When(StrEnum):
    """What waits: clauses that changed, every request and offer, or every step up to the end."""

    CHANGES = "changes"
    OFFERS = "offers"
    STEPS = "steps"


def rules(session: Session, peer: str, dataset: str) -> Sequence[When]:
    """The rules that hold for this peer and dataset."""
    query = select(Approval).where(col(Approval.dataset).in_(("", dataset)), col(Approval.peer).in_(("", peer)))
    return [When(row.when) for row in session.exec(query)]


def offer_waits(found: Sequence[When], *, changed: bool) -> bool:
    """Whether a request or an offer waits."""
    return any(changed or when is not When.CHANGES for when in found)


def step_waits(found: Sequence[When]) -> bool:
    """Whether what follows from a yes waits too: agreement, verification, the last event."""
    return When.STEPS in found


def approvals(session: Session) -> list[Approval]:
    """All rules."""
    return list(session.exec(select(Approval).order_by(Approval.dataset, Approval.peer)))


async def keep(runtime: Runtime, person: str, dataset: str, peer: str, when: When | None) -> list[Approval]:
    """Sets the rule for `dataset` and `peer` (empty: any), or takes it away; returns all rules."""

    def change(unit: Unit) -> list[Approval]:
        now = runtime.now()
        kept = unit.session.get(Approval, (dataset, peer))
        if when is not None:
            unit.session.merge(Approval(dataset=dataset, peer=peer, when=when, by=person, at=now))
        elif kept is not None:
            unit.session.delete(kept)
        journal.record(
            unit, "approval-changed", now=now, by=person, dataset=dataset or "*", peer=peer or "*", when=when or "–"
        )
        unit.session.flush()
        return approvals(unit.session)

    return await runtime.store.run(change)
