"""Doors of the boards room: hospitals and applicants from outside, the board's people from inside."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.service import Rights
from connector.web.access import duty, signed_in
from connector.web.people import Person
from connector.web.site import site_of
from governance.boards import intake, permits, seats, service
from governance.boards.case import Case, case
from governance.boards.model import ApplicationRow, DecisionRow, PermitIssued
from governance.boards.pages import pages
from governance.boards.states import Command
from vocab.errors import Refusal

peers = APIRouter(tags=["board"])
management = APIRouter(prefix="/api", tags=["board"])

By = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Secretary = Annotated[Person, Depends(duty("secretary", "admin"))]
Envelope = Annotated[dict[str, Any], Body()]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Why(_Strict):
    """The reason for what a person asks for."""

    reason: Reason


class Screening(_Strict):
    """Whether the application is complete, and why."""

    complete: bool
    reason: Reason


class Ballot(_Strict):
    """A vote with its reason."""

    vote: Literal["yes", "no", "abstain"]
    reason: Reason


class NewSeat(_Strict):
    """One of this node's people takes a seat."""

    member: str = Field(min_length=1, max_length=64)
    organisation: str = Field(min_length=1, max_length=200)
    external: bool


@peers.post("/delegations")
async def delegation_arrives(request: Request, envelope: Envelope, by: By) -> dict[str, Any]:
    """A hospital delegates datasets to this board; it gets the delegation back signed by both."""
    return {"envelope": await intake.delegate(_runtime(request), by, envelope)}


@peers.post("/vetoes", status_code=204)
async def veto_arrives(request: Request, envelope: Envelope, by: By) -> None:
    """A hospital takes one of its datasets out of an application."""
    await intake.veto(_runtime(request), by, envelope)


@peers.post("/applications", status_code=201)
async def application_arrives(request: Request, envelope: Envelope, by: By) -> dict[str, Any]:
    """An application to the board."""
    return _line(await intake.submit(_runtime(request), by, envelope))


@peers.get("/applications/{application}")
async def application_for_peers(request: Request, application: str, by: By) -> dict[str, Any]:
    """How an application stands: for its applicant and the providers that it names."""

    def look(session: Session) -> dict[str, Any]:
        row = intake.application_row(session, application)
        providers = {one["provider"] for one in row.envelope["body"]["datasets"]}
        if by.did not in {row.applicant, *providers}:
            raise Refusal("not-found", what=application)
        return {
            **_line(row),
            "decision": _envelope(service.decision(session, row)),
            "permit": _permit(permits.of_application(session, row.id)),
        }

    return await _runtime(request).store.read(look)


@peers.post("/applications/{application}/close")
async def application_closed(request: Request, application: str, by: By) -> dict[str, Any]:
    """The applicant is done: an undecided application is withdrawn, a permit ends."""
    return _line(await intake.close(_runtime(request), by, application))


@management.post("/board/seats", status_code=201)
async def new_seat(request: Request, wanted: NewSeat, person: Secretary) -> dict[str, Any]:
    """Seats a member."""
    people = site_of(request).people
    row = await seats.register(
        _runtime(request), people, person.id, wanted.member, wanted.organisation, wanted.external
    )
    return row.model_dump()


@management.get("/board/seats")
async def show_seats(request: Request, _person: Anyone) -> list[dict[str, Any]]:
    """The seats."""
    return [row.model_dump() for row in await _runtime(request).store.read(seats.rows)]


