"""Permits: made from a decision, signed, brought to whoever they concern, suspended, ended, lapsed."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise
from connector.kit.runtime import Runtime
from connector.rights.relay import demand
from governance.boards.model import DecisionRow, PermitIssued
from governance.boards.rules import MAX_JOBS
from governance.boards.states import Command, PermitState, permit_after
from governance.members.model import MemberRow
from governance.members.service import set_permit
from vocab.errors import Refusal
from vocab.records.application import LONGEST, Application
from vocab.records.permit import Covered, Permit, Sign, issued


def es256(key: EllipticCurvePrivateKey) -> Sign:
    """Signatures as JWS wants them: r and s, 32 bytes each."""

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def drawn(
    application: Application,
    *,
    permit_id: str,
    issuer: str,
    vetoed: Mapping[str, str],
    digest: str,
    now: int,
) -> Permit:
    """The permit that an approved application becomes: its columns, without the datasets that were vetoed."""
    if application.irb is None:
        raise Refusal("irb-missing", rule="irb")
    return Permit(
        id=permit_id,
        issuer=issuer,
        study=application.id,
        applicant=application.applicant,
        datasets=tuple(
            Covered(one.id, one.provider, one.columns) for one in application.datasets if one.id not in vetoed
        ),
        purpose=application.purpose,
        legal_purpose=application.legal_purpose,
        disease=application.disease,
        code_digests=application.code_digests,
        image_digests=application.image_digests,
        zone=application.zone,
        begins=now,
        until=now + application.period_ms,
        irb_decision=application.irb.decision,
        irb_until=application.irb.until,
        drb="approved",
        outcome_reward=application.outcome_reward,
        max_jobs=MAX_JOBS,
        decision_digest=digest,
    )


def issue(unit: Unit, runtime: Runtime, permit: Permit) -> PermitIssued:
    """The permit is in force: it stands in the standing list, and is promised to whoever it concerns."""
    now = runtime.now()
    row = PermitIssued(
        id=permit.id,
        application=permit.study,
        jws=issued(permit, es256(runtime.keys.token)),
        fields=permit.claims(),
        state=PermitState.ACTIVE,
        until=permit.until,
        at=now,
    )
    unit.session.add(row)
    unit.session.flush()
    set_permit(unit, runtime, permit.id, permit.study, row.state)
    for did in dict.fromkeys((*permit.providers, permit.zone, permit.applicant)):
        payload = {"permit": permit.id, "to": did}
        outbox.promise(unit, f"permit {permit.id} {did}", "permit", payload, now=now, study=permit.study)
    payload = {"permit": permit.id}
    outbox.promise(
        unit,
        f"lapse {permit.id}",
        "board-permit-lapses",
        payload,
        now=now,
        study=permit.study,
        due_at=permit.until,
        deadline_at=permit.until + LONGEST,
    )
    journal.record(unit, "permit-issued", now=now, study=permit.study, permit=permit.id, until=permit.until)
    return row


def change(unit: Unit, runtime: Runtime, row: PermitIssued, command: Command, by: str, reason: str) -> None:
    """Suspends, resumes or ends a permit; every node hears it with the next standing list."""
    row.state, row.reason = permit_after(PermitState(row.state), command), reason
    set_permit(unit, runtime, row.id, row.application, row.state)
    journal.record(
        unit, "permit-state", now=runtime.now(), study=row.application, by=by, state=row.state, reason=reason
    )


def close(unit: Unit, runtime: Runtime, application: str) -> None:
    """The applicant is done: its permit, if it has one that has not ended, ends."""
    row = of_application(unit.session, application)
    if row is not None and row.state != PermitState.ENDED:
        change(unit, runtime, row, Command.CLOSE, row.fields["applicant"], "closed by the applicant")


def of_application(session: Session, application: str) -> PermitIssued | None:
    """The newest permit of an application."""
    query = select(PermitIssued).where(PermitIssued.application == application).order_by(col(PermitIssued.at).desc())
    return session.exec(query).first()


async def push(runtime: Runtime, row: Promise) -> Performed:
    """Effect `permit`: brings it to one of the nodes that it concerns. A refusal there is final, and is journalled."""
    permit_id, did = row.payload["permit"], row.payload["to"]

    def load(session: Session) -> tuple[dict[str, Any], str] | None:
        permit, member = session.get(PermitIssued, permit_id), session.get(MemberRow, did)
        if permit is None or member is None:
            return None
        decided = session.exec(
            select(DecisionRow).where(DecisionRow.digest == permit.fields["decision_digest"])
        ).first()
        return ({"permit": permit.jws, "decision": decided.envelope}, member.url) if decided else None

    found = await runtime.store.read(load)
    if found is None:
        raise Refusal("not-found", what=permit_id)
    answer = await runtime.peer.request("POST", f"{found[1]}/permits", json=found[0])
    demand(answer, 204)
    return None


def not_taken(unit: Unit, row: Promise, refusal: Refusal) -> None:
    """A node refused the permit, or could not be reached in time: the board's people must know."""
    journal.refused(unit, refusal, now=row.deadline_at, kind="permit-not-taken", study=row.study, by=row.payload["to"])


async def lapse(runtime: Runtime, row: Promise) -> Performed:
    """Effect `board-permit-lapses`: the permit's time is over."""

    def done(unit: Unit) -> None:
        permit = unit.session.get(PermitIssued, row.payload["permit"])
        if permit is not None and permit.state != PermitState.ENDED:
            change(unit, runtime, permit, Command.END, runtime.did, "expired")

    return done
