"""What a task used, and what of it is charged: started minutes. A fault of the zone is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from compute.metering.model import Meter
from connector.evidence.service import author
from connector.kit.db import Unit
from connector.kit.runtime import Runtime

MINUTE_MS: Final = 60_000
#: Outcomes that are the task's own doing, not the zone's.
CHARGED: Final = frozenset({"COMPLETE", "EXECUTOR_ERROR", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Used:
    """One task's use. `wall_ms`, `cpu_ms` come from monotonic clocks; `started`, `ended` are UTC milliseconds."""

    task: str
    study: str
    consumer: str
    agreements: Sequence[str]
    kind: str
    outcome: str
    wall_ms: int
    cpu_ms: int
    peak_mb: int
    code_digest: str
    image_digest: str
    started: int | None
    ended: int


def started_minutes(wall_ms: int, outcome: str) -> int:
    """The minutes to be charged: each that began, none for a fault of the zone."""
    return -(-wall_ms // MINUTE_MS) if outcome in CHARGED else 0


def metered(unit: Unit, runtime: Runtime, used: Used) -> Meter:
    """Stores the reading; of a task that began, authors the receipt `task-end`: in the unit in which it ends."""
    kept = unit.session.get(Meter, used.task)
    if kept is not None:
        return kept
    minutes = started_minutes(used.wall_ms, used.outcome)
    row = Meter(
        task=used.task,
        study=used.study,
        outcome=used.outcome,
        charged=used.outcome in CHARGED,
        started_minutes=minutes,
        wall_ms=used.wall_ms,
        cpu_ms=used.cpu_ms,
        peak_mb=used.peak_mb,
        at=used.ended,
    )
    unit.session.add(row)
    if used.started is None:
        return row
    author(
        unit,
        runtime,
        "task-end",
        about=used.task,
        subject={
            "task": used.task,
            "study": used.study,
            "agreements": sorted(used.agreements),
            "kind": used.kind,
            "outcome": used.outcome,
            "started_minutes": minutes,
            "cpu_ms": used.cpu_ms,
            "code_digest": used.code_digest,
            "image_digest": used.image_digest,
            "started": used.started,
            "ended": used.ended,
        },
        payload={"wall_ms": used.wall_ms, "peak_mb": used.peak_mb, "charged": row.charged},
        counterparty=used.consumer,
        study=used.study,
    )
    return row
