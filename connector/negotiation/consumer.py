"""The consumer's side: asks for an offer as it stands, verifies the agreement against what it asked, or ends it."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from connector.evidence import journal
from connector.identity.service import ask, spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation import core
from connector.negotiation.judgement import Deal, changed, judged, permit_of
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import TERMINAL, Message, Side
from connector.rights.model import PermitRow
from connector.rights.service import Rights
from vocab import terms
from vocab.errors import Refusal
from vocab.messages import catalogue, problems
from vocab.messages import negotiation as messages
from vocab.messages.negotiation import ContractAgreement, ContractOffer, Event
from vocab.odrl.compare import compare
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import with_target
from vocab.records.envelope import digest

Json = dict[str, Any]

_LEGAL_BASIS = terms.iri("dpv:hasLegalBasis")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider's catalogue showed us of a dataset, and the offer that we ask for."""

    provider: str
    address: str
    dataset: str
    facts: Json | None
    offer: Json


async def start(
    runtime: Runtime, person: str, *, provider: str, dataset: str, study: str, offer: Json | None = None
) -> Negotiation:
    """Asks `provider` for `offer`, by default the first one that its catalogue shows us for `dataset` now.

    Raises `Refusal`: as `look` does, agreement-exists, negotiation-running.
    """
    asked = await look(runtime, provider, dataset, study, offer)
    return await runtime.store.run(lambda unit: begin(unit, runtime, asked, study, person))


async def look(runtime: Runtime, provider: str, dataset: str, study: str, offer: Json | None = None) -> Asked:
    """What there is to ask for. Raises `Refusal`: not-a-member, peer-unreachable, dataset-unknown, or why withheld."""
    member = runtime.get(Rights).demand().member(provider)
    if member is None or not member.active:
        raise Refusal("not-a-member", rule="provider", seen=provider, study=study)
    address = member.url.rstrip("/") + catalogue.PATH
    shown = await _shown(runtime, provider, address, dataset)
    if offer is None:
        if shown is None:
            raise await _why_not(runtime, provider, address, dataset)
        offer = {name: value for name, value in shown["hasPolicy"][0].items() if name != catalogue.LATER}
    wanted = with_target(offer, dataset)
    normalise(wanted)
    return Asked(provider, address, dataset, _facts(dataset, shown), wanted)


def begin(
    unit: Unit, runtime: Runtime, asked: Asked, study: str, person: str, together: str | None = None
) -> Negotiation:
    """A negotiation, and its first message promised. Raises `Refusal("agreement-exists" | "negotiation-running")`."""
    now, pid = runtime.now(), str(uuid.uuid4())
    _demand_free(unit.session, study, asked.dataset, runtime.did)
    permit = permit_of(unit.session, None, study, runtime.did, asked.dataset)
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


async def receive_offer(runtime: Runtime, by: Caller, pid: str, message: ContractOffer) -> None:
    """The provider offers: accepted where it is what we asked for, else ended clause by clause."""
    row = await runtime.store.read(lambda session: core.addressed(session, pid, by.did, message))
    differences = tuple(compare(normalise(row.offer), normalise(message.offer, target=row.dataset)))

    def take(unit: Unit) -> None:
        current = _taken(unit, runtime, by, pid, Message.OFFER, message)
        if current is None:
            return
        if differences:
            core.terminate(unit, runtime, current, changed(differences))
        else:
            accepted = messages.event(current.consumer_pid, message.provider_pid, "ACCEPTED")
            core.sent(unit, current, Message.ACCEPTED, accepted, runtime.now())

    await runtime.store.run(take)


async def receive_agreement(runtime: Runtime, by: Caller, pid: str, message: ContractAgreement) -> None:
    """The provider agreed: verified where its rules are those we asked for and our own gate agrees, else ended."""

    def read(session: Session) -> tuple[Negotiation, PermitRow | None]:
        row = core.addressed(session, pid, by.did, message)
        return row, permit_of(session, row.permit, row.study, runtime.did, row.dataset)

    row, permit = await runtime.store.read(read)
    given = normalise(message.agreement)
    deal = Deal(by.did, runtime.did, row.dataset_facts, permit, known=normalise(row.offer), given=given)
    judgement = await judged(runtime, deal)

    def take(unit: Unit) -> None:
        current = _taken(unit, runtime, by, pid, Message.AGREEMENT, message)
        if current is None:
            return
        current.decision = judgement.decision.to_json()
        refusal = judgement.refusal()
        if refusal is not None or permit is None:
            core.terminate(unit, runtime, current, refusal or Refusal("no-permit", rule="permit"))
            return
        agreement = _kept(unit, current, permit, message.agreement, given, runtime.now())
        core.hold(unit, agreement, judgement, runtime.now())
        verified = messages.verification(current.consumer_pid, message.provider_pid)
        core.sent(unit, current, Message.VERIFICATION, verified, runtime.now())

    await runtime.store.run(take)


