"""The provider's side: a request is agreed at once or refused with its reason; a verified agreement is finalised."""

import uuid
from typing import Any

from sqlmodel import Session, select

from connector.datasets.model import Dataset, Offer
from connector.datasets.service import dataset_facts, described, offered
from connector.evidence import journal
from connector.evidence.service import author
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import core
from connector.negotiation.judgement import Deal, Judgement, judged, permit_of
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import Message, Side, State, after
from connector.rights.model import PermitRow
from connector.rights.service import Rights
from connector.sources.model import Snapshot
from connector.sources.service import snapshot_for
from vocab.errors import Refusal
from vocab.messages import negotiation as messages
from vocab.messages.negotiation import ContractRequest, Verification
from vocab.odrl import offer as offers
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.records.envelope import digest

Json = dict[str, Any]


async def receive_request(runtime: Runtime, by: Caller, message: ContractRequest) -> Json:
    """A first request: agreed, or refused and nothing is created. The same request again gets the same answer.

    Raises `Refusal`: the gate's code, offer-unknown, offer-changed, agreement-exists, snapshot-not-accepted, ...
    """
    try:
        return await _receive_request(runtime, by, message)
    except Refusal as refusal:
        refusal.values.update(study=message.study, by=by.did)
        raise


async def _receive_request(runtime: Runtime, by: Caller, message: ContractRequest) -> Json:
    address = _callback(runtime, by.did, message.callback)
    asked = digest({"offer": message.offer, "study": message.study, "permit": message.permit, "callback": address})
    kept = await runtime.store.read(lambda session: _begun(session, by.did, message.consumer_pid))
    if kept is not None:
        return await runtime.store.run(lambda unit: _again(unit, runtime, by, kept, asked))
    dataset = str(message.offer["target"])

    def read(session: Session) -> tuple[Offer, Policy, Dataset, PermitRow | None]:
        row, policy = offered(session, dataset, str(message.offer["@id"]))
        permit = permit_of(session, message.permit, message.study, by.did, dataset)
        return row, policy, described(session, dataset), permit

    offer, policy, about, permit = await runtime.store.read(read)
    given = normalise(message.offer, target=dataset)
    deal = Deal(runtime.did, by.did, dataset_facts(about), permit, known=policy, given=given)
    judgement = await judged(runtime, deal)
    if refusal := judgement.refusal():
        raise refusal
    assert permit is not None  # noqa: S101 - no gate says yes without a permit
    granted = permit
    pid = str(uuid.uuid4())
    row = Negotiation(
        id=pid,
        provider_pid=pid,
        side=Side.PROVIDER,
        peer=by.did,
        address=address,
        consumer_pid=message.consumer_pid,
        dataset=dataset,
        dataset_facts=deal.dataset,
        offer=message.offer,
        request=asked,
        study=permit.study,
        permit=permit.id,
        decision=judgement.decision.to_json(),
        begun_at=runtime.now(),
        changed_at=runtime.now(),
    )
    return await runtime.store.run(lambda unit: _agree(unit, runtime, by, row, message, offer, granted, judgement))


async def receive_counter(runtime: Runtime, by: Caller, pid: str, message: ContractRequest) -> Json:
    """A counter-request. This provider makes no counter-offers, so there is none to counter: the table refuses it."""
    row = await runtime.store.read(lambda session: core.addressed(session, pid, by.did, message))
    after(State(row.state), Side.CONSUMER, Message.REQUEST)
    raise Refusal("process-unknown", pid=pid, by=by.did)


