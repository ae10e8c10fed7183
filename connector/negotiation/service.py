"""The negotiation room's door for other rooms: agreements and their facts, and what this room performs."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlmodel import Session, select

from connector.evidence.service import Receipts, proven
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Performed, Promise
from connector.kit.runtime import Runtime
from connector.negotiation import core, delivery
from connector.negotiation.agreed import public_subject, subject
from connector.negotiation.asking import look
from connector.negotiation.consumer import begin
from connector.negotiation.core import IN_FORCE
from connector.negotiation.hands import stop
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import TERMINAL, Message, Side
from connector.rights.service import Rights
from vocab.errors import Refusal
from vocab.messages import problems
from vocab.messages.negotiation import Termination
from vocab.odrl.compare import compare
from vocab.odrl.normalise import normalise

__all__ = [
    "IN_FORCE",
    "agreement",
    "agreement_facts",
    "agreements",
    "all_or_none",
    "begin",
    "install",
    "look",
    "negotiations",
    "receive_termination",
    "stop",
]

Json = dict[str, Any]


def agreement(session: Session, agreement_id: str) -> Agreement:
    """The agreement with this id. Raises `Refusal("no-agreement")`."""
    row = session.get(Agreement, agreement_id)
    if row is None:
        raise Refusal("no-agreement", rule="agreement.id", seen=agreement_id)
    return row


def agreements(session: Session, study: str | None = None, *, after: str = "", limit: int = 100) -> list[Agreement]:
    """The agreements kept here, by id; of one study, or all."""
    query = select(Agreement).where(Agreement.id > after).order_by(Agreement.id).limit(limit)
    return list(session.exec(query if study is None else query.where(Agreement.study == study)))


def all_or_none(session: Session, study: str, datasets: Iterable[str]) -> list[Agreement]:
    """The final agreements of a study, one for each of its permit's `datasets`: all are there, or none may be used.

    Raises `Refusal("no-agreement")`.
    """
    needed = list(datasets)
    found = {one.dataset: one for one in agreements(session, study, limit=500) if one.state == "FINALIZED"}
    if not found or not found.keys() >= set(needed):
        raise Refusal("no-agreement", rule="study.agreements", needed=needed, seen=sorted(found), study=study)
    return [found[dataset] for dataset in needed]


def negotiations(session: Session, study: str | None = None, *, after: str = "", limit: int = 100) -> list[Negotiation]:
    """The negotiations kept here, by id; of one study, or all."""
    query = select(Negotiation).where(Negotiation.id > after).order_by(Negotiation.id).limit(limit)
    return list(session.exec(query if study is None else query.where(Negotiation.study == study)))


def agreement_facts(session: Session, agreement_id: str) -> Json | None:
    """What the gates are told of an agreement; None when there is none. Use waits for `receipt_complete`."""
    row = session.get(Agreement, agreement_id)
    if row is None:
        return None
    return {
        "id": row.id,
        "provider": row.provider,
        "consumer": row.consumer,
        "dataset": row.dataset,
        "study": row.study,
        "state": row.state,
        "receipt_complete": proven(session, "agreement", row.id),
        "snapshot": row.snapshot,
        "permit": row.permit,
        "until": row.until,
    }


def differences(row: Negotiation) -> list[Json]:
    """What the last turn changed, clause by clause; empty where the same lies on the table as before."""
    if row.before is None:
        return []
    was, now = (normalise(one, target=row.dataset) for one in (row.before, row.offer))
    return [one.to_json() for one in compare(was, now)]


async def receive_termination(runtime: Runtime, by: Caller, pid: str, message: Termination) -> None:
    """The peer ends it, with its reason."""
    said = problems.said(message.body)

    def take(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        row = core.addressed(unit.session, pid, by.did, message)
        if core.repeated(unit.session, by.did, message):
            return
        core.received(unit, row, Message.TERMINATION, message, runtime.now())
        core.ended(unit, runtime, row, said.refusal(), said.reason)

    await runtime.store.run(take)


async def _deliver(runtime: Runtime, row: Promise) -> Performed:
    """Performs `negotiation-message`. A first message that was ended before it left is not sent."""
    pid = row.payload["negotiation"]
    kept = await runtime.store.read(lambda session: session.get(Negotiation, pid))
    if kept is None or (row.payload["process"] is None and kept.state in TERMINAL):
        return None
    answer = await delivery.deliver(runtime, row)
    name = "provider_pid" if kept.side == Side.CONSUMER else "consumer_pid"
    member = "providerPid" if kept.side == Side.CONSUMER else "consumerPid"
    theirs = answer.body.get(member) if answer and isinstance(answer.body, dict) else None
    if getattr(kept, name) is not None or not isinstance(theirs, str):
        return None

    def learned(unit: Unit) -> None:
        current = unit.session.get(Negotiation, pid)
        if current is not None and getattr(current, name) is None:
            setattr(current, name, theirs)

    return learned


def _given_up(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The peer refused, or could not be reached in time: the negotiation is over, if it was not already."""
    current = unit.session.get(Negotiation, row.payload["negotiation"])
    if current is None or current.state in TERMINAL:
        return
    current.state = "TERMINATED"
    current.version, current.changed_at = current.version + 1, runtime.now()
    core.ended(unit, runtime, current, refusal)