async def receive_event(runtime: Runtime, by: Caller, pid: str, message: Event) -> None:
    """The provider finalises. (ACCEPTED is the consumer's word: from a provider the table refuses it.)"""
    kind = Message.FINALIZED if message.event == "FINALIZED" else Message.ACCEPTED

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


def _kept(unit: Unit, row: Negotiation, permit: PermitRow, document: Json, policy: Policy, now: int) -> Agreement:
    if unit.session.get(Agreement, policy.id) is not None:
        raise Refusal("agreement-exists", agreement=policy.id)
    agreement = Agreement(
        id=policy.id,
        negotiation=row.id,
        side=Side.CONSUMER,
        provider=row.peer,
        consumer=permit.fields["applicant"],
        dataset=row.dataset,
        document=document,
        policy=policy.to_json(),
        digest=policy.digest,
        offer=str(row.offer["@id"]),
        offer_digest=normalise(row.offer).digest,
        study=permit.study,
        permit=permit.id,
        until=permit.until,
        at=now,
    )
    row.agreement = agreement.id
    unit.session.add(agreement)
    unit.session.flush()
    return agreement


async def _shown(runtime: Runtime, provider: str, address: str, dataset: str) -> Json | None:
    """The dataset as the provider's catalogue shows it to us now; None where it does not."""
    try:
        answer = await ask(runtime, "GET", f"{address}/catalog/datasets/{dataset}", provider)
    except Unreachable as error:
        raise Refusal("peer-unreachable", peer=provider, why=error.why) from None
    if answer.status == 404:
        return None
    if not answer.ok or not isinstance(answer.body, dict) or not answer.body.get("hasPolicy"):
        raise problems.said(answer.body, answer.status).refusal()
    return answer.body


async def _why_not(runtime: Runtime, provider: str, address: str, dataset: str) -> Refusal:
    """Why the provider's catalogue does not show us the dataset: its own reason, if it withholds it."""
    try:
        answer = await ask(runtime, "POST", f"{address}/catalog/request", provider, json=catalogue.request())
    except Unreachable as error:
        return Refusal("peer-unreachable", peer=provider, why=error.why)
    given = answer.body.get(catalogue.WITHHELD) if answer.ok and isinstance(answer.body, dict) else None
    rows = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    found = next((one for one in rows if one.get("dataset") == dataset), None)
    if found is None:
        return Refusal("dataset-unknown", dataset=dataset)
    reason = found.get("reason")
    words = str(reason.get("ko", "–")) if isinstance(reason, dict) else "–"
    needed, seen = (None if found.get(name) is None else str(found[name]) for name in ("needed", "seen"))
    return problems.Said(str(found.get("code")), words, "catalog", needed, seen).refusal()


def _facts(dataset: str, shown: Json | None) -> Json | None:
    """What our own gate is told of the dataset, from its published description."""
    given = (shown or {}).get(_LEGAL_BASIS) or []
    basis = [one["@id"] for one in given if isinstance(one, dict) and isinstance(one.get("@id"), str)]
    return {"id": dataset, "legal_basis": basis or None}


def _demand_free(session: Session, study: str, dataset: str, consumer: str) -> None:
    taken = core.in_force(session, study, dataset, consumer)
    if taken is not None:
        raise Refusal("agreement-exists", agreement=taken.id, study=study)
    query = select(Negotiation).where(
        Negotiation.study == study, Negotiation.dataset == dataset, Negotiation.side == Side.CONSUMER
    )
    running = next((row for row in session.exec(query) if row.state not in TERMINAL), None)
    if running is not None:
        raise Refusal("negotiation-running", negotiation=running.id, study=study)
