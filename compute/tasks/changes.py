"""What each step of a task changes in the store: functions of a unit, without I/O."""

from collections.abc import Mapping
from typing import Final

from compute.launcher.model import Ended, Prepared
from compute.metering.service import Used
from compute.tasks.judgement import Verdict
from compute.tasks.model import Result, Task
from compute.tasks.service import heard, load
from compute.tasks.states import Outcome
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.service import end_grant, grant
from vocab.errors import Refusal

#: How the launcher says that a job ended -> what that is in TES, and why.
ENDS: Final[Mapping[str, tuple[Outcome, str | None]]] = {
    "complete": (Outcome.COMPLETE, None),
    "executor-error": (Outcome.EXECUTOR_ERROR, "task-failed"),
    "memory": (Outcome.EXECUTOR_ERROR, "task-memory"),
    "expired": (Outcome.EXECUTOR_ERROR, "task-time"),
    "stopped": (Outcome.SYSTEM_ERROR, "lease-lost"),
    "system-error": (Outcome.SYSTEM_ERROR, "task-died"),
}


def granted(runtime: Runtime, verdicts: list[Verdict], unit: Unit, row: Task) -> None:
    """From here on an ended right finds this task, whichever of its agreements it is of."""
    now = runtime.now()
    row.revision = verdicts[0].decision.revision
    for one in verdicts:
        grant(
            unit,
            kind="task",
            id=row.id,
            study=row.study,
            parties=(row.consumer, one.slot.provider, runtime.did),
            revision=one.decision.revision,
            valid_until=one.slot.until,
            now=now,
            permit=row.permit,
            agreement=one.slot.agreement,
            snapshot=one.slot.snapshot,
            leans=one.leans,
        )


def refused(runtime: Runtime, refusal: Refusal, unit: Unit, row: Task) -> None:
    """It never had walls, so there is nothing to certify."""
    now = runtime.now()
    row.outcome, row.code, row.ended_at = Outcome.SYSTEM_ERROR.value, refusal.code, now
    if row.stopping == "task-canceled":
        row.outcome = Outcome.CANCELED.value
    end_grant(unit, kind="task", id=row.id, now=now)
    journal.refused(unit, refusal, now=now, kind="task-refused", study=row.study, by=row.consumer)
    heard(unit, runtime, row)


def prepared(runtime: Runtime, prepared: Prepared, unit: Unit, row: Task) -> None:
    now = runtime.now()
    row.prepared_at, row.walls = now, prepared.level
    row.job_key, row.begin = prepared.public_key.hex(), prepared.evidence
    journal.record(unit, "task-prepared", now=now, study=row.study, task=row.id, walls=prepared.level)


def keys_here(runtime: Runtime, task: str, unit: Unit) -> None:
    row = load(unit.session, task)
    row.keys_released = True
    names = [one["name"] for one in row.inputs]
    journal.record(unit, "keys-received", now=runtime.now(), study=row.study, task=task, parts=names)


def started(runtime: Runtime, unit: Unit, row: Task) -> None:
    row.started_at = runtime.now()
    journal.record(unit, "task-started", now=row.started_at, study=row.study, task=row.id)


def finished(runtime: Runtime, ended: Ended, unit: Unit, row: Task) -> None:
    """How it ended. A job that was stopped ended for the reason for which it was stopped."""
    _ = unit
    outcome, code = ENDS[ended.state]
    if ended.state == "stopped":
        code = row.stopping or ended.reason or code
        outcome = Outcome.CANCELED if code == "task-canceled" else outcome
    if ended.findings:
        outcome, code = Outcome.EXECUTOR_ERROR, "outputs-refused"
    row.outcome, row.code, row.finished_at = outcome.value, code, runtime.now()
    row.exit_codes, row.durations, row.end = ended.exit_codes, ended.durations_ms, ended.evidence.get("end", {})
    row.cpu_ms, row.peak_mb, row.wall_ms = ended.cpu_ms, ended.peak_mb, ended.durations_ms.get("wall", 0)


def collected(results: list[Result], ended: Ended, unit: Unit, row: Task) -> None:
    row.undeclared = len(ended.outputs) - len(results)
    for one in results:
        unit.session.merge(one)


def used(row: Task, now: int) -> Used:
    return Used(
        task=row.id,
        study=row.study,
        consumer=row.consumer,
        agreements=sorted({one["agreement"] for one in row.inputs}),
        kind=row.kind,
        outcome=str(row.outcome),
        wall_ms=row.wall_ms,
        cpu_ms=row.cpu_ms,
        peak_mb=row.peak_mb,
        code_digest=row.code_digest,
        image_digest=row.image_digest,
        started=row.started_at,
        ended=row.finished_at or now,
    )
