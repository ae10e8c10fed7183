"""The provider's side: a request is agreed, refused with its reason, or waits for a person; then it becomes final."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, select

from connector.datasets.model import Dataset, Offer
from connector.datasets.service import dataset_facts, described, offered
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import approval, core
from connector.negotiation.agreed import agree, finalise
from connector.negotiation.approval import When
from connector.negotiation.consumer import receive_final
from connector.negotiation.judgement import Deal, Judgement, judged, permit_of
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import Message, Side, State
from connector.rights import peers
from connector.rights.model import PermitRow
from vocab.errors import Refusal
from vocab.messages.negotiation import ContractRequest, Event, Verification
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import with_target
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
    address = peers.callback(runtime, by.did, message.callback)
    asked = digest({"offer": message.offer, "study": message.study, "permit": message.permit, "callback": address})
    kept = await runtime.store.read(lambda session: begun(session, by.did, message.consumer_pid))
    if kept is not None:
        return await runtime.store.run(lambda unit: _again(unit, runtime, by, kept, asked))
    dataset = str(message.offer["target"])

    def read(session: Session) -> tuple[Offer, Policy, Dataset, PermitRow | None, Sequence[When]]:
        row, policy = offered(session, dataset, str(message.offer["@id"]))
        about = described(session, dataset)
        permit = permit_of(session, message.permit, message.study, by.did, dataset) if about.non_public else None
        return row, policy, about, permit, approval.rules(session, by.did, dataset)

    offer, policy, about, permit, rules = await runtime.store.read(read)
    given = normalise(message.offer, target=dataset)
    judgement = await judged(
        runtime, Deal(runtime.did, by.did, dataset_facts(about), permit, known=policy, given=given)
    )
    waits = approval.offer_waits(rules, changed=bool(judgement.differences))
    refusal = judgement.refusal()
    if refusal is not None and not (waits and refusal.code == "offer-changed"):
        raise refusal
    pid, now = str(uuid.uuid4()), runtime.now()
    row = Negotiation(
        id=pid,
        provider_pid=pid,
        side=Side.PROVIDER,
        peer=by.did,
        address=address,
        consumer_pid=message.consumer_pid,
        dataset=dataset,
        dataset_facts=dataset_facts(about),
        offer=message.offer if judgement.differences else with_target(offer.document, dataset),
        before=with_target(offer.document, dataset) if judgement.differences else None,
        request=asked,
        study=permit.study if permit else message.study,
        permit=permit.id if permit else None,
        decision=judgement.decision.to_json(),
        begun_at=now,
        changed_at=now,
    )

    def begin(unit: Unit) -> Json:
        spend(unit, by, now)
        kept = begun(unit.session, by.did, row.consumer_pid)
        if kept is not None:  # the same request, twice at once
            return core.shown(kept)
        negotiation = Negotiation(**row.model_dump())
        unit.session.add(negotiation)
        unit.session.flush()
        core.received(unit, negotiation, Message.REQUEST, message, now)
        answer = core.shown(negotiation, State.REQUESTED)
        if waits:
            core.waiting(unit, negotiation, now)
        else:
            agree(unit, runtime, negotiation, judgement, given, permit)
        return answer

    return await runtime.store.run(begin)


async def receive_counter(runtime: Runtime, by: Caller, pid: str, message: ContractRequest) -> Json:
    """A counter-request: agreed where it asks for what we offered, else ended, unless a person is to decide."""

    def read(session: Session) -> tuple[Negotiation, PermitRow | None, Sequence[When]]:
        row = core.addressed(session, pid, by.did, message)
        return row, _permit(session, row), approval.rules(session, by.did, row.dataset)

    row, permit, rules = await runtime.store.read(read)
    given = normalise(message.offer, target=row.dataset)
    known = normalise(row.offer, target=row.dataset)
    judgement = await judged(runtime, Deal(runtime.did, by.did, row.dataset_facts, permit, known=known, given=given))

    def take(unit: Unit) -> Json:
        current = taken(unit, runtime, by, pid, Message.REQUEST, message)
        if current is None:
            return core.shown(core.load(unit.session, pid, by.did))
        core.table(current, message.offer)
        answer = core.shown(current)
        if approval.offer_waits(rules, changed=bool(judgement.differences)):
            core.waiting(unit, current, runtime.now())
        else:
            _go_on(unit, runtime, current, judgement, given, permit)
        return answer

    return await runtime.store.run(take)


async def receive_event(runtime: Runtime, by: Caller, pid: str, message: Event) -> None:
    """The consumer accepts, or the provider finalises. Who may say which, the table knows."""
    kind = Message.FINALIZED if message.event == "FINALIZED" else Message.ACCEPTED
    row = await runtime.store.read(lambda session: core.addressed(session, pid, by.did, message))
    if row.side == Side.PROVIDER and kind is Message.ACCEPTED:
        await _receive_accepted(runtime, by, pid, message)
    else:
        await receive_final(runtime, by, pid, kind, message)


async def _receive_accepted(runtime: Runtime, by: Caller, pid: str, message: Event) -> None:
    """The consumer accepts what we offered: agreed, if the gate says so now."""

    def read(session: Session) -> tuple[Negotiation, PermitRow | None, Sequence[When]]:
        row = core.addressed(session, pid, by.did, message)
        return row, _permit(session, row), approval.rules(session, by.did, row.dataset)

    row, permit, rules = await runtime.store.read(read)
    known = normalise(row.offer, target=row.dataset)
    judgement = await judged(runtime, Deal(runtime.did, by.did, row.dataset_facts, permit, known=known, given=known))

    def take(unit: Unit) -> None:
        current = taken(unit, runtime, by, pid, Message.ACCEPTED, message)
        if current is None:
            return
        if approval.step_waits(rules):
            core.waiting(unit, current, runtime.now())
        else:
            _go_on(unit, runtime, current, judgement, known, permit)

    await runtime.store.run(take)


async def receive_verification(runtime: Runtime, by: Caller, pid: str, message: Verification) -> None:
    """The consumer verified: asked again, the gate lets the agreement become final, or it ends with the reason."""

    def read(session: Session) -> tuple[Negotiation, Agreement | None, PermitRow | None, Sequence[When]]:
        row = core.addressed(session, pid, by.did, message)
        agreement = session.get(Agreement, row.agreement) if row.agreement else None
        return row, agreement, _permit(session, row), approval.rules(session, by.did, row.dataset)

    row, agreement, permit, rules = await runtime.store.read(read)
    judgement = await once_more(runtime, row, agreement, permit)

    def take(unit: Unit) -> None:
        current = taken(unit, runtime, by, pid, Message.VERIFICATION, message)
        if current is None:
            return
        if approval.step_waits(rules):
            core.waiting(unit, current, runtime.now())
        else:
            finalise(unit, runtime, current, judgement)

    await runtime.store.run(take)


async def once_more(
    runtime: Runtime, row: Negotiation, agreement: Agreement | None, permit: PermitRow | None
) -> Judgement | None:
    """The gate's answer on what was agreed, with the facts of now; None where nothing was."""
    if agreement is None:
        return None
    policy = Policy.from_json(agreement.policy)
    deal = Deal(runtime.did, row.peer, row.dataset_facts, permit, known=policy, given=policy)
    return await judged(runtime, deal)


