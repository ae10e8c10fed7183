"""A hospital's word to the shared board: what it gives into its hands, and what it takes out again (veto).

Both sides keep it; the delegation is signed by both and a receipt of it goes to the log (PIPA 26: it is entrustment).
"""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.service import author
from connector.identity.service import ask
from connector.kit.db import Unit
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.rights.current import Rights
from connector.rights.model import DelegationRow, VetoRow
from connector.rights.relay import relayed
from vocab.errors import Refusal
from vocab.records.envelope import digest, opened, signed

BOARD: Final = "shared-drb"


async def delegate(runtime: Runtime, person: str, datasets: Sequence[str], until: int) -> DelegationRow:
    """Delegates these datasets until `until`. Raises the operator's refusal, or `Refusal("operator-unreachable")`."""
    standing, now = runtime.get(Rights).demand(), runtime.now()
    body: dict[str, Any] = {
        "type": "delegation",
        "id": uuid.uuid4().urn,
        "hospital": runtime.did,
        "board": BOARD,
        "datasets": sorted(set(datasets)),
        "from": now,
        "until": until,
    }
    answer = await _tell(runtime, "/delegations", signed(body, runtime.did, runtime.keys.sign))
    envelope = answer.body.get("envelope") if isinstance(answer.body, dict) else None
    if not isinstance(envelope, dict):
        raise Refusal("peer-refused", seen="answer")
    both = opened(envelope, "delegation", standing.keys, runtime.did, standing.operator)
    if both != body:
        raise Refusal("peer-refused", seen="another delegation")

    def keep(unit: Unit) -> DelegationRow:
        row = DelegationRow(
            id=body["id"],
            envelope=envelope,
            datasets=body["datasets"],
            since=body["from"],
            until=until,
            by=person,
            at=runtime.now(),
        )
        unit.session.add(row)
        journal.record(unit, "delegated", now=row.at, by=person, datasets=row.datasets, until=until)
        author(
            unit,
            runtime,
            "delegation",
            about=row.id,
            subject={"delegation": row.id, "digest": digest(body), "from": row.since, "until": until},
            payload=body,
            counterparty=standing.operator,
        )
        return row

    return await runtime.store.run(keep)


async def veto(runtime: Runtime, person: str, application: str, dataset: str, reason: str) -> VetoRow:
    """Takes one dataset out of one application, for a reason. Raises as `delegate` does."""
    body = {
        "type": "veto",
        "hospital": runtime.did,
        "application": application,
        "dataset": dataset,
        "reason": reason,
        "at": runtime.now(),
    }
    envelope = signed(body, runtime.did, runtime.keys.sign)
    await _tell(runtime, "/vetoes", envelope)

    def keep(unit: Unit) -> VetoRow:
        kept = unit.session.get(VetoRow, (application, dataset))
        if kept is not None:
            return kept
        row = VetoRow(application=application, dataset=dataset, envelope=envelope, by=person, at=runtime.now())
        unit.session.add(row)
        journal.record(unit, "vetoed", now=row.at, study=application, by=person, dataset=dataset, reason=reason)
        return row

    return await runtime.store.run(keep)


def delegations(session: Session) -> list[DelegationRow]:
    """What this hospital has delegated, oldest first."""
    return list(session.exec(select(DelegationRow).order_by(col(DelegationRow.at), col(DelegationRow.id))))


async def _tell(runtime: Runtime, path: str, envelope: dict[str, Any]) -> Answer:
    authority = runtime.settings.authority
    try:
        answer = await ask(runtime, "POST", f"{authority.url}{path}", authority.did, json=envelope)
    except Unreachable as error:
        raise Refusal("operator-unreachable", why=error.why) from None
    if not answer.ok:
        raise relayed(answer)
    return answer
