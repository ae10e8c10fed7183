"""The evidence room's door for other rooms: receipts, their proofs, and what this node does as a witness."""

from functools import partial

from connector.evidence import delivery
from connector.evidence.receipts import (
    DEADLINE,
    Check,
    Completed,
    Receipts,
    author,
    checked,
    entry_bytes,
    find,
    proven,
    receive,
    siblings,
)
from connector.evidence.stream import Commits
from connector.kit.outbox import Handler
from connector.kit.runtime import Runtime

__all__ = [
    "DEADLINE",
    "Check",
    "Completed",
    "Receipts",
    "author",
    "checked",
    "entry_bytes",
    "find",
    "install",
    "proven",
    "receive",
    "siblings",
]


def install(runtime: Runtime) -> None:
    """Registers how receipts reach the other party and the log, and who is woken by a commit."""
    runtime.add(Commits(runtime.store))
    handlers = runtime.outbox.handlers
    unsigned, unlogged = partial(delivery.one_sided, runtime), partial(delivery.unlogged, runtime)
    handlers["receipt"] = Handler(partial(delivery.deliver, runtime), unsigned, most=16)
    handlers["log-entry"] = Handler(partial(delivery.hand_in, runtime), unlogged, most=4, one_place=True)
