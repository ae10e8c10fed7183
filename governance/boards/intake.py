"""What arrives at the board from other nodes: delegations and vetoes of hospitals, applications and their end."""

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, select

from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.service import Rights, Standing
from governance.boards import permits
from governance.boards.model import ApplicationRow, HospitalDelegation, HospitalVeto
from governance.boards.rules import PRE_SCREEN_MS
from governance.boards.states import Command, Duty, State, Step, after, demand
from governance.members.service import take_effect
from vocab.errors import Refusal
from vocab.records.application import Application, demand_grounds, read
from vocab.records.envelope import Envelope, countersigned, digest, opened


async def delegate(runtime: Runtime, by: Caller, envelope: Envelope) -> Envelope:
    """A hospital's delegation is countersigned and kept. The same one again gets the same answer."""
    standing = runtime.get(Rights).demand()
    body = opened(envelope, "delegation", standing.keys, by.did)
    member = standing.member(by.did)
    if member is None or member.camp != "hospital" or body.get("hospital") != by.did:
        raise Refusal("envelope-invalid", why="hospital", seen=body.get("hospital"))
    if not _delegation_shaped(body):
        raise Refusal("envelope-invalid", why="delegation")
    both = countersigned(envelope, runtime.did, runtime.keys.sign)

    def keep(unit: Unit) -> Envelope:
        now = runtime.now()
        spend(unit, by, now)
        kept = unit.session.get(HospitalDelegation, body["id"])
        if kept is not None:
            if kept.envelope["body"] != body:
                raise Refusal("envelope-invalid", why="id", seen=body["id"])
            return kept.envelope
        unit.session.add(
            HospitalDelegation(
                id=body["id"],
                hospital=by.did,
                datasets=body["datasets"],
                since=body["from"],
                until=body["until"],
                envelope=both,
            )
        )
        journal.record(
            unit, "delegation-accepted", now=now, by=by.did, hospital=member.name.ko, datasets=body["datasets"]
        )
        return both

    return await runtime.store.run(keep)


async def veto(runtime: Runtime, by: Caller, envelope: Envelope) -> None:
    """A hospital takes its dataset out of an application that is not decided yet."""
    standing = runtime.get(Rights).demand()
    body = opened(envelope, "veto", standing.keys, by.did)
    named = [body.get(name) for name in ("application", "dataset", "reason")]
    if body.get("hospital") != by.did or not all(isinstance(one, str) and one for one in named):
        raise Refusal("envelope-invalid", why="veto")
    application, dataset, reason = (str(one) for one in named)

    def keep(unit: Unit) -> None:
        now = runtime.now()
        spend(unit, by, now)
        row = application_row(unit.session, application)
        if (dataset, by.did) not in [(one["id"], one["provider"]) for one in row.envelope["body"]["datasets"]]:
            raise Refusal("not-found", what=dataset)
        if unit.session.get(HospitalVeto, (application, dataset)) is not None:
            return
        demand(State(row.state), frozenset({Duty.PROVIDER}), Command.VETO)
        row.revision += 1
        unit.session.add(
            HospitalVeto(
                application=application, dataset=dataset, hospital=by.did, reason=reason, envelope=envelope, at=now
            )
        )
        journal.record(unit, "veto-received", now=now, study=application, by=by.did, dataset=dataset, reason=reason)

    await runtime.store.run(keep)


