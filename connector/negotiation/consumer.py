"""The consumer's side: asks, answers offers, verifies the agreement against what it asked, or ends it."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sqlmodel import Session, func, select

from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import approval, core
from connector.negotiation.agreed import ends
from connector.negotiation.approval import When
from connector.negotiation.asking import Asked, look
from connector.negotiation.judgement import Deal, Judgement, changed, judged, permit_of
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import TERMINAL, Message, Side, State
from connector.rights import peers
from connector.rights.model import PermitRow
from vocab.errors import Refusal
from vocab.messages import catalogue
from vocab.messages import negotiation as messages
from vocab.messages.negotiation import ContractAgreement, ContractOffer, Event
from vocab.odrl.compare import compare
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.records.envelope import digest

__all__ = ["Asked", "begin", "look", "start"]

Json = dict[str, Any]

#: Offers of one peer that nobody asked for and nobody has answered: more are refused.
MOST_UNASKED: Final = 20


async def start(
    runtime: Runtime,
    person: str,
    *,
    provider: str,
    dataset: str,
    study: str | None = None,
    offer: Json | None = None,
    public: bool = False,
) -> Negotiation:
    """Asks `provider` for `offer`, by default the first one that its catalogue shows us for `dataset` now.

    Raises `Refusal`: as `look` does, agreement-exists, negotiation-running.
    """
    asked = await look(runtime, provider, dataset, study, offer, public=public)
    return await runtime.store.run(lambda unit: begin(unit, runtime, asked, study, person))


def begin(
    unit: Unit, runtime: Runtime, asked: Asked, study: str | None, person: str, together: str | None = None
) -> Negotiation:
    """A negotiation, and its first message promised. Raises `Refusal("agreement-exists" | "negotiation-running")`."""
    now, pid = runtime.now(), str(uuid.uuid4())
    _demand_free(unit.session, study, asked.dataset, runtime.did)
    permit = permit_for_facts(unit.session, runtime, None, study, asked.facts)
    row = Negotiation(
        id=pid,
        side=Side.CONSUMER,
        peer=asked.provider,
        address=asked.address,
        consumer_pid=pid,
        dataset=asked.dataset,
        dataset_facts=asked.facts,
        offer=asked.offer,
        request=digest(asked.offer),
        study=study,
        permit=permit.id if permit else None,
        together=together,
        by=person,
        begun_at=now,
        changed_at=now,
    )
    unit.session.add(row)
    callback = runtime.settings.url.rstrip("/") + catalogue.PATH
    message = messages.request(pid, callback, asked.offer, study=study, permit=row.permit)
    core.sent(unit, row, Message.REQUEST, message, now)
    what = {"dataset": asked.dataset, "peer": asked.provider}
    journal.record(unit, "negotiation-started", now=now, study=study, by=person, **what)
    return row


async def receive_first_offer(runtime: Runtime, by: Caller, message: ContractOffer) -> Json:
    """An offer that nobody asked for: one of our people decides. The same one again gets the same answer.

    Raises `Refusal`: callback-foreign, policy-not-understood, offers-waiting.
    """
    address = peers.callback(runtime, by.did, message.callback)
    dataset = str(message.offer["target"])
    normalise(message.offer, target=dataset)
    asked = digest({"offer": message.offer, "study": message.study, "callback": address})
    pid = str(uuid.uuid4())

    def take(unit: Unit) -> Json:
        now = runtime.now()
        spend(unit, by, now)
        same = select(Negotiation).where(
            Negotiation.peer == by.did,
            Negotiation.provider_pid == message.provider_pid,
            Negotiation.side == Side.CONSUMER,
        )
        kept = unit.session.exec(same).first()
        if kept is not None:
            if kept.request != asked:
                raise Refusal("process-exists", pid=message.provider_pid)
            return core.shown(kept)
        _demand_room(unit.session, by.did)
        row = Negotiation(
            id=pid,
            side=Side.CONSUMER,
            peer=by.did,
            address=address,
            consumer_pid=pid,
            provider_pid=message.provider_pid,
            dataset=dataset,
            offer=message.offer,
            request=asked,
            study=message.study,
            begun_at=now,
            changed_at=now,
        )
        unit.session.add(row)
        unit.session.flush()
        core.received(unit, row, Message.OFFER, message, now)
        core.waiting(unit, row, now)
        return core.shown(row)

    return await runtime.store.run(take)


async def receive_offer(runtime: Runtime, by: Caller, pid: str, message: ContractOffer) -> None:
    """The provider offers: accepted where it is what we asked for, else ended clause by clause, or a person decides."""

    def read(session: Session) -> tuple[Negotiation, Sequence[When]]:
        row = core.addressed(session, pid, by.did, message)
        return row, approval.rules(session, by.did, row.dataset)

    row, rules = await runtime.store.read(read)
    differences = tuple(compare(normalise(row.offer), normalise(message.offer, target=row.dataset)))

    def take(unit: Unit) -> None:
        current = _taken(unit, runtime, by, pid, Message.OFFER, message)
        if current is None:
            return
        core.table(current, message.offer)
        if approval.offer_waits(rules, changed=bool(differences)):
            core.waiting(unit, current, runtime.now())
        elif differences:
            core.terminate(unit, runtime, current, changed(differences))
        else:
            core.sent(unit, current, Message.ACCEPTED, messages.event(*core.pids(current), "ACCEPTED"), runtime.now())

    await runtime.store.run(take)


async def receive_agreement(runtime: Runtime, by: Caller, pid: str, message: ContractAgreement) -> None:
    """The provider agreed: verified where its rules are those we asked for and our own gate agrees, else ended."""

    def read(session: Session) -> tuple[Negotiation, PermitRow | None, Sequence[When]]:
        row = core.addressed(session, pid, by.did, message)
        permit = permit_for_facts(session, runtime, row.permit, row.study, row.dataset_facts)
        return row, permit, approval.rules(session, by.did, row.dataset)

    row, permit, rules = await runtime.store.read(read)
    given = normalise(message.agreement)
    deal = Deal(by.did, runtime.did, row.dataset_facts, permit, known=normalise(row.offer), given=given)
    judgement = await judged(runtime, deal)

    def take(unit: Unit) -> None:
        current = _taken(unit, runtime, by, pid, Message.AGREEMENT, message)
        if current is None:
            return
        current.decision = judgement.decision.to_json()
        if (refusal := judgement.refusal()) is not None:
            core.terminate(unit, runtime, current, refusal)
            return
        _keep(unit, runtime, current, permit, message.agreement, given, judgement)
        if approval.step_waits(rules):
            core.waiting(unit, current, runtime.now())
        else:
            core.sent(unit, current, Message.VERIFICATION, messages.verification(*core.pids(current)), runtime.now())

    await runtime.store.run(take)


async def receive_final(runtime: Runtime, by: Caller, pid: str, kind: Message, message: Event) -> None:
    """The provider finalises. (ACCEPTED is the consumer's word: from a provider the table refuses it.)"""

    def take(unit: Unit) -> None:
        current = _taken(unit, runtime, by, pid, kind, message)
        agreement = unit.session.get(Agreement, current.agreement) if current else None
        if current is None or agreement is None:
            return
        agreement.state = "FINALIZED"
        journal.record(
            unit,
            "agreement-final",
            now=runtime.now(),
            study=agreement.study,
            by=by.did,
            dataset=agreement.dataset,
            agreement=agreement.id,
        )

    await runtime.store.run(take)


def permit_for_facts(
    session: Session, runtime: Runtime, permit: str | None, study: str | None, facts: Json | None
) -> PermitRow | None:
    """The permit that a negotiation leans on; public data need none."""
    if facts is None or facts.get("non_public") is False:
        return None
    return permit_of(session, permit, study, runtime.did, facts["id"])


def _taken(
    unit: Unit,
    runtime: Runtime,
    by: Caller,
    pid: str,
    kind: Message,
    message: ContractOffer | ContractAgreement | Event,
) -> Negotiation | None:
    """The negotiation on which the message has taken effect; None when it had already."""
    spend(unit, by, runtime.now())
    current = core.addressed(unit.session, pid, by.did, message)
    if core.repeated(unit.session, by.did, message):
        return None
    core.received(unit, current, kind, message, runtime.now())
    return current


def _keep(
    unit: Unit,
    runtime: Runtime,
    row: Negotiation,
    permit: PermitRow | None,
    document: Json,
    policy: Policy,
    judgement: Judgement,
) -> None:
    if unit.session.get(Agreement, policy.id) is not None:
        raise Refusal("agreement-exists", agreement=policy.id)
    agreement = Agreement(
        id=policy.id,
        negotiation=row.id,
        side=Side.CONSUMER,
        provider=row.peer,
        consumer=runtime.did,
        dataset=row.dataset,
        document=document,
        policy=policy.to_json(),
        digest=policy.digest,
        offer=str(row.offer["@id"]),
        offer_digest=normalise(row.offer).digest,
        study=permit.study if permit else None,
        permit=permit.id if permit else None,
        until=ends(policy, permit),
        at=runtime.now(),
    )
    row.agreement = agreement.id
    unit.session.add(agreement)
    unit.session.flush()
    core.hold(unit, runtime, agreement, judgement, runtime.now())


def _demand_free(session: Session, study: str | None, dataset: str, consumer: str) -> None:
    if study is None:
        return
    taken = core.in_force(session, study, dataset, consumer)
    if taken is not None:
        raise Refusal("agreement-exists", agreement=taken.id, study=study)
    query = select(Negotiation).where(
        Negotiation.study == study, Negotiation.dataset == dataset, Negotiation.side == Side.CONSUMER
    )
    running = next((row for row in session.exec(query) if row.state not in TERMINAL), None)
    if running is not None:
        raise Refusal("negotiation-running", negotiation=running.id, study=study)


def _demand_room(session: Session, peer: str) -> None:
    query = select(func.count()).where(Negotiation.peer == peer, Negotiation.state == State.OFFERED, Negotiation.waits)
    if session.exec(query).one() >= MOST_UNASKED:
        raise Refusal("offers-waiting", needed=MOST_UNASKED, peer=peer)
