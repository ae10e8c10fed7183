"""What both sides do to a negotiation inside a unit: find it, take a message, send one, end it."""

from datetime import timedelta
from typing import Any, Final, Protocol

from sqlmodel import Session, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.outbox import promise
from connector.kit.runtime import Runtime
from connector.negotiation import delivery
from connector.negotiation.judgement import Judgement
from connector.negotiation.model import Agreement, Negotiation, ProtocolMessage
from connector.negotiation.states import TERMINAL, Message, Side, State, after
from connector.rights import peers
from connector.rights.service import end_grant, grant
from vocab.errors import Refusal
from vocab.messages import negotiation as messages
from vocab.messages import writing

Json = dict[str, Any]

#: How long a negotiation waits for one of our people, and the effect that ends it then.
WAITS: Final = timedelta(days=14) // timedelta(milliseconds=1)
LAPSE: Final = "negotiation-lapses"
#: Agreements that count: one a study and dataset.
IN_FORCE = ("AGREED", "FINALIZED")


class Incoming(Protocol):
    """A message on a process."""

    @property
    def id(self) -> str | None: ...
    @property
    def consumer_pid(self) -> str | None: ...
    @property
    def provider_pid(self) -> str | None: ...
    @property
    def raw(self) -> bytes: ...


def load(session: Session, pid: str, peer: str) -> Negotiation:
    """Our negotiation `pid` with `peer`. Raises `Refusal("process-unknown")`, also for another peer's."""
    row = session.get(Negotiation, pid)
    if row is None or row.peer != peer:
        raise Refusal("process-unknown", pid=pid, by=peer)
    return row


def addressed(session: Session, pid: str, peer: str, message: Incoming) -> Negotiation:
    """The negotiation that a message is for: the path and both process ids in it agree."""
    row = load(session, pid, peer)
    theirs = row.provider_pid if row.side == Side.CONSUMER else row.consumer_pid
    ours, given = (
        (message.consumer_pid, message.provider_pid)
        if row.side == Side.CONSUMER
        else (message.provider_pid, message.consumer_pid)
    )
    if ours != pid or (theirs is not None and given != theirs):
        raise Refusal("process-unknown", pid=pid, by=peer, study=row.study)
    return row


def repeated(session: Session, peer: str, message: Incoming) -> bool:
    """Whether this very message took effect before. One without an id is never a repetition."""
    query = select(ProtocolMessage).where(
        ProtocolMessage.direction == "in", ProtocolMessage.peer == peer, ProtocolMessage.message == message.id
    )
    return message.id is not None and session.exec(query).first() is not None


def received(unit: Unit, row: Negotiation, kind: Message, message: Incoming, now: int) -> None:
    """The peer's message takes effect on the state, and its bytes are kept. Raises `Refusal("transition-refused")`."""
    try:
        row.state = after(state_of(row), Side(row.side).other, kind)
    except Refusal as refusal:
        refusal.values.update(study=row.study, by=row.peer)
        raise
    row.version, row.changed_at, row.waits = row.version + 1, now, False
    row.provider_pid = row.provider_pid or message.provider_pid  # it overtook the answer to our first message
    row.consumer_pid = row.consumer_pid or message.consumer_pid
    delivery.keep(unit, row, "in", message.id, kind, message.raw.decode(), now)


def sent(unit: Unit, row: Negotiation, kind: Message, message: Json, now: int) -> None:
    """We send `message`: our own state moves now, delivery is promised."""
    before = row.state
    row.state = after(state_of(row), Side(row.side), kind)
    row.version, row.changed_at, row.waits = row.version + 1, now, False
    delivery.send(unit, row, kind, message, before, now)


def waiting(unit: Unit, row: Negotiation, now: int) -> None:
    """Nothing more happens by itself: one of our people is asked; after a time it ends by itself."""
    row.waits = True
    lapse = {"negotiation": row.id, "version": row.version}
    process = f"waiting {row.id} {row.version}"
    promise(unit, process, LAPSE, lapse, now=now, study=row.study, due_at=now + WAITS)
    journal.record(
        unit, "negotiation-waits", now=now, study=row.study, by=row.peer, outcome="waiting", dataset=row.dataset
    )


