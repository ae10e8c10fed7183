"""Receipts: made in the author's unit, countersigned by the other party, handed to the operator's log, proven.

The author signs; the outbox posts the receipt to the counterparty, which compares it with its own state and signs or
disputes; then the author hands it to the log, and both keep the proof. Protocol states never wait for this; use does.
"""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.identity.service import Members, spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.records.envelope import canonical, commitment, countersigned, digest, signed
from vocab.records.receipt import demand_short, read

#: After this a receipt without its counter-signature is logged one-sided (ms).
DEADLINE: Final = 24 * 3600 * 1000

#: Compares a peer's receipt with our own state. Raises `Refusal("receipt-disputed")` when it says otherwise.
Check = Callable[[Unit, dict[str, Any], dict[str, Any]], None]
#: Runs in the unit in which a receipt of ours became complete (both signatures), or in which the log's proof of a
#: receipt arrived.
Completed = Callable[[Unit, Receipt], None]


class Receipts:
    """What each room says of its receipt types. A type without a check is never countersigned."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.completed: dict[str, Completed] = {}
        self.proven: dict[str, Completed] = {}


def author(
    unit: Unit,
    runtime: Runtime,
    kind: str,
    *,
    about: str,
    subject: Mapping[str, Any],
    payload: Mapping[str, Any],
    counterparty: str | None,
    study: str | None = None,
    alone: bool = False,
) -> Receipt:
    """Makes and signs a receipt in this unit and promises its way to the counterparty and the log.

    `subject` (ids and digests only) is what the log shows; of `payload` it shows a salted commitment. `alone`: the
    counterparty is of another space and signs no receipts, so it is one-sided from the start.
    Raises `Refusal("entry-too-long")` for a subject that no log entry can hold.
    """
    salt, now = secrets.token_bytes(16), runtime.now()
    receipt_id = uuid.uuid4().urn
    body = {
        "type": kind,
        "id": receipt_id,
        "study": study,
        "about": about,
        "author": runtime.did,
        "counterparty": counterparty,
        "at": now,
        "subject": dict(subject),
        "payload": commitment(salt, payload),
    }
    envelope = signed(body, runtime.did, runtime.keys.sign)
    demand_short(envelope)
    receipt = Receipt(
        id=receipt_id,
        type=kind,
        study=study,
        about=about,
        author=runtime.did,
        counterparty=counterparty,
        envelope=envelope,
        payload=dict(payload),
        salt=salt.hex(),
        state="one-sided" if alone else "authored" if counterparty else "complete",
        at=now,
    )
    unit.session.add(receipt)
    unit.session.flush()
    effect = "receipt" if counterparty and not alone else "log-entry"
    deadline = now + DEADLINE if effect == "receipt" else None
    outbox.promise(
        unit, f"receipt {receipt.id}", effect, {"id": receipt.id}, now=now, study=study, deadline_at=deadline
    )
    return receipt


def receive(unit: Unit, runtime: Runtime, by: Caller, envelope: dict[str, Any], payload: Any, salt: str) -> Receipt:
    """A peer brings a receipt of its own: it is countersigned, or refused and leaves no trace."""
    spend(unit, by, runtime.now())
    receipt = checked(unit, runtime, envelope, payload, salt, runtime.get(Members).receipts)
    if receipt.author != by.did:
        raise Refusal("receipt-disputed", what="author", needed=receipt.author, seen=by.did)
    return receipt


def checked(
    unit: Unit,
    runtime: Runtime,
    envelope: dict[str, Any],
    payload: dict[str, Any],
    salt: str,
    keys: Mapping[str, bytes],
) -> Receipt:
    """A peer's receipt, compared with our state and countersigned. Sent twice, it gets the same answer twice.

    Raises `Refusal`: envelope-invalid, signature-invalid, signature-missing, and receipt-disputed (or what the room's
    own check raises) when it does not say what we know.
    """
    body = read(envelope, keys)
    kept = unit.session.get(Receipt, body["id"])
    if kept is not None:
        if digest(kept.envelope["body"]) != digest(body):
            raise Refusal("receipt-disputed", what="id", needed=kept.author, seen=body["author"])
        return kept
    if body["counterparty"] != runtime.did or commitment(bytes.fromhex(salt), payload) != body["payload"]:
        raise Refusal("receipt-disputed", what="commitment")
    check = runtime.get(Receipts).checks.get(body["type"])
    if check is None:
        raise Refusal("receipt-disputed", what="type", seen=body["type"])
    check(unit, body, payload)
    receipt = Receipt(
        id=body["id"],
        type=body["type"],
        study=body["study"],
        about=body["about"],
        author=body["author"],
        counterparty=runtime.did,
        envelope=countersigned(envelope, runtime.did, runtime.keys.sign),
        payload=payload,
        salt=salt,
        state="complete",
        at=runtime.now(),
    )
    receipt.entry_digest = hashlib.sha256(entry_bytes(receipt)).hexdigest()
    unit.session.add(receipt)
    journal.record(
        unit, "receipt-countersigned", now=runtime.now(), study=receipt.study, by=receipt.author, type=receipt.type
    )
    return receipt


def entry_bytes(receipt: Receipt) -> bytes:
    """The log entry of a receipt: its envelope in canonical form."""
    return canonical(receipt.envelope)


def find(session: Session, kind: str, about: str) -> Receipt | None:
    """The newest receipt of `kind` about `about`."""
    query = select(Receipt).where(Receipt.type == kind, Receipt.about == about).order_by(col(Receipt.at).desc())
    return session.exec(query).first()


def siblings(session: Session, receipt: Receipt) -> list[Receipt]:
    """The receipts about the same thing that commit to the same payload, one for each party to it."""
    alike = select(Receipt).where(Receipt.type == receipt.type, Receipt.about == receipt.about)
    query = alike.order_by(col(Receipt.id))
    return [row for row in session.exec(query) if row.payload == receipt.payload]


def proven(session: Session, kind: str, about: str) -> bool:
    """Whether both parties signed it and the log's proof is here: only then may it be leaned on."""
    receipt = find(session, kind, about)
    return receipt is not None and receipt.state == "complete" and receipt.proof is not None
