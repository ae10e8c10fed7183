"""What the tasks room performs, and what it does when the node starts."""

import asyncio
from functools import partial

from compute.engines.service import Engines
from compute.tasks import places, run, stopping
from compute.tasks.model import Task
from compute.tasks.profile import read
from compute.tasks.service import Furniture, Tasks
from connector.kit.outbox import Handler
from connector.kit.runtime import Runtime


def install(runtime: Runtime) -> None:
    """Before the outbox takes up what an earlier run left, the engine ends what is left of that run's jobs."""
    tasks = Tasks()
    tasks.furnish["train"] = partial(_furnish, runtime)
    runtime.add(tasks)
    handlers = runtime.outbox.handlers
    handlers["task"] = Handler(partial(run.perform, runtime))
    handlers["stop:task"] = Handler(partial(stopping.perform, runtime))
    runtime.on_start.append(partial(run.reconciled, runtime))
    runtime.on_stop.append(partial(asyncio.to_thread, places.wipe, places.yard(runtime)))


async def _furnish(runtime: Runtime, row: Task) -> Furniture:
    """A company's task brings its code; it has no plain files."""
    return Furniture(read(row.document, runtime.get(Engines).demand().capabilities).code, {})