def table(row: Negotiation, offer: Json) -> None:
    """Another offer lies on the table; what lay there before is kept, so that both can be compared."""
    row.before, row.offer = row.offer, offer


def pids(row: Negotiation) -> tuple[str, str]:
    """Both process ids. Raises `Refusal("peer-silent")` while the peer has not answered our first message."""
    if row.consumer_pid is None or row.provider_pid is None:
        raise Refusal("peer-silent", pid=row.id, peer=row.peer)
    return row.consumer_pid, row.provider_pid


def terminate(unit: Unit, runtime: Runtime, row: Negotiation, refusal: Refusal, words: str | None = None) -> None:
    """We end it and say why. A peer that never answered our first message is not told: it knows of nothing."""
    now = runtime.now()
    if row.provider_pid is None or row.consumer_pid is None:
        row.state = after(state_of(row), Side(row.side), Message.TERMINATION)
        row.version, row.changed_at = row.version + 1, now
    else:
        message = messages.termination(row.consumer_pid, row.provider_pid, refusal, words)
        sent(unit, row, Message.TERMINATION, message, now)
    ended(unit, runtime, row, refusal, words)


def ended(unit: Unit, runtime: Runtime, row: Negotiation, refusal: Refusal, words: str | None = None) -> None:
    """What follows from an end, whoever ended it: its agreement is void, its grant over, its siblings end too."""
    now = runtime.now()
    row.waits, row.reason = False, words
    row.code, row.rule = refusal.code, refusal.rule
    row.needed, row.seen = (None if value is None else str(value)[:1000] for value in (refusal.needed, refusal.seen))
    journal.refused(unit, refusal, now=now, kind="negotiation-ended", study=row.study, by=row.peer)
    if row.agreement is not None:
        agreement = unit.session.get(Agreement, row.agreement)
        if agreement is not None and agreement.state in IN_FORCE:
            agreement.state = "VOID"
        end_grant(unit, kind="agreement", id=row.agreement, now=now)
    if row.together is None:
        return
    others = select(Negotiation).where(Negotiation.together == row.together, Negotiation.id != row.id)
    for other in unit.session.exec(others).all():
        if other.state not in TERMINAL:
            terminate(unit, runtime, other, Refusal("sibling-ended", dataset=row.dataset, why=refusal.code))


def hold(unit: Unit, runtime: Runtime, agreement: Agreement, judgement: Judgement, now: int) -> None:
    """Notes that the agreement leans on permit, snapshot and both memberships. Raises if one ended meanwhile."""
    parties = peers.members(runtime, agreement.provider, agreement.consumer)
    grant(
        unit,
        kind="agreement",
        id=agreement.id,
        study=agreement.study,
        parties=parties,
        revision=judgement.decision.revision,
        valid_until=agreement.until,
        now=now,
        permit=agreement.permit,
        agreement=agreement.id,
        snapshot=agreement.snapshot,
        leans={**judgement.leans, "policy": agreement.policy},
    )


def in_force(session: Session, study: str | None, dataset: str, consumer: str) -> Agreement | None:
    """The agreement that this party's study has on the dataset, if any. Without a study there may be many."""
    if study is None:
        return None
    query = select(Agreement).where(
        Agreement.study == study, Agreement.dataset == dataset, Agreement.consumer == consumer
    )
    return next((row for row in session.exec(query) if row.state in IN_FORCE), None)


def shown(row: Negotiation, state: str | None = None) -> Json:
    """The negotiation as the protocol shows it."""
    pids = (row.consumer_pid or "unknown", row.provider_pid or "unknown")
    return writing.state("ContractNegotiation", *pids, state or row.state)


def state_of(row: Negotiation) -> State | None:
    """Its state; None before its first message."""
    return State(row.state) if row.state else None
