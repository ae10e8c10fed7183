"""The zone's tasks and slots on its pages: states, walls, meters; what lies here and who put it there."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, select

from compute.engines.service import Engines
from compute.staging.model import Slot, StagedObject, Study
from compute.staging.service import parts, slots
from compute.tasks.model import Task
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.cells import Badge, Cell, Link, Outcome, reason
from connector.web.faces import Faces, Known, Look
from connector.web.layout import render
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import Figure, Panel, Table, Timeline
from vocab.words.values import At, Bytes, Lasting, Said, Value

router = APIRouter(include_in_schema=False)

ROWS: Final = 100
OUTCOMES: Final[dict[str, Outcome]] = {
    "COMPLETE": "done",
    "EXECUTOR_ERROR": "failed",
    "SYSTEM_ERROR": "failed",
    "CANCELED": "refused",
}
STUDIES: Final[dict[str, Outcome]] = {"open": "done", "closed": "done"}
HEADERS: Final = ("task", "study", "task-kind", "state", "walls-level", "task-time", "task-meter", "task-why")


@router.get("/tasks")
async def tasks_page(
    request: Request,
    _person: Annotated[Person, Depends(signed_in)],
    before: Annotated[int | None, Query(ge=0, lt=1 << 53)] = None,
) -> Response:
    """All tasks, newest first; what this zone can put up."""
    runtime: Runtime = request.app.state.runtime

    def look(session: Session) -> Timeline:
        query = select(Task).order_by(col(Task.number).desc()).limit(ROWS)
        rows = list(session.exec(query if before is None else query.where(col(Task.number) < before)))
        panel = Panel("panel-tasks", tasks_table(rows), wide=True)
        return Timeline(
            title=Said("tasks"),
            now_ms=runtime.now(),
            refresh_url="/tasks",
            facts=tuple(walls(runtime.get(Engines))),
            panels=(panel,),
            older_url=f"/tasks?before={rows[-1].number}" if len(rows) == ROWS else None,
        )

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.get("/staged")
async def staged_page(
    request: Request,
    _person: Annotated[Person, Depends(signed_in)],
    after: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The slots: ciphertext only, its keys are elsewhere."""
    runtime: Runtime = request.app.state.runtime
    faces = runtime.get(Faces)

    def look(session: Session) -> Timeline:
        rows = slots(session, after=after, limit=ROWS)
        lying = {row.id: parts(session, row.id) for row in rows}
        return Timeline(
            title=Said("staged"),
            now_ms=runtime.now(),
            refresh_url="/staged",
            panels=(Panel("staged", slots_table(rows, lying, faces), wide=True),),
            older_url=f"/staged?after={quote(rows[-1].id)}" if len(rows) == ROWS else None,
        )

    return render(request, "timeline.html", page=await runtime.store.read(look))


def walls(engines: Engines) -> Iterable[Figure]:
    """The height of the walls, and why not higher; without an engine, why nothing runs here."""
    if engines.engine is None:
        code = engines.refusal.code if engines.refusal else None
        yield Figure("walls-level", Badge("failed", Said("walls-none")), code)
        return
    able = engines.engine.capabilities
    outcome: Outcome = "failed" if able.level == "none" else "done" if able.level == "full" else "waiting"
    yield Figure("walls-level", Badge(outcome, str(able.level)), able.why_not_higher or None)
    yield Figure("zone-places", able.places, Said("zone-each", {"cpus": able.cpus, "mb": able.memory_mb}))


def tasks_table(rows: Iterable[Task]) -> Table:
    """Tasks with their meters."""
    return Table(Said("zone-tasks-caption"), HEADERS, tuple(_task(row) for row in rows))


def slots_table(rows: Iterable[Slot], lying: dict[str, list[StagedObject]], faces: Faces) -> Table:
    """Slots with what lies in them."""
    newest = sorted(rows, key=lambda row: -row.made_at)
    headers = ("dataset", "staged-by", "study", "staged-parts", "staged-bytes", "state", "staged-walls", "staged-at")
    return Table(Said("staged-caption"), headers, tuple(_slot(row, lying[row.id], faces) for row in newest))


def _task(row: Task) -> tuple[Cell, ...]:
    state = row.outcome or row.state
    span = Lasting(row.ended_at - row.started_at) if row.started_at and row.ended_at else None
    meter = Said("task-meter-value", {"cpu": Lasting(row.cpu_ms), "peak": row.peak_mb}) if row.started_at else None
    stopped = Said("task-stopped-in", {"span": Lasting(row.stop_ms)}) if row.stop_ms is not None else None
    why: list[Value] = [one for one in (reason(row.code) if row.code else None, stopped) if one is not None]
    return (
        row.id[:8],
        _study(row.study),
        Said(f"task-kind-{row.kind}"),
        Badge(OUTCOMES.get(state, "waiting"), Said(f"task-state-{state}")),
        row.walls,
        span,
        meter,
        why or None,
    )


def _slot(row: Slot, lying: list[StagedObject], faces: Faces) -> tuple[Cell, ...]:
    return (
        row.dataset,
        faces.name(row.provider),
        _study(row.study),
        [one.part for one in lying],
        Bytes(sum(one.bytes for one in lying if one.state == "staged")),
        slot_state(row, lying),
        row.min_walls,
        At(row.made_at),
    )


def slot_state(row: Slot, lying: list[StagedObject]) -> Badge:
    """What became of a slot: destroyed, stopped by its hospital, whole, or waiting for ciphertext."""
    if lying and all(one.state == "destroyed" for one in lying):
        return Badge("done", Said("slot-destroyed"))
    if row.stopped:
        return Badge("refused", Said("slot-stopped"))
    if lying and all(one.state == "staged" for one in lying):
        return Badge("done", Said("slot-staged"))
    return Badge("waiting", Said("slot-announced"))


def _study(study: str) -> Link:
    return Link(study.removeprefix("urn:uuid:")[:8], f"/studies/{quote(study, safe='')}")


def _known(session: Session, study: str, _now: int) -> Known | None:
    row = session.get(Study, study)
    return Known(None, Said(f"zone-study-{row.state}"), STUDIES.get(row.state, "waiting")) if row else None


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    rows = slots(look.session, look.study, limit=ROWS)
    if rows:
        lying = {row.id: parts(look.session, row.id) for row in rows}
        yield Panel("staged", slots_table(rows, lying, runtime.get(Faces)), wide=True)
    query = select(Task).where(Task.study == look.study).order_by(col(Task.number))
    tasks = list(look.session.exec(query))
    if tasks:
        yield Panel("panel-tasks", tasks_table(tasks), wide=True)


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.known.append(_known)
    faces.panels.append(partial(_panels, runtime))
    runtime.get(Site).items.extend([Item("/tasks", "tasks"), Item("/staged", "staged")])


room = Room(install, (router,))
