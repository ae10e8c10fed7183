"""Doors of the analysis room: a company's people work in the zone through their own node."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from connector.analysis import service
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty
from connector.web.people import Person

Json = dict[str, Any]

management = APIRouter(prefix="/api/studies/{study}", tags=["analysis"])
zones = APIRouter(prefix="/api", tags=["analysis"])

Researcher = Annotated[Person, Depends(duty("pi", "analyst"))]
Lead = Annotated[Person, Depends(duty("pi"))]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,120}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewTask(_Strict):
    """What shall run on the study's data. `image` defaults to the permit's; `parts` may only be `train` in practice."""

    name: str = Field(min_length=1, max_length=200)
    code: dict[FileName, Annotated[str, Field(max_length=500_000)]] = Field(min_length=1, max_length=50)
    commands: list[list[Annotated[str, Field(max_length=1000)]]] = Field(min_length=1, max_length=4)
    outputs: list[FileName] = Field(min_length=1, max_length=50)
    parts: list[Annotated[str, Field(max_length=100)]] = Field(default=["train"], max_length=50)
    image: str | None = Field(default=None, max_length=200)
    cpu_cores: int = Field(default=2, ge=1, le=256)
    ram_gb: float = Field(default=1.0, gt=0, le=4096)
    max_seconds: int = Field(default=600, ge=1, le=7 * 24 * 3600)


class NewVerification(_Strict):
    """Which file of which task the zone's own code shall verify."""

    task: str = Field(max_length=100)
    model: FileName
    control: dict[str, str] | None = None
    threshold: float = Field(default=0.2, gt=0, lt=1)
    intended_use: str = Field(default="card-use", max_length=500)


class NewRelease(_Strict):
    """Which files of a task shall leave."""

    task: str = Field(max_length=100)
    files: list[FileName] = Field(min_length=1, max_length=50)


@management.post("/tasks", status_code=201)
async def new_task(request: Request, study: str, wanted: NewTask, person: Researcher) -> Json:
    """Submits a task."""
    return await service.submit(_runtime(request), study, person.id, wanted.model_dump())


@management.get("/tasks")
async def show_tasks(request: Request, study: str, _person: Researcher, page: str = "") -> Json:
    """The study's tasks as the zone shows them."""
    query = f"?view=FULL&tag_key=study&tag_value={quote(study, safe='')}&page_token={quote(page, safe='')}"
    found: Json = await service.at_zone(_runtime(request), study, "GET", f"{service.TES}/tasks{query}")
    return found


@management.get("/tasks/{task}")
async def show_task(request: Request, study: str, task: str, _person: Researcher) -> Json:
    """One task."""
    path = f"{service.TES}/tasks/{quote(task, safe='')}?view=FULL"
    found: Json = await service.at_zone(_runtime(request), study, "GET", path)
    return found


@management.post("/tasks/{task}/cancel")
async def cancel_task(request: Request, study: str, task: str, _person: Researcher) -> Json:
    """Cancels a task."""
    path = f"{service.TES}/tasks/{quote(task, safe='')}:cancel"
    found: Json = await service.at_zone(_runtime(request), study, "POST", path, {}) or {}
    return found


@management.post("/verifications", status_code=201)
async def new_verification(request: Request, study: str, wanted: NewVerification, _person: Researcher) -> Json:
    """Asks for the zone's verification: three a study."""
    path = f"/studies/{quote(study, safe='')}/verifications"
    found: Json = await service.at_zone(_runtime(request), study, "POST", path, wanted.model_dump())
    return found


@management.get("/verifications/{verification}")
async def show_verification(request: Request, study: str, verification: str, _person: Researcher) -> Json:
    """One verification, with its report and model card."""
    found: Json = await service.at_zone(
        _runtime(request), study, "GET", f"/verifications/{quote(verification, safe='')}"
    )
    return found


@management.post("/releases", status_code=201)
async def new_release(request: Request, study: str, wanted: NewRelease, person: Researcher) -> Json:
    """Asks that files leave the zone."""
    body = {**wanted.model_dump(), "study": study, "requester": person.id}
    found: Json = await service.at_zone(_runtime(request), study, "POST", "/releases", body)
    return found


@management.get("/releases/{release}")
async def show_release(request: Request, study: str, release: str, _person: Researcher) -> Json:
    """One release: findings, reviews, state."""
    found: Json = await service.at_zone(_runtime(request), study, "GET", f"/releases/{quote(release, safe='')}")
    return found


@management.get("/releases/{release}/files/{name}", response_class=Response)
async def download(request: Request, study: str, release: str, name: str, _person: Researcher) -> Response:
    """A released file, opened here with this node's key."""
    content = await service.fetch(_runtime(request), study, release, name)
    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return Response(content, media_type="application/octet-stream", headers=headers)


@management.get("/zone")
async def show_zone(request: Request, study: str, _person: Researcher) -> Json:
    """Everything of this study that the zone holds."""
    found: Json = await service.at_zone(_runtime(request), study, "GET", f"/studies/{quote(study, safe='')}/zone")
    return found


@zones.get("/zones")
async def show_zones(request: Request, _person: Researcher) -> list[Json]:
    """The zones of this space and their images: what an application has to name."""
    return await service.zones(_runtime(request))


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (management, zones))
