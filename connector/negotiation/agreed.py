"""What a provider agrees to: the agreement with its rules untouched, and the receipt of it once it is final."""

import uuid
from datetime import timedelta
from typing import Any, Final

from sqlmodel import Session

from connector.evidence import journal
from connector.evidence.service import author
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import core
from connector.negotiation.judgement import Judgement
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import Message, Side
from connector.rights import peers
from connector.rights.model import PermitRow
from connector.sources.model import Snapshot
from connector.sources.service import snapshot_for
from vocab.errors import Refusal
from vocab.messages import negotiation as messages
from vocab.odrl import offer as offers
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise

Json = dict[str, Any]

#: How long an agreement on public data may be used: nothing else says when it ends.
PUBLIC_LASTS: Final = timedelta(days=365) // timedelta(milliseconds=1)


def agree(
    unit: Unit,
    runtime: Runtime,
    row: Negotiation,
    judgement: Judgement,
    given: Policy,
    permit: PermitRow | None,
) -> Agreement:
    """We agree to what lies on the table (`given` is its normal form): the agreement is kept, its message promised.

    Raises `Refusal`: agreement-exists, snapshot-not-accepted, provider-stopped.
    """
    now = runtime.now()
    consumer_pid, provider_pid = core.pids(row)
    if permit is not None:
        row.study, row.permit = permit.study, permit.id
        taken = core.in_force(unit.session, permit.study, row.dataset, row.peer)
        if taken is not None:
            raise Refusal("agreement-exists", agreement=taken.id)
    snapshot = usable_snapshot(unit.session, permit.study, row.dataset) if permit else None
    document = offers.agreement(
        row.offer, str(uuid.uuid4()), target=row.dataset, assigner=runtime.did, assignee=row.peer, at=now
    )
    policy = normalise(document)
    agreement = Agreement(
        id=policy.id,
        negotiation=row.id,
        side=Side.PROVIDER,
        provider=runtime.did,
        consumer=row.peer,
        dataset=row.dataset,
        document=document,
        policy=policy.to_json(),
        digest=policy.digest,
        offer=given.id,
        offer_digest=given.digest,
        study=permit.study if permit else None,
        permit=permit.id if permit else None,
        snapshot=snapshot.digest if snapshot else None,
        until=ends(policy, permit),
        at=now,
    )
    row.agreement = agreement.id
    unit.session.add(agreement)
    unit.session.flush()
    core.hold(unit, runtime, agreement, judgement, now)
    journal.record(
        unit,
        "negotiation-agreed",
        now=now,
        study=agreement.study,
        by=row.peer,
        dataset=row.dataset,
        agreement=agreement.id,
    )
    core.sent(unit, row, Message.AGREEMENT, messages.agreement(consumer_pid, provider_pid, document), now)
    return agreement


def ends(policy: Policy, permit: PermitRow | None) -> int:
    """When an agreement ends: with its permit, or on public data a year after its date, which both sides know."""
    return permit.until if permit else (policy.timestamp or 0) + PUBLIC_LASTS


def finalise(unit: Unit, runtime: Runtime, row: Negotiation, judgement: Judgement | None) -> None:
    """The last event with its receipt in the same unit, or the end with the reason."""
    agreement = unit.session.get(Agreement, row.agreement) if row.agreement else None
    refusal = judgement.refusal() if judgement else Refusal("no-agreement", rule="agreement")
    refusal = refusal or _snapshot_changed(unit.session, agreement)
    if refusal is not None or agreement is None:
        core.terminate(unit, runtime, row, refusal or Refusal("no-agreement", rule="agreement"))
        return
    now = runtime.now()
    core.sent(unit, row, Message.FINALIZED, messages.event(*core.pids(row), "FINALIZED"), now)
    agreement.state = "FINALIZED"
    _receipt(unit, runtime, agreement)
    journal.record(
        unit,
        "agreement-final",
        now=now,
        study=agreement.study,
        by=agreement.consumer,
        dataset=agreement.dataset,
        agreement=agreement.id,
    )


def _receipt(unit: Unit, runtime: Runtime, agreement: Agreement) -> None:
    """Starts the receipt's way to the other side and the log. A participant of another space signs none: one-sided."""
    if agreement.study is None:
        kind, about, more = "public-agreement", public_subject(agreement), {}
    else:
        snapshot = usable_snapshot(unit.session, agreement.study, agreement.dataset)
        kind, about = "agreement", subject(agreement, snapshot.patients)
        more = {"k": snapshot.k, "deid_profile": snapshot.deid_profile}
    author(
        unit,
        runtime,
        kind,
        about=agreement.id,
        subject=about,
        payload={"agreement": agreement.document, **more},
        counterparty=agreement.consumer,
        study=agreement.study,
        alone=not peers.members(runtime, agreement.consumer),
    )


def usable_snapshot(session: Session, study: str, dataset: str) -> Snapshot:
    """The snapshot to agree on. Raises `Refusal("snapshot-not-accepted" | "provider-stopped")`."""
    found = snapshot_for(session, study, dataset)
    if found is None or not found.accepted:
        raise Refusal(
            "snapshot-not-accepted", rule="snapshot.accepted", needed=True, seen=bool(found and found.accepted)
        )
    if found.stopped:
        raise Refusal("provider-stopped", rule="snapshot.stopped", needed=False, seen=True)
    return found


def _snapshot_changed(session: Session, agreement: Agreement | None) -> Refusal | None:
    """Why the snapshot that was agreed on is no longer the one to use."""
    if agreement is None or agreement.study is None:
        return None
    try:
        found = usable_snapshot(session, agreement.study, agreement.dataset)
    except Refusal as refusal:
        return refusal
    if found.digest != agreement.snapshot:
        return Refusal("snapshot-not-accepted", rule="snapshot.digest", needed=agreement.snapshot, seen=found.digest)
    return None


def subject(agreement: Agreement, patients: int) -> Json:
    """What the log shows of an agreement: ids, digests and the number that money is computed from."""
    return {
        **public_subject(agreement),
        "study": agreement.study,
        "permit": agreement.permit,
        "snapshot": agreement.snapshot,
        "patients": patients,
    }


def public_subject(agreement: Agreement) -> Json:
    """What the log shows of an agreement on public data."""
    return {
        "agreement": agreement.id,
        "provider": agreement.provider,
        "consumer": agreement.consumer,
        "dataset": agreement.dataset,
        "policy": agreement.digest,
        "offer": agreement.offer_digest,
        "until": agreement.until,
    }
