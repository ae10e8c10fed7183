"""The decision: the numbers say yes or no, the operator signs for the board, an approval becomes a permit."""

import uuid
from typing import Any

from sqlmodel import Session

from connector.evidence import journal
from connector.evidence.service import author
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.service import Rights, Standing
from connector.web.people import Person
from governance.boards import permits
from governance.boards.case import Case, advance, case
from governance.boards.intake import application_row, demand_delegated, demand_parties
from governance.boards.model import DecisionRow
from governance.boards.rules import MAX_JOBS, RULES, demand_quorum
from governance.boards.states import Command, State, Step, demand
from governance.members.service import take_effect
from vocab.errors import Refusal
from vocab.records.application import demand_grounds
from vocab.records.envelope import Envelope, digest, signed
from vocab.records.permit import Permit


async def decide(runtime: Runtime, person: Person, application: str) -> DecisionRow:
    """The chair closes the deliberation; the numbers decide. An approval becomes a permit in the same unit.

    Raises `not-in-deliberation`, `duty-missing`, `board-incomplete`, `board-quorum-missing`; for an approval also
    `veto` (when no dataset is left), `not-delegated`, `irb-expired`, `provider-unknown`, `zone-unknown`.
    """
    standing, now = runtime.get(Rights).demand(), runtime.now()

    def look(session: Session) -> Case:
        found = case(session, standing, application)
        demand(State(found.row.state), person.duties, Command.DECIDE)
        demand_quorum(found.seats, found.numbers)
        if found.numbers.carried:
            _demand_grantable(session, standing, found, now)
        return found

    found = await runtime.store.read(look)
    envelope = signed(_decision(found, now), runtime.did, runtime.keys.sign)
    permit = _permit(runtime, found, envelope, now) if found.numbers.carried else None
    row = await runtime.store.run(lambda unit: _decided(unit, runtime, person, found, envelope, permit))
    await take_effect(runtime)
    return row


def _demand_grantable(session: Session, standing: Standing, found: Case, now: int) -> None:
    """Raises unless an approval would leave something that may be permitted."""
    vetoed = {one.dataset: one.reason for one in found.vetoes}
    left = [(one.id, one.provider) for one in found.application.datasets if one.id not in vetoed]
    if not left:
        dataset, reason = next(iter(vetoed.items()))
        raise Refusal("veto", rule="provider", seen=sorted(vetoed), dataset=dataset, why=reason)
    demand_delegated(session, left, now)
    demand_grounds(found.application, now)
    demand_parties(standing, found.application)
    if not standing.active(found.application.applicant):
        raise Refusal("not-a-member", rule="applicant", seen=found.application.applicant)


def _decision(found: Case, now: int) -> dict[str, Any]:
    votes = [one for one in found.votes if one.member not in found.recused]
    return {
        "type": "decision",
        "application": found.row.id,
        "application_digest": found.row.digest,
        "outcome": "approved" if found.numbers.carried else "rejected",
        "rule_set": RULES.id,
        "seated": [
            {"member": one.member, "organisation": one.organisation, "external": one.external, "key": one.key}
            for one in found.seat_rows
        ],
        "present": [one.member for one in votes],
        "recused": [{"member": member, "why": why} for member, why in sorted(found.recused.items())],
        "votes": [{"member": one.member, "vote": one.vote, "digest": digest(one.envelope)} for one in votes],
        "arithmetic": found.numbers.to_json(),
        "vetoed": [{"dataset": one.dataset, "why": one.reason} for one in found.vetoes],
        "conditions": {
            "max_jobs": MAX_JOBS,
            "period_ms": found.application.period_ms,
            "publish_by_days": found.application.publish_by_days,
        },
        "at": now,
    }


def _permit(runtime: Runtime, found: Case, envelope: Envelope, now: int) -> Permit:
    return permits.drawn(
        found.application,
        permit_id=uuid.uuid4().urn,
        issuer=runtime.did,
        vetoed={one.dataset: one.reason for one in found.vetoes},
        digest=digest(envelope["body"]),
        now=now,
    )


def _decided(
    unit: Unit, runtime: Runtime, person: Person, found: Case, envelope: Envelope, permit: Permit | None
) -> DecisionRow:
    row, body = application_row(unit.session, found.row.id), envelope["body"]
    if row.revision != found.row.revision:
        raise Refusal("changed-meanwhile", what=row.id)
    advance(row, Step.APPROVE if permit else Step.REJECT, None)
    decided = DecisionRow(
        application=row.id,
        round=row.round,
        outcome=body["outcome"],
        digest=digest(body),
        envelope=envelope,
        at=body["at"],
    )
    unit.session.add(decided)
    numbers = {name: body["arithmetic"][name] for name in ("present", "yes", "cast", "needed")}
    journal.record(unit, "decided", now=body["at"], study=row.id, by=person.id, outcome=body["outcome"], **numbers)
    covered = [one.id for one in permit.datasets] if permit else []
    subject = {
        "study": row.id,
        "applicant": row.applicant,
        "outcome": body["outcome"],
        "rule_set": body["rule_set"],
        "decision": decided.digest,
        "permit": permit.id if permit else None,
        "datasets": covered,
        "from": permit.begins if permit else None,
        "until": permit.until if permit else None,
        "outcome_reward": permit.outcome_reward if permit else None,
    }
    author(unit, runtime, "decision", about=row.id, subject=subject, payload=body, counterparty=None, study=row.id)
    if permit is not None:
        permits.issue(unit, runtime, permit)
    return decided