def taken(
    unit: Unit, runtime: Runtime, by: Caller, pid: str, kind: Message, message: core.Incoming
) -> Negotiation | None:
    """The negotiation on which the message has taken effect; None when it had already."""
    spend(unit, by, runtime.now())
    current = core.addressed(unit.session, pid, by.did, message)
    if core.repeated(unit.session, by.did, message):
        return None
    core.received(unit, current, kind, message, runtime.now())
    return current


def begun(session: Session, peer: str, consumer_pid: str | None) -> Negotiation | None:
    """The negotiation that this peer's request began."""
    query = select(Negotiation).where(
        Negotiation.peer == peer, Negotiation.consumer_pid == consumer_pid, Negotiation.side == Side.PROVIDER
    )
    return session.exec(query).first()


def _again(unit: Unit, runtime: Runtime, by: Caller, kept: Negotiation, asked: str) -> Json:
    spend(unit, by, runtime.now())
    if kept.request != asked:
        raise Refusal("process-exists", pid=kept.consumer_pid)
    return core.shown(core.load(unit.session, kept.id, by.did))


def _permit(session: Session, row: Negotiation) -> PermitRow | None:
    return session.get(PermitRow, row.permit) if row.permit else None


def _go_on(
    unit: Unit, runtime: Runtime, row: Negotiation, judgement: Judgement, given: Policy, permit: PermitRow | None
) -> None:
    """Agreed, or ended with the reason."""
    row.decision = judgement.decision.to_json()
    if (refusal := judgement.refusal()) is not None:
        core.terminate(unit, runtime, row, refusal)
    else:
        agree(unit, runtime, row, judgement, given, permit)
