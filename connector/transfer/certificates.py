"""We checked the evidence: what a zone certifies is compared with our own rows before we countersign it.

A task certificate must name every part of ours whose key the task had; a closing certificate every part that we staged,
every task that had a key of ours, and our own word on the keys. One object too few is a dispute.
"""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.service import end_grant, permit_for
from connector.transfer.ending import data_keys, releases
from connector.transfer.model import DataKey, KeyRelease
from vocab.errors import Refusal
from vocab.records.certificate import (
    CLOSING,
    TASK,
    ClosingCertificate,
    Object,
    TaskCertificate,
    check_closing,
    check_task,
)
from vocab.records.envelope import digest, opened

Json = dict[str, Any]


def task_certificate(runtime: Runtime, unit: Unit, body: Json, payload: Json) -> None:
    """Check of a `task-certificate` receipt. Raises `Refusal`: receipt-disputed, certificate-omits-object, ..."""
    study = _told(unit.session, body, payload)
    held = data_keys(unit.session, study)
    released = [row for row in releases(unit.session, study) if row.task == payload.get("task")]
    found = check_task(payload, objects=_expected(held, released))
    _proven(found)
    _ours(runtime.did, held, found.objects)
    had = {(row.agreement, row.part) for row in released}
    for one in found.objects:
        if one.provider == runtime.did:
            _key_released((one.agreement, one.part) in had, one.key_released, found.outcome)
    for row in released:
        for name in ("kind", "walls", "job_key", "code_digest", "image_digest"):
            _same(name, getattr(row, name), getattr(found, name))
    now = runtime.now()
    end_grant(unit, kind="key", id=found.task, now=now)
    journal.record(
        unit, "task-evidence-checked", now=now, study=study, by=body["author"], task=found.task, result=found.result
    )


def closing_certificate(runtime: Runtime, unit: Unit, body: Json, payload: Json) -> None:
    """Check of a `closing-certificate` receipt. Raises likewise."""
    study = _told(unit.session, body, payload)
    held = data_keys(unit.session, study)
    certified = _certified(unit.session, study)
    found = check_closing(
        payload,
        objects={part["sha256"] for row in held for part in row.parts.values()},
        tasks={digest(one) for one in certified},
    )
    _proven(found)
    _ours(runtime.did, held, found.objects)
    missing = {row.task for row in releases(unit.session, study)} - {one.task for one in found.tasks}
    if missing:
        raise Refusal("certificate-omits-object", what="task", needed=len(missing), seen=min(missing))
    for row in held:
        _same("keys", "destroyed", row.state)
    _our_word(runtime, study, held, found)
    journal.record(
        unit, "closing-evidence-checked", now=runtime.now(), study=study, by=body["author"], result=found.result
    )


def _told(session: Session, body: Json, payload: Json) -> str:
    """The study that receipt and certificate name alike; its zone is the author of both."""
    subject, study = body["subject"], str(body["study"])
    permit = permit_for(session, study)
    _same("zone", permit.fields["zone"] if permit else None, body["author"])
    _same("zone", body["author"], payload.get("zone"))
    _same("certificate", digest(payload), subject.get("certificate"))
    _same("study", study, payload.get("study"))
    for name in ("study", "result"):
        _same(name, payload.get(name), subject.get(name))
    return study


def _expected(held: Sequence[DataKey], released: Sequence[KeyRelease]) -> set[str]:
    """The ciphertexts that a task had a key to."""
    parts = {row.agreement: row.parts for row in held}
    return {parts[row.agreement][row.part]["sha256"] for row in released}


def _ours(did: str, held: Sequence[DataKey], objects: Sequence[Object]) -> None:
    """Every object that is said to be ours is one that we staged, as we staged it."""
    staged = {part["sha256"]: (row, part) for row in held for part in row.parts.values()}
    for one in objects:
        if one.provider != did:
            continue
        row, part = staged.get(one.sha256, (None, None))
        if row is None or part is None:
            raise Refusal("receipt-disputed", what="object", needed="an object of ours", seen=one.object)
        ours = {
            "agreement": row.agreement,
            "snapshot": row.digest,
            "key_id": row.id,
            "part": part["name"],
            "object": part["object"],
            "bytes": part["bytes"],
        }
        for name, needed in ours.items():
            _same(f"object.{name}", needed, getattr(one, name))


def _key_released(ours: bool, said: bool, outcome: str) -> None:
    """A zone that died may not know of a key that was on its way to it; what it opened, it had a key to."""
    if said != ours and (said or outcome == "COMPLETE"):
        raise Refusal("receipt-disputed", what="key_released", needed=ours, seen=said)


def _our_word(runtime: Runtime, study: str, held: Sequence[DataKey], found: ClosingCertificate) -> None:
    """What the certificate quotes of us is what we signed: these keys of this study, and none other."""
    keys = {runtime.did: runtime.keys.public("receipt")}
    own = [one for one in found.keys_destroyed if one.get("body", {}).get("hospital") == runtime.did]
    try:
        words = [opened(one, "keys-destroyed", keys, runtime.did) for one in own]
    except Refusal as refusal:
        raise Refusal("receipt-disputed", what="keys_destroyed", needed="our signature", seen=refusal.code) from None
    quoted = sorted((word["study"], key["key_id"]) for word in words for key in word["keys"])
    _same("keys_destroyed", sorted((study, row.id) for row in held), quoted)


def _proven(found: TaskCertificate | ClosingCertificate) -> None:
    """We put our name under no certificate that proves nothing."""
    if found.result == "UNPROVEN":
        raise Refusal("receipt-disputed", what="result", needed="DELETED", seen=found.result)


def _certified(session: Session, study: str) -> list[Json]:
    """The task certificates of a study that we countersigned."""
    rows = session.exec(select(Receipt).where(Receipt.type == TASK, Receipt.study == study))
    return [row.payload for row in rows if row.payload is not None]


def _same(what: str, needed: object, seen: object) -> None:
    if needed != seen:
        raise Refusal("receipt-disputed", what=what, needed=needed, seen=seen)


__all__ = ["CLOSING", "TASK", "closing_certificate", "task_certificate"]
