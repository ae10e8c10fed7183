"""What the log does: it takes receipts, signs its growth once, and gives proofs."""

import hashlib
import json
from typing import Any

from sqlmodel import Session, col, select

from connector.identity.service import Members, spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Promise
from connector.kit.runtime import Runtime
from governance.log import camps, tree
from governance.log.model import LogEntry, LogHead
from governance.members.model import MemberRow
from governance.members.standing import host
from governance.members.states import State
from vocab.errors import Refusal
from vocab.records.envelope import Envelope, canonical
from vocab.records.receipt import read, two_signed
from vocab.tlog import note
from vocab.tlog.hash import EMPTY
from vocab.tlog.note import Algorithm, Checkpoint, Key, Note
from vocab.tlog.policy import Policy
from vocab.tlog.proof import Proof, inclusion

#: Entries that one unit adds to the tree at most: the writer must not wait long.
BATCH = 1024


def log_key(runtime: Runtime) -> Key:
    """The key and name of this operator's log."""
    return Key(f"{host(runtime.did)}/log", Algorithm.ED25519, runtime.keys.public("log"))


def append(unit: Unit, runtime: Runtime, by: Caller, envelope: Envelope) -> LogEntry:
    """Takes a member's own receipt and promises it an index. The same entry again has the same index.

    Raises `Refusal`: envelope-invalid, signature-invalid, signature-missing, entry-too-long, not-the-author,
    logged-otherwise.
    """
    spend(unit, by, runtime.now())
    body = read(envelope, runtime.get(Members).receipts)
    if body["author"] != by.did:
        raise Refusal("not-the-author", needed=body["author"], seen=by.did)
    data = canonical(envelope)
    digest = hashlib.sha256(data).hexdigest()
    kept = unit.session.exec(select(LogEntry).where(LogEntry.receipt == body["id"])).first()
    if kept is not None:
        if kept.digest != digest:
            raise Refusal("logged-otherwise", receipt=body["id"], needed=kept.digest, seen=digest)
        return kept
    entry = LogEntry(
        index=entries_count(unit.session),
        digest=digest,
        receipt=body["id"],
        data=data,
        type=body["type"],
        study=body["study"],
        about=body["about"],
        author=body["author"],
        counterparty=body["counterparty"],
        one_sided=not two_signed(envelope),
        at=runtime.now(),
    )
    unit.session.add(entry)
    want_publishing(unit, runtime)
    unit.session.flush()
    return entry


def entries_count(session: Session) -> int:
    """How many entries were taken, published or not."""
    last = session.exec(select(LogEntry.index).order_by(col(LogEntry.index).desc()).limit(1)).first()
    return 0 if last is None else last + 1


def entry_of(envelope_bytes: bytes) -> dict[str, Any]:
    """The envelope in an entry of ours."""
    found: dict[str, Any] = json.loads(envelope_bytes)
    return found


def head(session: Session, origin: str) -> LogHead:
    """The log's state; before the first entry, the empty tree."""
    return session.get(LogHead, origin) or LogHead(origin=origin, root=EMPTY.hex())


def integrate(unit: Unit, runtime: Runtime) -> LogHead:
    """Lets the tree grow by the entries that wait, and signs it: the only place where the log key signs its history."""
    key, session = log_key(runtime), unit.session
    state = head(session, key.name)
    query = select(LogEntry.data).where(LogEntry.index >= state.size).order_by(col(LogEntry.index)).limit(BATCH)
    waiting = list(session.exec(query))
    if waiting:
        size, root = tree.grow(session, state.size, waiting)
        checkpoint = Checkpoint(key.name, size, root)
        own = note.signed(str(checkpoint), key, runtime.keys.ed25519("log").sign)
        state.size, state.root, state.note = size, root.hex(), bytes(Note(str(checkpoint), (own,))).decode()
        session.add(state)
    session.flush()
    return state


def want_publishing(unit: Unit, runtime: Runtime) -> None:
    """One round of publishing is promised, and due now."""
    now = runtime.now()
    waiting = unit.session.exec(
        select(Promise).where(Promise.process == "log", Promise.kind == "publish", Promise.state == "waiting")
    ).first()
    if waiting is None:
        outbox.promise(unit, "log", "publish", {}, now=now)
    else:
        outbox.hasten(unit, "log", now)


def seated(session: Session) -> list[MemberRow]:
    """The members in force, by DID: who may be asked to cosign."""
    return list(session.exec(select(MemberRow).where(MemberRow.state == State.ACTIVE).order_by(MemberRow.did)))


def trusted(session: Session, runtime: Runtime) -> Policy | None:
    """The trust policy over the members of now; None while a camp has nobody."""
    return camps.trusted(log_key(runtime), [(row.did, row.camp, row.vkey) for row in seated(session)])


def info(session: Session, runtime: Runtime) -> dict[str, str]:
    """What the standing list says of the log."""
    key, policy = log_key(runtime), trusted(session, runtime)
    return {"origin": key.name, "vkey": str(key), "policy": bytes(policy).decode() if policy else ""}


def proof_of(session: Session, runtime: Runtime, index: int) -> Proof:
    """The tlog-proof of an entry against the published checkpoint. Raises `Refusal("not-published")`."""
    state = head(session, log_key(runtime).name)
    if index >= state.published_size:
        raise Refusal("not-published", index=index, size=state.published_size)
    path = inclusion(index, state.published_size, tree.hashes(session))
    return Proof(index, tuple(path), state.published.encode())


def entry_at(session: Session, digest: str) -> LogEntry:
    """The entry with this digest. Raises `Refusal("not-found")`."""
    row = session.exec(select(LogEntry).where(LogEntry.digest == digest)).first()
    if row is None:
        raise Refusal("not-found", what=digest)
    return row
