"""Receipts: made in the author's unit, countersigned by the other party, handed to the operator's log, proven.

The author signs; the outbox posts the receipt to the counterparty, which compares it with its own state and signs or
disputes; then the author hands it to the log, and both keep the proof. Protocol states never wait for this; use does.
"""

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.records.envelope import canonical, commitment, countersigned, opened, signed

#: After this a receipt without its counter-signature is logged one-sided (ms).
DEADLINE: Final = 24 * 3600 * 1000

#: Compares a peer's receipt with our own state. Raises `Refusal("receipt-disputed")` when it says otherwise.
Check = Callable[[Unit, dict[str, Any], dict[str, Any]], None]
#: Runs in the unit in which a receipt of ours became complete (both signatures).
Completed = Callable[[Unit, Receipt], None]


class Receipts:
    """What each room says of its receipt types. A type without a check is never countersigned."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.completed: dict[str, Completed] = {}


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
) -> Receipt:
    """Makes and signs a receipt in this unit and promises its way to the counterparty and the log.

    `subject` (ids and digests only) is what the log shows; of `payload` it shows a salted commitment.
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
    receipt = Receipt(
        id=receipt_id,
        type=kind,
        study=study,
        about=about,
        author=runtime.did,
        counterparty=counterparty,
        envelope=signed(body, runtime.did, runtime.keys.sign),
        payload=dict(payload),
        salt=salt.hex(),
        state="authored" if counterparty else "complete",
        at=now,
    )
    unit.session.add(receipt)
    unit.session.flush()
    effect = "receipt" if counterparty else "log-entry"
    deadline = now + DEADLINE if counterparty else None
    outbox.promise(
        unit, f"receipt {receipt.id}", effect, {"id": receipt.id}, now=now, study=study, deadline_at=deadline
    )
    return receipt


def checked(
    unit: Unit,
    runtime: Runtime,
    envelope: dict[str, Any],
    payload: dict[str, Any],
    salt: str,
    keys: Mapping[str, bytes],
) -> Receipt:
    """A peer's receipt, compared with our state and countersigned. Sent twice, it gets the same answer twice."""
    body = opened(envelope, str(envelope.get("body", {}).get("type")), keys)
    author_did = str(body.get("author"))
    opened(envelope, body["type"], keys, author_did)
    kept = unit.session.get(Receipt, str(body.get("id")))
    if kept is not None:
        if kept.author != author_did:
            raise Refusal("receipt-disputed", what="id", needed=kept.author, seen=author_did)
        return kept
    if body.get("counterparty") != runtime.did or commitment(bytes.fromhex(salt), payload) != body.get("payload"):
        raise Refusal("receipt-disputed", what="commitment")
    check = runtime.get(Receipts).checks.get(body["type"])
    if check is None:
        raise Refusal("receipt-disputed", what="type", seen=body["type"])
    check(unit, body, payload)
    receipt = Receipt(
        id=body["id"],
        type=body["type"],
        study=body.get("study"),
        about=str(body.get("about")),
        author=author_did,
        counterparty=runtime.did,
        envelope=countersigned(envelope, runtime.did, runtime.keys.sign),
        payload=payload,
        salt=salt,
        state="complete",
        at=runtime.now(),
    )
    unit.session.add(receipt)
    journal.record(
        unit, "receipt-countersigned", now=runtime.now(), study=receipt.study, by=author_did, type=receipt.type
    )
    return receipt


def entry_bytes(receipt: Receipt) -> bytes:
    """The log entry of a receipt: its envelope in canonical form."""
    return canonical(receipt.envelope)


def find(session: Session, kind: str, about: str) -> Receipt | None:
    """The newest receipt of `kind` about `about`."""
    query = select(Receipt).where(Receipt.type == kind, Receipt.about == about).order_by(col(Receipt.at).desc())
    return session.exec(query).first()


def proven(session: Session, kind: str, about: str) -> bool:
    """Whether both parties signed it and the log's proof is here: only then may it be leaned on."""
    receipt = find(session, kind, about)
    return receipt is not None and receipt.state == "complete" and receipt.proof is not None
