"""Timers of the rights room: the slow sweep for a newer standing list, and the end of each permit.

The operator pushes; the sweep is the safety net, and while a lease is held here it is what renews the lease.
"""

from typing import Final

from sqlmodel import Session, select

from connector.identity.service import ask
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.rights import grants
from connector.rights.acceptance import accept_standing
from connector.rights.current import Rights
from connector.rights.grants import Ended, Thing
from connector.rights.relay import relayed
from vocab.errors import Refusal

PROCESS: Final = "standing-sweep"
#: Between sweeps when nothing leased runs here (ms).
SLOW: Final = 300_000


async def refresh(runtime: Runtime) -> None:
    """Asks the operator for its newest list now, and so renews the lease. Raises `Unreachable` or `Refusal`."""
    authority = runtime.settings.authority
    url = f"{authority.url}/standing"
    answer = await ask(runtime, "GET", url, authority.did)
    if not answer.ok:
        raise relayed(answer)
    if not isinstance(answer.body, dict):
        raise Unreachable(url, "answer is not JSON")
    await accept_standing(runtime, answer.body)
    runtime.get(Rights).heard(runtime)


async def ensure(runtime: Runtime) -> None:
    """On start: one sweep is always waiting. The operator itself needs none."""
    if runtime.did != runtime.settings.authority.did:
        await runtime.store.run(lambda unit: _ensure(unit, runtime.now()))


async def perform(runtime: Runtime, _row: Promise) -> Performed:
    """Effect `standing-sweep`."""
    wait = await runtime.store.read(lambda session: _interval(session, runtime))
    try:
        await refresh(runtime)
    except (Refusal, Unreachable) as error:
        raise TryLater(str(error), wait / 1000) from None
    return lambda unit: _next(unit, runtime.now(), wait)


def given_up(unit: Unit, row: Promise, _refusal: Refusal) -> None:
    """After a week without the operator the sweep still goes on."""
    _next(unit, row.deadline_at, SLOW)


async def permit_lapses(runtime: Runtime, row: Promise) -> Performed:
    """Effect `permit-lapses`: the permit's own end, whether or not the operator can be heard."""
    permit, now = row.payload["permit"], runtime.now()
    ended = Ended(why="expired", permit=permit)
    standing = runtime.get(Rights).demand()
    verdicts: dict[Thing, Decision] = await runtime.store.read(
        lambda session: grants.held(runtime, standing, session, ended, now)
    )
    go_on = [thing for thing, decision in verdicts.items() if decision.allow]

    def done(unit: Unit) -> None:
        grants.right_ended(unit, runtime, why=ended.why, permit=permit, go_on=go_on)

    return done


def _interval(session: Session, runtime: Runtime) -> int:
    standing = runtime.get(Rights).standing
    if standing is not None and grants.running(session, *grants.LEASED):
        return standing.lease_seconds * 1000 // 3
    return SLOW


def _ensure(unit: Unit, now: int) -> None:
    waiting = select(Promise).where(Promise.process == PROCESS, Promise.state == "waiting")
    if unit.session.exec(waiting).first() is None:
        _next(unit, now, 0)


def _next(unit: Unit, now: int, wait: int) -> None:
    outbox.promise(unit, PROCESS, "standing-sweep", {}, now=now, due_at=now + wait)
