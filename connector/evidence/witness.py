"""This node as a witness (C2SP tlog-witness): it cosigns the log's growth, never a second history.

Every participant's connector is one by default, so that hospitals and companies together fix what was logged.
"""

from typing import Final
from urllib.parse import unquote

from sqlmodel import Session

from connector.evidence import journal
from connector.evidence.model import Cosigned, WitnessedLog
from connector.identity.service import Members
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.tlog import note as notes
from vocab.tlog import witness
from vocab.tlog.note import Algorithm, Checkpoint, Key
from vocab.tlog.witness import Answer, Asked, Known

#: Refusals that a log which only grows can never cause: the checkpoint, signed by the log, is kept as evidence.
EVIDENCE: Final = frozenset({"witness-fork", "witness-proof"})


def key_of(did: str, public: bytes) -> Key:
    """The verifier key of a participant's witness: host and port of its DID, and `/w`."""
    host = unquote(did.removeprefix("did:web:").split(":")[0])
    return Key(f"{host}/w", Algorithm.COSIGNATURE_ED25519, public)


async def add_checkpoint(runtime: Runtime, body: bytes) -> Answer:
    """Answers an add-checkpoint request. What is cosigned was compared and stored in one unit before."""
    try:
        request = witness.asked(body)
    except Refusal as refusal:
        return witness.refused(refusal, Known())
    origin, log = request.checkpoint.origin, _log(runtime)
    try:
        tree = await runtime.store.run(lambda unit: _agreed(unit, runtime, request, log))
    except Refusal as refusal:
        found = refusal
        if found.code in EVIDENCE:
            await runtime.store.run(lambda unit: _noticed(unit, runtime, request, found))
        return witness.refused(found, await runtime.store.read(lambda session: known(session, origin)))
    ours = key_of(runtime.did, runtime.keys.public("witness"))
    return witness.cosignature(tree, ours, runtime.keys.ed25519("witness").sign, runtime.now())


def known(session: Session, origin: str) -> Known:
    """The newest tree of the log that this node cosigned."""
    row = session.get(WitnessedLog, origin)
    return Known() if row is None else Known(row.size, bytes.fromhex(row.root))


def _log(runtime: Runtime) -> Key | None:
    """The only log that we witness: the one whose key stands in the operator's signed standing list."""
    vkey = runtime.get(Members).log_vkey
    return notes.key(vkey) if vkey else None


def _agreed(unit: Unit, runtime: Runtime, request: Asked, log: Key | None) -> Checkpoint:
    before = known(unit.session, request.checkpoint.origin)
    tree = witness.agreed(request, log, before)
    now, root, text = runtime.now(), tree.root.hex(), bytes(request.note).decode()
    newest = WitnessedLog(origin=tree.origin, size=tree.size, root=root, checkpoint=text, at=now)
    unit.session.merge(newest)
    unit.session.merge(Cosigned(origin=tree.origin, size=tree.size, root=root, checkpoint=text, at=now))
    return tree


def _noticed(unit: Unit, runtime: Runtime, request: Asked, refusal: Refusal) -> None:
    refusal.values |= {"origin": request.checkpoint.origin, "checkpoint": bytes(request.note).decode()}
    refusal.seen = refusal.seen or request.checkpoint.root.hex()
    journal.refused(unit, refusal, now=runtime.now(), kind="log-fork-refused", by=runtime.get(Members).operator)
