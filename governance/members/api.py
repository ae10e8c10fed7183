"""Doors of the members room: members fetch the standing list, the operator's people change it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person
from governance.members import service
from governance.members.standing import in_force
from governance.members.states import Command

peers = APIRouter(tags=["members"])
management = APIRouter(prefix="/api", tags=["members"])

Admin = Annotated[Person, Depends(duty("admin"))]
Anyone = Annotated[Person, Depends(signed_in)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Did = Annotated[str, Field(pattern=r"^did:web:", max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Name(_Strict):
    """An organisation's name in both languages."""

    ko: Text
    en: Text


class Place(_Strict):
    """Where a zone is."""

    place: Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class NewMember(_Strict):
    """A participant to invite."""

    did: Did
    url: Annotated[str, Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?$", max_length=200)]
    name: Name
    camp: Literal["hospital", "company", "zone"]
    organisation: Text
    roles: list[Literal["provider", "consumer", "zone"]] = Field(max_length=3)
    purposes: list[Text] = Field(max_length=100)
    diseases: list[Text] = Field(max_length=100)
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    zone: Place | None = None


class MemberChange(_Strict):
    """Which member, and why."""

    did: Did
    reason: str = Field(min_length=1, max_length=2000)


class NewReviewer(_Strict):
    """A person who may review what leaves a zone."""

    id: Text
    organisation: Text


@peers.get("/standing")
async def give_standing(request: Request, _by: Annotated[Caller, Depends(caller)]) -> dict[str, Any]:
    """The newest standing list, for members."""
    row = await _runtime(request).store.read(in_force)
    return row.envelope


@management.get("/members")
async def show_members(
    request: Request, _person: Anyone, after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    """The members, in every state."""
    rows = await _runtime(request).store.read(lambda session: service.members(session, after_did=after, limit=limit))
    return [row.model_dump() for row in rows]


@management.post("/members", status_code=201)
async def new_member(request: Request, wanted: NewMember, person: Admin) -> dict[str, Any]:
    """Invites a participant and admits it with the keys of its DID document."""
    row = await service.admit(_runtime(request), person.id, wanted.model_dump())
    return row.model_dump()


@management.post("/members/suspend")
async def suspend_member(request: Request, change: MemberChange, person: Admin) -> dict[str, Any]:
    """Suspends a member: what leans on it stops everywhere."""
    return await _command(request, person, change, Command.SUSPEND)


@management.post("/members/reinstate")
async def reinstate_member(request: Request, change: MemberChange, person: Admin) -> dict[str, Any]:
    """Puts a suspended member back in force."""
    return await _command(request, person, change, Command.REINSTATE)


@management.post("/members/end")
async def end_member(request: Request, change: MemberChange, person: Admin) -> dict[str, Any]:
    """Ends a membership for good."""
    return await _command(request, person, change, Command.END)


@management.get("/reviewers")
async def show_reviewers(request: Request, _person: Anyone) -> list[dict[str, Any]]:
    """The appointed reviewers."""
    return [row.model_dump() for row in await _runtime(request).store.read(service.reviewers)]


@management.post("/reviewers", status_code=201)
async def new_reviewer(request: Request, wanted: NewReviewer, person: Admin) -> dict[str, Any]:
    """Appoints a reviewer."""
    row = await service.appoint(_runtime(request), person.id, wanted.id, wanted.organisation)
    return row.model_dump()


async def _command(request: Request, person: Person, change: MemberChange, what: Command) -> dict[str, Any]:
    row = await service.command(_runtime(request), person.id, change.did, what, change.reason)
    return row.model_dump()


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (peers, management))
