"""What runs and has lost its right, or is no longer wanted, is killed: within seconds, and the seconds are kept."""

import contextlib

from compute.engines.service import Engines
from compute.tasks.model import Task
from compute.tasks.service import end_early, load
from compute.tasks.states import State
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise
from connector.kit.runtime import Runtime
from vocab.errors import Refusal


async def perform(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `stop:task`: also what the rights room promises for a grant of kind `task`."""
    task, why = promise.payload["id"], promise.payload["why"]
    row = await runtime.store.run(lambda unit: _wanted(unit, runtime, task, why))
    if row is None:
        return None
    engine = runtime.get(Engines).engine
    gone = False
    if engine is not None:
        with contextlib.suppress(Refusal):  # it may not have walls yet: then its next step finds the wish
            gone = (await engine.cancel(task, why)).evidence.get("end", {}).get("nothing_left") is True
    ms = runtime.now() - promise.made_at
    return (lambda unit: _stopped(unit, runtime, task, why, ms)) if gone else None


def _wanted(unit: Unit, runtime: Runtime, task: str, why: str) -> Task | None:
    """The task with the wish noted; None when there is nothing to stop any more."""
    row = load(unit.session, task)
    if row.at is State.QUEUED:
        end_early(unit, runtime, row, why)
    if row.at in (State.ENDED, State.SHREDDING):
        return None
    row.stopping = row.stopping or why
    return row


def _stopped(unit: Unit, runtime: Runtime, task: str, why: str, ms: int) -> None:
    row = load(unit.session, task)
    if row.stop_ms is None:
        row.stop_ms = ms
        journal.record(unit, "task-stopped", now=runtime.now(), study=row.study, task=task, why=why, ms=ms)