async def submit(runtime: Runtime, by: Caller, envelope: Envelope) -> ApplicationRow:
    """An application enters pre-screening if it is complete; its deadline runs. The same one again changes nothing.

    Raises `application-incomplete`, `attestation-missing`, `irb-missing`, `irb-expired`, `not-delegated`,
    `provider-unknown`, `zone-unknown`, `application-exists`.
    """
    standing, now = runtime.get(Rights).demand(), runtime.now()
    body = opened(envelope, "application", standing.keys, by.did)
    application = read(body)
    if application.applicant != by.did:
        raise Refusal(
            "application-incomplete", rule="applicant", needed=by.did, seen=application.applicant, what="applicant"
        )
    demand_grounds(application, now)
    demand_parties(standing, application)
    ours = digest(body)

    def enter(unit: Unit) -> ApplicationRow:
        spend(unit, by, now)
        kept = unit.session.get(ApplicationRow, application.id)
        if kept is not None and (kept.applicant, kept.digest) == (by.did, ours):
            return kept
        if kept is not None and (kept.applicant != by.did or kept.state != State.RETURNED):
            raise Refusal("application-exists", seen=kept.state if kept.applicant == by.did else None)
        demand_delegated(unit.session, [(one.id, one.provider) for one in application.datasets], now)
        state = after(State(kept.state) if kept else None, Step.SUBMIT)
        row = kept or ApplicationRow(
            id=application.id, applicant=by.did, envelope=envelope, digest=ours, state=state, submitted_at=now, round=0
        )
        row.envelope, row.digest, row.state, row.reason = envelope, ours, state, None
        row.round, row.revision, row.submitted_at = row.round + 1, row.revision + 1, now
        unit.session.add(row)
        journal.record(unit, "application-submitted", now=now, study=application.id, by=by.did, title=application.title)
        set_deadline(unit, row, PRE_SCREEN_MS, now)
        return row

    return await runtime.store.run(enter)


async def close(runtime: Runtime, by: Caller, application: str) -> ApplicationRow:
    """The applicant is done: an undecided application is withdrawn, a permit ends. Asked again, nothing changes."""

    def end(unit: Unit) -> ApplicationRow:
        now = runtime.now()
        spend(unit, by, now)
        row = application_row(unit.session, application)
        if row.applicant != by.did:
            raise Refusal("not-found", what=application)
        if row.state in (State.WITHDRAWN, State.CLOSED):
            return row
        demand(State(row.state), frozenset({Duty.APPLICANT}), Command.CLOSE)
        row.state, row.deadline_at = after(State(row.state), Step.CLOSE), None
        row.revision += 1
        permits.close(unit, runtime, application)
        journal.record(unit, "application-closed", now=now, study=application, by=by.did, state=row.state)
        return row

    row = await runtime.store.run(end)
    await take_effect(runtime)
    return row


def application_row(session: Session, application: str) -> ApplicationRow:
    """The application. Raises `Refusal("not-found")`."""
    row = session.get(ApplicationRow, application)
    if row is None:
        raise Refusal("not-found", what=application)
    return row


def demand_parties(standing: Standing, application: Application) -> None:
    """Raises unless its providers and its zone are members in force."""
    for provider in application.providers:
        member = standing.member(provider)
        if member is None or not member.active or "provider" not in member.roles:
            raise Refusal("provider-unknown", provider=provider)
    if standing.zone(application.zone) is None:
        raise Refusal("zone-unknown", zone=application.zone)


def demand_delegated(session: Session, datasets: Iterable[tuple[str, str]], now: int) -> None:
    """Raises `not-delegated` for the first dataset (id, provider) that its hospital has not delegated to this board."""
    for dataset, provider in datasets:
        rows = session.exec(select(HospitalDelegation).where(HospitalDelegation.hospital == provider))
        if not any(dataset in row.datasets and row.since <= now < row.until for row in rows):
            raise Refusal("not-delegated", dataset=dataset, needed=provider)


def set_deadline(unit: Unit, row: ApplicationRow, after_ms: int, now: int) -> None:
    """The phase's time runs; when it is over somebody is told."""
    row.deadline_at = now + after_ms
    payload = {"application": row.id, "round": row.round, "phase": row.state}
    outbox.promise(
        unit,
        f"deadline {row.id} {row.round} {row.state}",
        "board-deadline",
        payload,
        now=now,
        study=row.id,
        due_at=row.deadline_at,
    )


def _delegation_shaped(body: dict[str, Any]) -> bool:
    datasets = body.get("datasets")
    return (
        body.keys() == {"type", "id", "hospital", "board", "datasets", "from", "until"}
        and body["board"] == "shared-drb"
        and isinstance(body["id"], str)
        and isinstance(datasets, list)
        and 0 < len(datasets) <= 500
        and all(isinstance(one, str) and one for one in datasets)
        and all(isinstance(body[name], int) and not isinstance(body[name], bool) for name in ("from", "until"))
        and body["from"] < body["until"]
    )
