"""What one of our people does to a negotiation: offers, counters, accepts, agrees, verifies, finalises, ends it.

The same table and the same gates as where nobody is asked. A step that waits is done here, and nowhere else.
"""

import uuid
from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from connector.datasets.service import dataset_facts, described, offers
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import core
from connector.negotiation.agreed import agree as agreed
from connector.negotiation.agreed import finalise as finalised
from connector.negotiation.asking import described as asked_about
from connector.negotiation.consumer import permit_for_facts
from connector.negotiation.judgement import Deal, Judgement, judged, permit_of
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.provider import once_more
from connector.negotiation.states import Message, Side, after
from connector.rights import peers
from connector.rights.model import PermitRow
from vocab.errors import Refusal
from vocab.messages import catalogue
from vocab.messages import negotiation as messages
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import with_target
from vocab.odrl.satisfiable import demand
from vocab.records.envelope import digest

Json = dict[str, Any]
_Send = Callable[[Unit, Negotiation, int], None]


async def offer_first(
    runtime: Runtime, person: str, *, consumer: str, dataset: str, offer: Json | None = None, study: str | None = None
) -> Negotiation:
    """We offer what nobody asked for yet; without `offer`, the newest one on the dataset.

    Raises `Refusal`: not-a-member, dataset-unknown, offer-unknown, zone-only, policy-not-understood.
    """
    address = peers.address(runtime, consumer)
    if address is None:
        raise Refusal("not-a-member", rule="consumer", seen=consumer, study=study)
    about, published = await runtime.store.read(
        lambda session: (described(session, dataset), [one.document for one in offers(session, dataset)])
    )
    if about.non_public and not peers.members(runtime, consumer):
        raise Refusal("zone-only", rule="dataset.non_public", needed=False, seen=True)
    if offer is None and not published:
        raise Refusal("offer-unknown", offer=dataset)
    document = _understood(runtime, published[-1] if offer is None else offer, dataset)

    def begin(unit: Unit) -> Negotiation:
        now, pid = runtime.now(), str(uuid.uuid4())
        permit = permit_of(unit.session, None, study, consumer, dataset) if about.non_public else None
        row = Negotiation(
            id=pid,
            side=Side.PROVIDER,
            peer=consumer,
            address=address,
            provider_pid=pid,
            dataset=dataset,
            dataset_facts=dataset_facts(about),
            offer=document,
            request=digest(document),
            study=permit.study if permit else study,
            permit=permit.id if permit else None,
            by=person,
            begun_at=now,
            changed_at=now,
        )
        unit.session.add(row)
        callback = runtime.settings.url.rstrip("/") + catalogue.PATH
        core.sent(unit, row, Message.OFFER, messages.first_offer(pid, callback, document, study=row.study), now)
        journal.record(unit, "offer-made", now=now, study=row.study, by=person, dataset=dataset, peer=consumer)
        return row

    return await runtime.store.run(begin)


async def offer(runtime: Runtime, person: str, pid: str, document: Json | None = None) -> Negotiation:
    """As provider: an offer of ours, by default the newest on the dataset, in answer to a request."""
    row = await _mine(runtime, pid, Side.PROVIDER, Message.OFFER)
    published = await runtime.store.read(lambda session: [one.document for one in offers(session, row.dataset)])
    given = document or (published[-1] if published else row.before or row.offer)
    wanted = _understood(runtime, given, row.dataset)

    def send(unit: Unit, current: Negotiation, now: int) -> None:
        core.table(current, wanted)
        core.sent(unit, current, Message.OFFER, messages.counter_offer(*core.pids(current), wanted), now)

    return await _done(runtime, person, row, "offered", send)


async def counter(runtime: Runtime, person: str, pid: str, document: Json) -> Negotiation:
    """As consumer: another offer than the provider's."""
    row = await _mine(runtime, pid, Side.CONSUMER, Message.REQUEST)
    wanted = _understood(runtime, document, row.dataset)
    known, permit = await _about(runtime, row)

    def send(unit: Unit, current: Negotiation, now: int) -> None:
        _learned(current, known, permit)
        core.table(current, wanted)
        core.sent(unit, current, Message.REQUEST, messages.counter_request(*core.pids(current), wanted), now)

    return await _done(runtime, person, row, "countered", send)


async def accept(runtime: Runtime, person: str, pid: str) -> Negotiation:
    """As consumer: the provider's offer as it stands. Raises the gate's refusal."""
    row = await _mine(runtime, pid, Side.CONSUMER, Message.ACCEPTED)
    known, permit = await _about(runtime, row)
    policy = normalise(row.offer, target=row.dataset)
    judgement = await judged(runtime, Deal(row.peer, runtime.did, known, permit, known=policy, given=policy))
    _demand(judgement)

    def send(unit: Unit, current: Negotiation, now: int) -> None:
        _learned(current, known, permit)
        current.decision = judgement.decision.to_json()
        core.sent(unit, current, Message.ACCEPTED, messages.event(*core.pids(current), "ACCEPTED"), now)

    return await _done(runtime, person, row, "accepted", send)


