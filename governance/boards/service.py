"""The board at work: pre-screening, recusal, votes, and what its people do with a permit. The decision: `deciding`."""

from functools import partial
from typing import Any

from sqlmodel import Session, select

from connector.evidence import journal
from connector.evidence.service import Receipts
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Performed, Promise
from connector.kit.runtime import Runtime
from connector.rights.service import Rights, Standing
from connector.web.people import Person
from governance.boards import permits, seats
from governance.boards.case import advance, case
from governance.boards.deciding import decide
from governance.boards.intake import application_row, set_deadline
from governance.boards.model import (
    ApplicationRow,
    DecisionRow,
    HospitalDelegation,
    PermitIssued,
    Recusal,
    SeatRow,
    VoteRow,
)
from governance.boards.rules import DELIBERATION_MS, demand_vote
from governance.boards.states import Command, State, Step, demand
from governance.members.service import take_effect
from vocab.errors import Refusal
from vocab.records.envelope import digest, signed

__all__ = ["applications", "change_permit", "decide", "decision", "install", "prescreen", "recuse", "send_back", "vote"]


async def prescreen(runtime: Runtime, person: Person, application: str, complete: bool, reason: str) -> ApplicationRow:
    """The secretary finds the application complete, and the deliberation begins, or returns it with the reason."""

    def screen(unit: Unit) -> ApplicationRow:
        row, now = application_row(unit.session, application), runtime.now()
        demand(State(row.state), person.duties, Command.PRESCREEN)
        advance(row, Step.PASS if complete else Step.RETURN, reason)
        if complete:
            set_deadline(unit, row, DELIBERATION_MS, now)
        outcome = "complete" if complete else "returned"
        journal.record(unit, "prescreened", now=now, study=row.id, by=person.id, outcome=outcome, reason=reason)
        return row

    return await runtime.store.run(screen)


async def send_back(runtime: Runtime, person: Person, application: str, reason: str) -> ApplicationRow:
    """An application in deliberation goes back to the applicant."""

    def back(unit: Unit) -> ApplicationRow:
        row = application_row(unit.session, application)
        demand(State(row.state), person.duties, Command.RETURN)
        advance(row, Step.RETURN, reason)
        journal.record(unit, "application-returned", now=runtime.now(), study=row.id, by=person.id, reason=reason)
        return row

    return await runtime.store.run(back)


async def recuse(runtime: Runtime, person: Person, application: str, reason: str) -> None:
    """A member steps back for a conflict of interest. A vote given before is no longer counted."""

    def step_back(unit: Unit) -> None:
        row, now = application_row(unit.session, application), runtime.now()
        demand(State(row.state), person.duties, Command.RECUSE)
        if unit.session.get(SeatRow, person.id) is None:
            raise Refusal("not-seated", seen=person.id)
        if unit.session.get(Recusal, (row.id, row.round, person.id)) is not None:
            return
        row.revision += 1
        unit.session.add(Recusal(application=row.id, round=row.round, member=person.id, reason=reason, at=now))
        journal.record(unit, "recused", now=now, study=row.id, by=person.id, member=person.id, reason=reason)

    await runtime.store.run(step_back)


async def vote(runtime: Runtime, person: Person, application: str, choice: str, reason: str) -> VoteRow:
    """A member votes, with a reason, signed with the member's key.

    Raises `not-in-deliberation`, `duty-missing`, `not-seated`, `recused`, `voted-already`.
    """
    standing, now = runtime.get(Rights).demand(), runtime.now()
    body = {
        "type": "vote",
        "application": application,
        "member": person.id,
        "vote": choice,
        "reason": reason,
        "at": now,
    }
    await runtime.store.read(lambda session: _demand_vote(session, standing, person, application))
    envelope = signed(body, seats.signer(runtime.did, person.id), seats.keys_of(runtime, person.id).sign)

    def cast(unit: Unit) -> VoteRow:
        row = _demand_vote(unit.session, standing, person, application)
        row.revision += 1
        ballot = VoteRow(application=row.id, round=row.round, member=person.id, vote=choice, envelope=envelope, at=now)
        unit.session.add(ballot)
        journal.record(unit, "voted", now=now, study=row.id, by=person.id, member=person.id)
        return ballot

    return await runtime.store.run(cast)


async def change_permit(
    runtime: Runtime, person: Person, application: str, command: Command, reason: str
) -> PermitIssued:
    """Suspends, resumes or ends the permit of an application."""

    def change(unit: Unit) -> PermitIssued:
        row = application_row(unit.session, application)
        demand(State(row.state), person.duties, command)
        permit = permits.of_application(unit.session, application)
        if permit is None:
            raise Refusal("not-found", what=application)
        permits.change(unit, runtime, permit, command, person.id, reason)
        return permit

    permit = await runtime.store.run(change)
    await take_effect(runtime)
    return permit


def applications(session: Session, *, after_id: str = "", limit: int = 100) -> list[ApplicationRow]:
    """The applications by id."""
    query = select(ApplicationRow).where(ApplicationRow.id > after_id).order_by(ApplicationRow.id).limit(limit)
    return list(session.exec(query))


def decision(session: Session, row: ApplicationRow) -> DecisionRow | None:
    """The decision on the application's present round."""
    return session.get(DecisionRow, (row.id, row.round))


def install(runtime: Runtime) -> None:
    """Registers what this room performs, and how a hospital's delegation receipt is checked."""
    runtime.outbox.handlers["permit"] = Handler(partial(permits.push, runtime), permits.not_taken)
    runtime.outbox.handlers["board-permit-lapses"] = Handler(partial(permits.lapse, runtime))
    runtime.outbox.handlers["board-deadline"] = Handler(partial(_deadline, runtime))
    runtime.get(Receipts).checks["delegation"] = _check_delegation


def _demand_vote(session: Session, standing: Standing, person: Person, application: str) -> ApplicationRow:
    found = case(session, standing, application)
    demand(State(found.row.state), person.duties, Command.VOTE)
    demand_vote(found.seats, found.recused, [one.member for one in found.votes], person.id)
    return found.row


async def _deadline(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `board-deadline`: a phase took too long. It is told, and nothing else happens."""

    def tell(unit: Unit) -> None:
        payload = promise.payload
        row = unit.session.get(ApplicationRow, payload["application"])
        if row is not None and (row.round, row.state) == (payload["round"], payload["phase"]):
            journal.record(
                unit, "deadline-passed", now=runtime.now(), study=row.id, outcome="waiting", phase=payload["phase"]
            )

    return tell


def _check_delegation(unit: Unit, body: dict[str, Any], payload: dict[str, Any]) -> None:
    kept = unit.session.get(HospitalDelegation, str(body.get("about")))
    if kept is None or kept.hospital != body["author"] or kept.envelope["body"] != payload:
        raise Refusal("receipt-disputed", what="delegation")
    if body["subject"].get("digest") != digest(payload):
        raise Refusal("receipt-disputed", what="digest")
