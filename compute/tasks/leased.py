"""While a task runs it runs on the permit lease: cut off from the operator it is held, and ten minutes later killed."""

import asyncio
import contextlib

from compute.engines.model import Engine
from compute.launcher.model import Ended
from compute.tasks.model import Task
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.current import Rights
from connector.rights.lease import Lease, LeaseState, lease
from vocab.errors import Refusal

_LOOK = 0.5


def held(runtime: Runtime) -> Lease:
    """The lease now."""
    rights = runtime.get(Rights)
    standing = rights.standing
    seconds = standing.lease_seconds if standing is not None else 0
    return lease(rights.contact, seconds, runtime.clock.monotonic())


async def attended(runtime: Runtime, engine: Engine, row: Task) -> Ended:
    """Waits for the task's end and watches its lease meanwhile."""
    end = asyncio.ensure_future(engine.ended(row.id))
    frozen = False
    try:
        while True:
            done, _ = await asyncio.wait({end}, timeout=_LOOK)
            if done:
                return end.result()
            state = held(runtime).state
            if state is LeaseState.KILL:
                await engine.cancel(row.id, "lease-lost")
                return await end
            if (state is LeaseState.FROZEN) != frozen:
                with contextlib.suppress(Refusal):  # it may just have ended
                    await engine.freeze(row.id, not frozen)
                    frozen = not frozen
                    await runtime.store.run(lambda unit: _note(unit, runtime, row))
    finally:
        end.cancel()


def _note(unit: Unit, runtime: Runtime, row: Task) -> None:
    kind = "task-thawed" if held(runtime).state is LeaseState.RUNNING else "task-frozen"
    journal.record(unit, kind, now=runtime.now(), study=row.study, task=row.id)
