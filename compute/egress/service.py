"""The egress room's door for other rooms, and what it performs."""

from functools import partial

from compute.egress import verifications
from compute.tasks.service import Tasks
from connector.kit.outbox import Handler
from connector.kit.runtime import Runtime


def install(runtime: Runtime) -> None:
    """The zone's own code is a kind of task; its end is read here."""
    tasks = runtime.get(Tasks)
    tasks.furnish[verifications.KIND] = partial(verifications.furnish, runtime)
    tasks.on_end.append(verifications.on_end)
    runtime.outbox.handlers["verification-read"] = Handler(partial(verifications.read, runtime))