async def agree(runtime: Runtime, person: str, pid: str) -> Negotiation:
    """As provider: what lies on the table, the consumer's clauses too. Raises the gate's refusal."""
    row = await _mine(runtime, pid, Side.PROVIDER, Message.AGREEMENT)
    permit = await runtime.store.read(lambda session: _permit(session, row))
    policy = normalise(row.offer, target=row.dataset)
    judgement = await judged(
        runtime, Deal(runtime.did, row.peer, row.dataset_facts, permit, known=policy, given=policy)
    )
    _demand(judgement)

    def send(unit: Unit, current: Negotiation, _now: int) -> None:
        current.decision = judgement.decision.to_json()
        agreed(unit, runtime, current, judgement, policy, permit)

    return await _done(runtime, person, row, "agreed", send)


async def verify(runtime: Runtime, person: str, pid: str) -> Negotiation:
    """As consumer: the agreement that was looked at when it came."""
    row = await _mine(runtime, pid, Side.CONSUMER, Message.VERIFICATION)

    def send(unit: Unit, current: Negotiation, now: int) -> None:
        core.sent(unit, current, Message.VERIFICATION, messages.verification(*core.pids(current)), now)

    return await _done(runtime, person, row, "verified", send)


async def finalise(runtime: Runtime, person: str, pid: str) -> Negotiation:
    """As provider: the last event, or the end where the gate says no by now."""
    row = await _mine(runtime, pid, Side.PROVIDER, Message.FINALIZED)

    def read(session: Session) -> tuple[Agreement | None, PermitRow | None]:
        return session.get(Agreement, row.agreement) if row.agreement else None, _permit(session, row)

    agreement, permit = await runtime.store.read(read)
    judgement = await once_more(runtime, row, agreement, permit)

    def send(unit: Unit, current: Negotiation, _now: int) -> None:
        finalised(unit, runtime, current, judgement)

    return await _done(runtime, person, row, "finalised", send)


async def stop(runtime: Runtime, pid: str, person: str, words: str | None = None) -> Negotiation:
    """Ends a negotiation, and tells the other side why in the person's own words.

    Raises `Refusal("not-found" | "transition-refused")`.
    """

    def end(unit: Unit) -> Negotiation:
        row = unit.session.get(Negotiation, pid)
        if row is None:
            raise Refusal("not-found", what=pid)
        core.terminate(unit, runtime, row, Refusal("ended-by-person", person=person), words)
        return row

    return await runtime.store.run(end)


async def _about(runtime: Runtime, row: Negotiation) -> tuple[Json, PermitRow | None]:
    """What our gate is told of a dataset, also of one that was offered without our asking, and our permit for it."""
    known = row.dataset_facts or await asked_about(runtime, row.peer, row.dataset)
    permit = await runtime.store.read(lambda session: permit_for_facts(session, runtime, row.permit, row.study, known))
    return known, permit


def _learned(row: Negotiation, known: Json, permit: PermitRow | None) -> None:
    row.dataset_facts = known
    row.study, row.permit = (permit.study, permit.id) if permit else (row.study, None)


async def _mine(runtime: Runtime, pid: str, side: Side, kind: Message) -> Negotiation:
    """The negotiation, if we may say this in it now. Raises `Refusal("not-found" | "transition-refused")`."""
    row = await runtime.store.read(lambda session: session.get(Negotiation, pid))
    if row is None:
        raise Refusal("not-found", what=pid)
    if row.side != side:
        raise Refusal("transition-refused", needed=row.side, seen=f"{side} {kind}", state=row.state)
    after(core.state_of(row), side, kind)
    return row


async def _done(runtime: Runtime, person: str, row: Negotiation, what: str, send: _Send) -> Negotiation:
    """One unit: the negotiation is as it was when the person looked, and the step is taken."""

    def unit_function(unit: Unit) -> Negotiation:
        current = unit.session.get(Negotiation, row.id)
        if current is None or current.version != row.version:
            raise Refusal("changed-meanwhile", what="negotiation", needed=row.state, seen=current and current.state)
        now = runtime.now()
        journal.record(
            unit, "negotiation-step", now=now, study=row.study, by=person, step=what, dataset=row.dataset, peer=row.peer
        )
        send(unit, current, now)
        return current

    return await runtime.store.run(unit_function)


def _understood(runtime: Runtime, document: Json, dataset: str) -> Json:
    """The offer as it goes into a message; one that nobody could meet is refused before it leaves."""
    given = {"@id": str(uuid.uuid4()), **{name: value for name, value in document.items() if name != catalogue.LATER}}
    wanted = with_target(given, dataset)
    policy: Policy = normalise(wanted)
    demand(policy, runtime.now())
    return wanted


def _permit(session: Session, row: Negotiation) -> PermitRow | None:
    return session.get(PermitRow, row.permit) if row.permit else None


def _demand(judgement: Judgement) -> None:
    if (refusal := judgement.refusal()) is not None:
        raise refusal
