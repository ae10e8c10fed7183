"""GA4GH TES 1.1 for companies, and the list of tasks for the zone's own people."""

import itertools
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from sqlmodel import Session

from compute.tasks import listing, service
from compute.tasks.listing import Wanted
from compute.tasks.model import Task
from compute.tasks.room import install
from compute.tasks.service import results
from compute.tasks.show import View, shown
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.people import Person

peers = APIRouter(prefix="/ga4gh/tes/v1", tags=["TES"])
management = APIRouter(prefix="/api", tags=["tasks"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
TesState = Literal[
    "UNKNOWN",
    "QUEUED",
    "INITIALIZING",
    "RUNNING",
    "PAUSED",
    "COMPLETE",
    "EXECUTOR_ERROR",
    "SYSTEM_ERROR",
    "CANCELED",
    "PREEMPTED",
    "CANCELING",
]


@peers.get("/service-info")
async def service_info(request: Request, _by: Peer) -> dict[str, Any]:
    """What this service is (GA4GH service-info)."""
    settings = _runtime(request).settings
    return {
        "id": settings.did,
        "name": settings.organisation.en,
        "type": {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"},
        "organization": {"name": settings.organisation.en, "url": settings.url},
        "version": version("dure"),
        "storage": ["dsp://agreement/", "dure:held"],
        "tesResources_backend_parameters": ["max_seconds"],
    }


@peers.post("/tasks")
async def create_task(request: Request, document: Annotated[dict[str, Any], Body()], by: Peer) -> dict[str, str]:
    """A company submits a task."""
    return {"id": await service.submit(_runtime(request), by, document)}


@peers.get("/tasks")
async def list_tasks(
    request: Request,
    by: Peer,
    name_prefix: str = "",
    state: TesState | None = None,
    tag_key: Annotated[list[str] | None, Query()] = None,
    tag_value: Annotated[list[str] | None, Query()] = None,
    page_size: Annotated[int, Query(ge=1, le=2048)] = 256,
    page_token: str = "",
    view: View = "MINIMAL",
) -> dict[str, Any]:
    """The company's own tasks, newest first."""
    tags = tuple(itertools.zip_longest(tag_key or [], (tag_value or [])[: len(tag_key or [])], fillvalue=""))
    wanted = Wanted(name_prefix, state, tags, page_size, page_token)

    def found(session: Session) -> dict[str, Any]:
        rows, following = listing.page(session, by.did, wanted)
        page: dict[str, Any] = {"tasks": [_shown(session, row, view) for row in rows]}
        return {**page, "next_page_token": following} if following else page

    return await _runtime(request).store.read(found)


@peers.get("/tasks/{task}")
async def get_task(request: Request, task: str, by: Peer, view: View = "MINIMAL") -> dict[str, Any]:
    """One task of the company's own."""

    def found(session: Session) -> dict[str, Any]:
        return _shown(session, service.owned(session, by.did, task), view)

    return await _runtime(request).store.read(found)


@peers.post("/tasks/{task}:cancel")
async def cancel_task(request: Request, task: str, by: Peer) -> dict[str, Any]:
    """The company wants it to end."""
    await service.cancel(_runtime(request), by, task)
    return {}


@management.get("/tasks")
async def show_tasks(
    request: Request,
    _person: Anyone,
    study: str | None = None,
    after: Annotated[int, Query(ge=0, lt=1 << 53)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """All tasks, without their documents."""
    rows = await _runtime(request).store.read(lambda session: listing.everyone(session, study, after, limit))
    return [row.model_dump(exclude={"document", "begin", "end", "env"}) for row in rows]


def _shown(session: Session, row: Task, view: View) -> dict[str, Any]:
    links = {"wall_ms": str(row.wall_ms), "cpu_ms": str(row.cpu_ms)} if row.ended_at else {}
    return shown(row, results(session, row.id) if view != "MINIMAL" else [], view, links)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