async def receive_verification(runtime: Runtime, by: Caller, pid: str, message: Verification) -> None:
    """The consumer verified: asked again, the gate lets the agreement become final, or it ends with the reason."""

    def read(session: Session) -> tuple[Negotiation, Agreement | None, PermitRow | None]:
        row = core.addressed(session, pid, by.did, message)
        permit = session.get(PermitRow, row.permit) if row.permit else None
        return row, session.get(Agreement, row.agreement) if row.agreement else None, permit

    row, agreement, permit = await runtime.store.read(read)
    judgement = None
    if agreement is not None:
        policy = Policy.from_json(agreement.policy)
        deal = Deal(runtime.did, by.did, row.dataset_facts, permit, known=policy, given=policy)
        judgement = await judged(runtime, deal)

    def take(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        current = core.addressed(unit.session, pid, by.did, message)
        if core.repeated(unit.session, by.did, message):
            return
        core.received(unit, current, Message.VERIFICATION, message, runtime.now())
        refusal = judgement.refusal() if judgement else Refusal("no-agreement", rule="agreement")
        refusal = refusal or _snapshot_changed(unit.session, current)
        if refusal is not None:
            core.terminate(unit, runtime, current, refusal)
        else:
            _finalise(unit, runtime, current)

    await runtime.store.run(take)


def _callback(runtime: Runtime, peer: str, callback: str | None) -> str:
    """Where the peer takes answers: an address of its own, as the standing list knows it."""
    member = runtime.get(Rights).demand().member(peer)
    home = member.url.rstrip("/") if member else "–"
    given = (callback or "").rstrip("/")
    if given != home and not given.startswith(f"{home}/"):
        raise Refusal("callback-foreign", needed=home, seen=given or "–")
    return given


def _begun(session: Session, peer: str, consumer_pid: str) -> Negotiation | None:
    query = select(Negotiation).where(
        Negotiation.peer == peer, Negotiation.consumer_pid == consumer_pid, Negotiation.side == Side.PROVIDER
    )
    return session.exec(query).first()


def _again(unit: Unit, runtime: Runtime, by: Caller, kept: Negotiation, asked: str) -> Json:
    spend(unit, by, runtime.now())
    if kept.request != asked:
        raise Refusal("process-exists", pid=kept.consumer_pid)
    return core.shown(core.load(unit.session, kept.id, by.did))


def _agree(
    unit: Unit,
    runtime: Runtime,
    by: Caller,
    row: Negotiation,
    message: ContractRequest,
    offer: Offer,
    permit: PermitRow,
    judgement: Judgement,
) -> Json:
    """Creates negotiation and agreement together, and promises the agreement message."""
    now = runtime.now()
    spend(unit, by, now)
    kept = _begun(unit.session, by.did, row.consumer_pid)
    if kept is not None:  # the same request, twice at once
        return core.shown(kept)
    taken = core.in_force(unit.session, permit.study, row.dataset, by.did)
    if taken is not None:
        raise Refusal("agreement-exists", agreement=taken.id)
    snapshot = _usable_snapshot(unit.session, permit.study, row.dataset)
    negotiation = Negotiation(**row.model_dump())
    document = offers.agreement(
        offer.document, str(uuid.uuid4()), target=row.dataset, assigner=runtime.did, assignee=by.did, at=now
    )
    policy = normalise(document)
    agreement = Agreement(
        id=policy.id,
        negotiation=negotiation.id,
        side=Side.PROVIDER,
        provider=runtime.did,
        consumer=by.did,
        dataset=row.dataset,
        document=document,
        policy=policy.to_json(),
        digest=policy.digest,
        offer=offer.id,
        offer_digest=offer.digest,
        study=permit.study,
        permit=permit.id,
        snapshot=snapshot.digest,
        until=permit.until,
        at=now,
    )
    negotiation.agreement = agreement.id
    unit.session.add(negotiation)
    unit.session.add(agreement)
    unit.session.flush()
    core.received(unit, negotiation, Message.REQUEST, message, now)
    core.hold(unit, agreement, judgement, now)
    journal.record(
        unit, "negotiation-agreed", now=now, study=permit.study, by=by.did, dataset=row.dataset, agreement=agreement.id
    )
    answer = core.shown(negotiation, State.REQUESTED)
    core.sent(
        unit,
        negotiation,
        Message.AGREEMENT,
        messages.agreement(negotiation.consumer_pid, negotiation.id, document),
        now,
    )
    return answer


def _usable_snapshot(session: Session, study: str, dataset: str) -> Snapshot:
    """The snapshot to agree on. Raises `Refusal("snapshot-not-accepted" | "provider-stopped")`."""
    found = snapshot_for(session, study, dataset)
    if found is None or not found.accepted:
        raise Refusal(
            "snapshot-not-accepted", rule="snapshot.accepted", needed=True, seen=bool(found and found.accepted)
        )
    if found.stopped:
        raise Refusal("provider-stopped", rule="snapshot.stopped", needed=False, seen=True)
    return found


def _snapshot_changed(session: Session, row: Negotiation) -> Refusal | None:
    """Why the snapshot that was agreed on is no longer the one to use."""
    agreement = session.get(Agreement, row.agreement)
    try:
        found = _usable_snapshot(session, row.study or "", row.dataset)
    except Refusal as refusal:
        return refusal
    if agreement is None or found.digest != agreement.snapshot:
        needed = agreement.snapshot if agreement else None
        return Refusal("snapshot-not-accepted", rule="snapshot.digest", needed=needed, seen=found.digest)
    return None


def _finalise(unit: Unit, runtime: Runtime, row: Negotiation) -> None:
    """Final: the receipt is authored in the same unit, and starts its way to the other side and the log."""
    now = runtime.now()
    agreement = unit.session.get(Agreement, row.agreement)
    snapshot = _usable_snapshot(unit.session, row.study or "", row.dataset)
    assert agreement is not None  # noqa: S101 - a verified negotiation has one
    assert row.provider_pid is not None  # noqa: S101 - ours
    core.sent(unit, row, Message.FINALIZED, messages.event(row.consumer_pid, row.provider_pid, "FINALIZED"), now)
    agreement.state = "FINALIZED"
    author(
        unit,
        runtime,
        "agreement",
        about=agreement.id,
        subject=subject(agreement, snapshot.patients),
        payload={"agreement": agreement.document, "k": snapshot.k, "deid_profile": snapshot.deid_profile},
        counterparty=agreement.consumer,
        study=agreement.study,
    )
    journal.record(
        unit,
        "agreement-final",
        now=now,
        study=agreement.study,
        by=agreement.consumer,
        dataset=agreement.dataset,
        agreement=agreement.id,
    )


def subject(agreement: Agreement, patients: int) -> Json:
    """What the log shows of an agreement: ids, digests and the number that money is computed from."""
    return {
        "agreement": agreement.id,
        "provider": agreement.provider,
        "consumer": agreement.consumer,
        "dataset": agreement.dataset,
        "study": agreement.study,
        "permit": agreement.permit,
        "policy": agreement.digest,
        "offer": agreement.offer_digest,
        "snapshot": agreement.snapshot,
        "patients": patients,
        "until": agreement.until,
    }
