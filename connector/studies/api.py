"""Doors of the studies room: for the company's own people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.studies import search, service
from connector.studies.model import Study
from connector.web.access import duty, signed_in
from connector.web.people import Person

Json = dict[str, Any]

management = APIRouter(prefix="/api", tags=["studies"])

Anyone = Annotated[Person, Depends(signed_in)]
Researcher = Annotated[Person, Depends(duty("pi", "analyst"))]
Investigator = Annotated[Person, Depends(duty("pi"))]
Limit = Annotated[int, Query(ge=1, le=500)]
Title = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewStudy(_Strict):
    """A title, and as much of the plan as there is: the members of the application (docs/wire.md)."""

    title: Title
    plan: Json = Field(default_factory=dict)


class ChangedStudy(_Strict):
    """What changes."""

    title: Title | None = None
    plan: Json | None = None


@management.post("/studies", status_code=201)
async def new_study(request: Request, wanted: NewStudy, person: Researcher) -> Json:
    """Saves a draft."""
    return await _shown(request, await service.draft(_runtime(request), person.id, wanted.title, wanted.plan))


@management.get("/studies")
async def list_studies(request: Request, _person: Anyone, after: str = "", limit: Limit = 100) -> list[Json]:
    """This company's studies."""

    def read(session: Session) -> list[Json]:
        return [service.shown(session, row) for row in service.studies(session, after_id=after, limit=limit)]

    return await _runtime(request).store.read(read)


@management.get("/studies/{study}")
async def one_study(request: Request, study: str, _person: Anyone) -> Json:
    """One study: what is agreed, what is missing, what it waits for."""
    return await _runtime(request).store.read(lambda session: service.shown(session, service.studied(session, study)))


@management.patch("/studies/{study}")
async def change_study(request: Request, study: str, wanted: ChangedStudy, _person: Researcher) -> Json:
    """Saves the draft again."""
    return await _shown(request, await service.save(_runtime(request), study, wanted.title, wanted.plan))


@management.post("/studies/{study}/apply")
async def apply(request: Request, study: str, person: Investigator) -> Json:
    """Applies to the shared board; the answer is the board's."""
    return await _shown(request, await service.apply(_runtime(request), study, person.id))


@management.post("/studies/{study}/negotiate", status_code=202)
async def negotiate(request: Request, study: str, person: Investigator) -> Json:
    """Starts the negotiations with every hospital of the permit."""
    begun = await service.negotiate(_runtime(request), study, person.id)
    return {"negotiations": [{"id": row.id, "dataset": row.dataset, "state": row.state} for row in begun]}


@management.post("/studies/{study}/close", status_code=202)
async def close(request: Request, study: str, person: Investigator) -> Json:
    """Ends the study: data deleted and certified, permit ended."""
    return await _shown(request, await service.close(_runtime(request), study, person.id))


@management.get("/search")
async def find(
    request: Request,
    _person: Anyone,
    q: Annotated[str, Query(max_length=200)] = "",
    commercial: bool = False,
) -> Json:
    """Searches the catalogues of all hospitals of the space."""
    found = await search.search(_runtime(request), q, commercial=commercial)
    return {"rows": found.rows, "unasked": found.unasked}


async def _shown(request: Request, row: Study) -> Json:
    return await _runtime(request).store.read(lambda session: service.shown(session, row))


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (management,))
