"""What both sides do to a transfer inside a unit: find it, take a message, send one, end it."""

from typing import Any, Protocol

from sqlmodel import Session, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.rights.service import end_grant
from connector.transfer import delivery
from connector.transfer.model import Transfer, TransferMessage
from connector.transfer.states import Message, State, after
from vocab.errors import Refusal
from vocab.messages import transfer as messages
from vocab.messages import writing

Json = dict[str, Any]


class Incoming(Protocol):
    """A message on a transfer that is under way."""

    @property
    def id(self) -> str | None: ...
    @property
    def consumer_pid(self) -> str: ...
    @property
    def provider_pid(self) -> str: ...
    @property
    def raw(self) -> bytes: ...


def load(session: Session, pid: str, peer: str) -> Transfer:
    """Our transfer `pid` with `peer`. Raises `Refusal("process-unknown")`, also for another peer's."""
    row = session.get(Transfer, pid)
    if row is None or row.peer != peer:
        raise Refusal("process-unknown", pid=pid, by=peer)
    return row


def addressed(session: Session, pid: str, peer: str, message: Incoming) -> Transfer:
    """The transfer that a message is for: the path and both process ids in it agree."""
    row = load(session, pid, peer)
    ours, theirs = message.consumer_pid, message.provider_pid
    known = row.provider_pid
    if row.side == Side.PROVIDER:
        ours, theirs, known = theirs, ours, row.consumer_pid
    if ours != pid or (known is not None and theirs != known):
        raise Refusal("process-unknown", pid=pid, by=peer, study=row.study)
    return row


def repeated(session: Session, peer: str, message_id: str | None) -> bool:
    """Whether this very message took effect before. One without an id is never a repetition."""
    query = select(TransferMessage).where(
        TransferMessage.direction == "in", TransferMessage.peer == peer, TransferMessage.message == message_id
    )
    return message_id is not None and session.exec(query).first() is not None


def received(unit: Unit, row: Transfer, kind: Message, message_id: str | None, raw: bytes, now: int) -> None:
    """The peer's message takes effect on the state, and its bytes are kept. Raises `Refusal("transition-refused")`."""
    try:
        row.state = after(_state(row), Side(row.side).other, kind)
    except Refusal as refusal:
        refusal.values.update(study=row.study, by=row.peer)
        raise
    row.changed_at, row.waits = now, False
    unit.session.add(
        TransferMessage(
            process=row.id, direction="in", peer=row.peer, message=message_id, kind=kind, body=raw.decode(), at=now
        )
    )
    unit.session.flush()


def sent(unit: Unit, row: Transfer, kind: Message, message: Json, now: int) -> None:
    """We send `message`: our own state moves now, delivery is promised."""
    before = row.state
    row.state, row.changed_at, row.waits = after(_state(row), Side(row.side), kind), now, False
    delivery.send(unit, row, kind, message, before, now)
    unit.session.flush()


def waiting(unit: Unit, row: Transfer, now: int) -> None:
    """Nothing starts by itself: one of our people is asked."""
    row.waits = True
    journal.record(
        unit, "transfer-waits", now=now, study=row.study, by=row.peer, outcome="waiting", dataset=row.dataset
    )


def pids(row: Transfer) -> tuple[str, str]:
    """Both process ids. Raises `Refusal("peer-silent")` while the provider has not answered our request."""
    if row.provider_pid is None:
        raise Refusal("peer-silent", pid=row.id, peer=row.peer)
    return row.consumer_pid, row.provider_pid


def terminate(unit: Unit, runtime: Runtime, row: Transfer, refusal: Refusal, words: str | None = None) -> None:
    """We end it and say why. A peer that never answered our request is not told: it knows of nothing."""
    now = runtime.now()
    if row.provider_pid is None:
        row.state, row.changed_at = after(_state(row), Side(row.side), Message.TERMINATION), now
    else:
        message = messages.step("TransferTerminationMessage", row.consumer_pid, row.provider_pid, refusal, words)
        sent(unit, row, Message.TERMINATION, message, now)
    ended(unit, runtime, row, refusal, words)


def ended(unit: Unit, runtime: Runtime, row: Transfer, refusal: Refusal, words: str | None = None) -> None:
    """What follows from an end without success, whoever ended it."""
    now = runtime.now()
    row.waits, row.reason = False, words
    row.code, row.rule = refusal.code, refusal.rule
    row.needed, row.seen = (None if value is None else str(value)[:1000] for value in (refusal.needed, refusal.seen))
    journal.refused(unit, refusal, now=now, kind="transfer-ended", study=row.study, by=row.peer)
    end_grant(unit, kind="transfer", id=row.id, now=now)


def shown(row: Transfer, state: str | None = None) -> Json:
    """The transfer as the protocol shows it."""
    return writing.state("TransferProcess", row.consumer_pid, row.provider_pid or "unknown", state or row.state)


def _state(row: Transfer) -> State | None:
    """Its state; None before its first message."""
    return State(row.state) if row.state else None