async def _lapse(runtime: Runtime, row: Promise) -> Performed:
    """Performs `negotiation-lapses`: nobody of ours said anything in time."""

    def end(unit: Unit) -> None:
        current = unit.session.get(Negotiation, row.payload["negotiation"])
        if current is not None and current.waits and current.version == row.payload["version"]:
            core.terminate(unit, runtime, current, Refusal("waited-too-long", needed=core.WAITS // 86_400_000))

    return end


async def _stop(runtime: Runtime, row: Promise) -> Performed:
    """Performs `stop:agreement`: the right that it leaned on has ended."""
    refusal = Refusal("right-ended", why=row.payload["why"])

    def end(unit: Unit) -> None:
        kept = unit.session.get(Agreement, row.payload["id"])
        if kept is None or kept.state not in IN_FORCE:
            return
        negotiation = unit.session.get(Negotiation, kept.negotiation)
        if negotiation is not None and negotiation.state not in TERMINAL:
            core.terminate(unit, runtime, negotiation, refusal)
        kept.state = "ENDED"

    return end


def _check(unit: Unit, body: Json, _payload: Json) -> None:
    """The provider's receipt says what we agreed. From it we learn the snapshot: its digest stands in no policy."""
    said = body.get("subject")
    given: Json = said if isinstance(said, dict) else {}
    row = _ours(unit, body)
    snapshot, patients = given.get("snapshot"), given.get("patients")
    if not isinstance(snapshot, str) or not isinstance(patients, int) or isinstance(patients, bool):
        raise Refusal("receipt-disputed", what="snapshot", seen=str(snapshot)[:100])
    _same({**subject(row, patients), "snapshot": snapshot}, given)
    row.snapshot = snapshot


def _check_public(unit: Unit, body: Json, _payload: Json) -> None:
    """The provider's receipt of an agreement on public data says what we agreed."""
    said = body.get("subject")
    _same(public_subject(_ours(unit, body)), said if isinstance(said, dict) else {})


def _ours(unit: Unit, body: Json) -> Agreement:
    """The agreement that a provider's receipt is about."""
    row = unit.session.get(Agreement, str(body.get("about")))
    if row is None or row.side != Side.CONSUMER or row.state not in IN_FORCE or row.provider != body.get("author"):
        raise Refusal(
            "receipt-disputed", what="agreement", needed="an agreement of ours in force", seen=body.get("about")
        )
    return row


def _same(ours: Json, given: Json) -> None:
    for name in sorted(ours.keys() | given.keys()):
        if ours.get(name) != given.get(name):
            raise Refusal("receipt-disputed", what=name, needed=ours.get(name), seen=given.get(name))


def install(runtime: Runtime) -> None:
    """Registers what this room performs and checks."""
    given_up: Callable[[Unit, Promise, Refusal], None] = partial(_given_up, runtime)
    runtime.outbox.handlers[delivery.EFFECT] = Handler(partial(_deliver, runtime), given_up, most=16)
    runtime.outbox.handlers[core.LAPSE] = Handler(partial(_lapse, runtime))
    runtime.outbox.handlers["stop:agreement"] = Handler(partial(_stop, runtime))
    runtime.get(Rights).resting.add("agreement")
    checks = runtime.get(Receipts).checks
    checks["agreement"], checks["public-agreement"] = _check, _check_public
