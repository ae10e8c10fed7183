"""A task's certificate: authored in the unit in which the task ends, for every hospital whose part it had."""

from typing import Any

from sqlmodel import Session, col, select

from compute.deletion.model import Certificate
from compute.staging.model import Slot
from compute.staging.service import parts, slots
from compute.tasks.model import Task
from compute.tasks.service import results
from connector.evidence import journal
from connector.evidence.service import author
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.records import certificate as records
from vocab.records.envelope import digest

Json = dict[str, Any]


def on_end(runtime: Runtime, unit: Unit, row: Task) -> None:
    """Whatever had a key of its own gets a certificate, also when it failed, was stopped or was found dead."""
    if row.job_key is None or unit.session.get(Certificate, row.id) is not None:
        return
    body = _body(unit.session, runtime.did, row)
    records.check_task(body)
    kept = store(unit, body, row.id, row.study, runtime.now())
    subject = {
        "task": row.id,
        "study": row.study,
        "certificate": kept.digest,
        "result": kept.result,
        "walls": row.walls,
        "objects": len(body["objects"]),
    }
    for provider in sorted({one["provider"] for one in body["objects"]}):
        author(
            unit,
            runtime,
            records.TASK,
            about=row.id,
            subject=subject,
            payload=body,
            counterparty=provider,
            study=row.study,
        )
    said = {"result": kept.result, "exceptions": body["exceptions"]}
    journal.record(unit, "task-certified", now=kept.at, study=row.study, task=row.id, **said)


def store(unit: Unit, body: Json, about: str, study: str, now: int) -> Certificate:
    """Keeps a certificate as it was issued."""
    row = Certificate(
        about=about, type=body["type"], study=study, digest=digest(body), result=body["result"], body=body, at=now
    )
    unit.session.add(row)
    unit.session.flush()
    return row


def certificates(session: Session, study: str) -> list[Certificate]:
    """What was issued for a study, oldest first."""
    query = select(Certificate).where(Certificate.study == study).order_by(col(Certificate.at), col(Certificate.about))
    return list(session.exec(query))


def about_part(slot: Slot, part: Any) -> Json:
    """A staged part as certificates name it."""
    return {
        "agreement": slot.agreement,
        "provider": slot.provider,
        "dataset": slot.dataset,
        "snapshot": slot.snapshot,
        "part": part.part,
        "object": part.object,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "key_id": slot.key_id,
    }


def _body(session: Session, zone: str, row: Task) -> Json:
    mine = {slot.agreement: slot for slot in slots(session, row.study, limit=500)}
    wanted = {(one["agreement"], one["part"]) for one in row.inputs}
    objects = [
        {**about_part(slot, part), "key_released": row.keys_released}
        for agreement, slot in sorted(mine.items())
        for part in parts(session, slot.id)
        if (agreement, part.part) in wanted
    ]
    result, exceptions = records.task_result(row.begin, row.end, str(row.walls))
    return {
        "type": records.TASK,
        "version": 1,
        "zone": zone,
        "study": row.study,
        "permit": row.permit,
        "consumer": row.consumer,
        "method": dict(records.METHOD),
        "result": result,
        "exceptions": exceptions,
        "limits": records.limits(records.TASK_LIMITS),
        "task": row.id,
        "kind": row.kind,
        "outcome": row.outcome,
        "reason": row.code,
        "recovered": row.recovered,
        "walls": row.walls,
        "policy_revision": row.revision,
        "image_digest": row.image_digest,
        "code_digest": row.code_digest,
        "job_key": row.job_key,
        "objects": objects,
        "times": {
            "prepared": row.prepared_at,
            "started": row.started_at,
            "ended": row.finished_at,
            "deleted": row.ended_at,
        },
        "begin": row.begin,
        "end": row.end,
        "outputs": [{"name": one.name, "bytes": one.bytes, "sha256": one.sha256} for one in results(session, row.id)],
    }
