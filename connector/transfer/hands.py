"""What one of our people does to a transfer: starts, suspends, resumes, completes, ends it."""

from collections.abc import Callable
from functools import partial
from typing import Final

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.rights.service import end_grant
from connector.transfer import core, judgement, public
from connector.transfer.model import Transfer
from connector.transfer.states import Message, State, after
from vocab.errors import Refusal
from vocab.messages import transfer as messages

_Send = Callable[[Unit, Transfer, int], None]
_SUSPENSION: Final = "TransferSuspensionMessage"
_COMPLETION: Final = "TransferCompletionMessage"


async def start(runtime: Runtime, person: str, pid: str) -> Transfer:
    """As provider: starts what waits, or resumes it with a new token. As consumer: resumes. The gate is asked again."""
    row = await _mine(runtime, pid, Message.START)
    if row.side == Side.PROVIDER:
        found = await runtime.store.read(lambda session: judgement.given(session, row.agreement, row.peer))
        if found.public:
            await public.demand(runtime, found, row.format)
        elif row.state == State.REQUESTED:  # sealed data start by themselves, once they are sealed
            raise Refusal("zone-only", rule="dataset.non_public", needed=False, seen=True)

    def send(unit: Unit, current: Transfer, now: int) -> None:
        if current.side == Side.PROVIDER and current.zone is None:
            public.start(unit, runtime, current)
        else:
            core.sent(unit, current, Message.START, messages.start(*core.pids(current)), now)

    return await _done(runtime, person, row, send)


async def suspend(runtime: Runtime, person: str, pid: str, words: str | None = None) -> Transfer:
    """Nothing more goes, and no token is good, until either side resumes."""
    row = await _mine(runtime, pid, Message.SUSPENSION)
    refusal = Refusal("transfer-suspended", person=person)

    def send(unit: Unit, current: Transfer, now: int) -> None:
        current.reason = words
        message = messages.step(_SUSPENSION, *core.pids(current), refusal, words)
        core.sent(unit, current, Message.SUSPENSION, message, now)

    return await _done(runtime, person, row, send)


async def complete(runtime: Runtime, person: str, pid: str) -> Transfer:
    """All that was wanted has gone over."""
    row = await _mine(runtime, pid, Message.COMPLETION)

    def send(unit: Unit, current: Transfer, now: int) -> None:
        core.sent(unit, current, Message.COMPLETION, messages.step(_COMPLETION, *core.pids(current)), now)
        end_grant(unit, kind="transfer", id=current.id, now=now)

    return await _done(runtime, person, row, send)


async def end(runtime: Runtime, pid: str, person: str, words: str | None = None) -> Transfer:
    """Ends a transfer, and tells the other side why. Raises `Refusal("not-found" | "transition-refused")`."""

    def ending_it(unit: Unit) -> Transfer:
        row = unit.session.get(Transfer, pid)
        if row is None:
            raise Refusal("not-found", what=pid)
        core.terminate(unit, runtime, row, Refusal("transfer-ended-by-person", person=person), words)
        return row

    return await runtime.store.run(ending_it)


async def _mine(runtime: Runtime, pid: str, kind: Message) -> Transfer:
    """The transfer, if we may say this in it now. Raises `Refusal("not-found" | "transition-refused")`."""
    row = await runtime.store.read(lambda session: session.get(Transfer, pid))
    if row is None:
        raise Refusal("not-found", what=pid)
    after(State(row.state), Side(row.side), kind)
    return row


async def _done(runtime: Runtime, person: str, row: Transfer, send: _Send) -> Transfer:
    return await runtime.store.run(partial(_step, runtime=runtime, person=person, row=row, send=send))


def _step(unit: Unit, *, runtime: Runtime, person: str, row: Transfer, send: _Send) -> Transfer:
    """One unit: the transfer is as it was when the person looked, and the step is taken."""
    current = unit.session.get(Transfer, row.id)
    if current is None or current.state != row.state:
        raise Refusal("changed-meanwhile", what="transfer", needed=row.state, seen=current and current.state)
    now = runtime.now()
    send(unit, current, now)
    journal.record(
        unit,
        "transfer-moved",
        now=now,
        study=current.study,
        by=person,
        state=current.state,
        dataset=current.dataset,
    )
    return current