@management.get("/applications")
async def show_applications(
    request: Request, _person: Anyone, after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    """The applications, by id."""
    rows = await _runtime(request).store.read(
        lambda session: service.applications(session, after_id=after, limit=limit)
    )
    return [_line(row) for row in rows]


@management.get("/applications/{application}")
async def show_application(request: Request, application: str, _person: Anyone) -> dict[str, Any]:
    """One application with its votes, its arithmetic so far, its decision and its permit."""
    runtime = _runtime(request)
    standing = runtime.get(Rights).demand()

    def look(session: Session) -> dict[str, Any]:
        found = case(session, standing, application)
        return {
            **_case(found),
            "decision": _envelope(service.decision(session, found.row)),
            "permit": _permit(permits.of_application(session, application)),
        }

    return await runtime.store.read(look)


@management.post("/applications/{application}/prescreen")
async def prescreen(request: Request, application: str, wanted: Screening, person: Anyone) -> dict[str, Any]:
    """Complete, and on to the board; or returned with the reason."""
    return _line(await service.prescreen(_runtime(request), person, application, wanted.complete, wanted.reason))


@management.post("/applications/{application}/return")
async def send_back(request: Request, application: str, wanted: Why, person: Anyone) -> dict[str, Any]:
    """Back to the applicant."""
    return _line(await service.send_back(_runtime(request), person, application, wanted.reason))


@management.post("/applications/{application}/recuse", status_code=204)
async def recuse(request: Request, application: str, wanted: Why, person: Anyone) -> None:
    """A member steps back for a conflict of interest."""
    await service.recuse(_runtime(request), person, application, wanted.reason)


@management.post("/applications/{application}/votes", status_code=201)
async def vote(request: Request, application: str, wanted: Ballot, person: Anyone) -> dict[str, Any]:
    """A member votes."""
    row = await service.vote(_runtime(request), person, application, wanted.vote, wanted.reason)
    return {"application": row.application, "member": row.member, "envelope": row.envelope}


@management.post("/applications/{application}/decide")
async def decide(request: Request, application: str, person: Anyone) -> dict[str, Any]:
    """The chair closes the deliberation; the numbers decide."""
    runtime = _runtime(request)
    row = await service.decide(runtime, person, application)
    permit = await runtime.store.read(lambda session: permits.of_application(session, application))
    return {"outcome": row.outcome, "decision": row.envelope, "permit": _permit(permit)}


@management.post("/applications/{application}/suspend")
async def suspend(request: Request, application: str, wanted: Why, person: Anyone) -> dict[str, Any]:
    """Suspends the permit: what leans on it stops everywhere."""
    return await _change(request, person, application, Command.SUSPEND, wanted.reason)


@management.post("/applications/{application}/resume")
async def resume(request: Request, application: str, wanted: Why, person: Anyone) -> dict[str, Any]:
    """Puts a suspended permit back in force."""
    return await _change(request, person, application, Command.RESUME, wanted.reason)


@management.post("/applications/{application}/end")
async def end(request: Request, application: str, wanted: Why, person: Anyone) -> dict[str, Any]:
    """Ends the permit for good."""
    return await _change(request, person, application, Command.END, wanted.reason)


async def _change(request: Request, person: Person, application: str, command: Command, reason: str) -> dict[str, Any]:
    row = await service.change_permit(_runtime(request), person, application, command, reason)
    return _permit(row) or {}


def _line(row: ApplicationRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.envelope["body"]["title"],
        "applicant": row.applicant,
        "state": row.state,
        "round": row.round,
        "submitted_at": row.submitted_at,
        "deadline_at": row.deadline_at,
        "reason": row.reason,
    }


def _case(found: Case) -> dict[str, Any]:
    return {
        **_line(found.row),
        "application": found.row.envelope["body"],
        "seats": [row.model_dump() for row in found.seat_rows],
        "recused": [{"member": member, "why": why} for member, why in sorted(found.recused.items())],
        "votes": [row.envelope for row in found.votes],
        "vetoed": [{"dataset": row.dataset, "hospital": row.hospital, "reason": row.reason} for row in found.vetoes],
        "arithmetic": {
            **found.numbers.to_json(),
            "quorate": found.numbers.quorate,
            "carried": found.numbers.carried,
        },
    }


def _envelope(row: DecisionRow | None) -> dict[str, Any] | None:
    return row.envelope if row else None


def _permit(row: PermitIssued | None) -> dict[str, Any] | None:
    return row.model_dump() if row else None


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (peers, management, pages))
