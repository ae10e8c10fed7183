"""What the sources room adds to a hospital's pages: trials with their refused rungs, an invented patient, snapshots."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, col, select

from connector.evidence.pages import names
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.model import PermitRow
from connector.rights.pages import permit_state
from connector.rights.service import Rights
from connector.sources import service
from connector.sources.model import PseudonymKey, Snapshot, TrialRow
from connector.sources.sample import Sample
from connector.sources.views import patient_panels, register_figures, snapshot_table, trial_panels
from connector.web.access import duty, signed_in
from connector.web.faces import Faces, Look
from connector.web.home import Todo
from connector.web.layout import HEADERS, render
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import (
    Action,
    Panel,
    Timeline,
)
from vocab.words.values import At, Said

router = APIRouter(include_in_schema=False)

StudyField = Annotated[str, Form(max_length=100)]
DatasetField = Annotated[str, Form(max_length=100)]


@router.get("/trials")
async def trials_page(request: Request, _person: Annotated[Person, Depends(signed_in)]) -> Response:
    """The newest trial of each dataset: what the profile keeps, what every other choice would have cost."""
    runtime: Runtime = request.app.state.runtime
    example = runtime.get(Example)

    def look(session: Session) -> Timeline:
        rows = newest_trials(session)
        panels = [panel for row in rows for panel in trial_panels(row)]
        panels += patient_panels(example.of())
        return Timeline(title=Said("trials"), now_ms=runtime.now(), refresh_url="/trials", panels=tuple(panels))

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.post("/studies/{study}/do/pseudonym-key")
async def make_key(request: Request, study: str, person: Annotated[Person, Depends(duty("keykeeper"))]) -> Response:
    """The key keeper makes the study's pseudonym key; then the study again."""
    await service.new_pseudonym_key(request.app.state.runtime, person, study)
    return _back(study)


@router.post("/studies/{study}/do/cut")
async def cut(
    request: Request, study: str, dataset: DatasetField, person: Annotated[Person, Depends(duty("steward"))]
) -> Response:
    """The steward cuts the snapshot of one dataset; then the study again."""
    await service.cut(request.app.state.runtime, person, study=study, dataset=dataset)
    return _back(study)


@router.post("/studies/{study}/do/accept")
async def accept(
    request: Request,
    study: str,
    snapshot: Annotated[str, Form(max_length=100)],
    person: Annotated[Person, Depends(duty("acceptor", "steward"))],
) -> Response:
    """A second person accepts it; then the study again."""
    await service.accept(request.app.state.runtime, person, snapshot)
    return _back(study)


class Example:
    """The invented patient of this hospital, worked out once: it takes the whole de-identification."""

    def __init__(self, make: Callable[[], Sample | None]) -> None:
        self.of = cache(make)


def newest_trials(session: Session) -> list[TrialRow]:
    """The newest trial of each dataset, by dataset."""
    rows = session.exec(select(TrialRow).order_by(col(TrialRow.at)))
    return [row for _, row in sorted({row.dataset: row for row in rows}.items())]


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    rows = service.snapshots(look.session, look.study)
    datasets = {row.dataset for row in rows} | set(_ours(runtime, look.session, look.study))
    yield from _actions(runtime, look, rows)
    if rows:
        yield Panel("panel-snapshots", snapshot_table(rows, names(runtime)), wide=True)
    for row in newest_trials(look.session):
        if row.dataset in datasets:
            yield from trial_panels(row, near=True)
    if datasets:
        yield from patient_panels(runtime.get(Example).of())
    entries = service.register(look.session, look.study)
    if entries:
        yield Panel("panel-register", register_figures(entries))


def _actions(runtime: Runtime, look: Look, rows: Sequence[Snapshot]) -> Iterable[Panel]:
    """What this person can do now, each asked twice."""
    address, duties = f"/studies/{quote(look.study, safe='')}/do", look.person.duties
    for what, dataset, snapshot in _open(runtime, look.session, look.study, rows, look.now):
        fields = {"dataset": dataset} if what == "cut" else {"snapshot": snapshot} if what == "accept" else {}
        made_by = next((row.made_by for row in rows if row.id == snapshot), None)
        if duties.isdisjoint(_DUTIES[what]) or (what == "accept" and made_by == look.person.id):
            continue
        warning = Said(f"{what}-warning", {"dataset": dataset})
        yield Panel(
            f"panel-{what}",
            Action(f"{what}-open", warning, f"{what}-do", f"{address}/{_PATHS[what]}", fields, danger=False),
        )


_DUTIES: Final = {"key": ("keykeeper",), "cut": ("steward",), "accept": ("acceptor", "steward")}
_PATHS: Final = {"key": "pseudonym-key", "cut": "cut", "accept": "accept"}


def _open(
    runtime: Runtime, session: Session, study: str, rows: Sequence[Snapshot], now: int
) -> Iterable[tuple[str, str, str]]:
    """The next step of each dataset of ours: what, dataset, snapshot."""
    key = session.get(PseudonymKey, study)
    ours = _ours(runtime, session, study, now)
    if ours and key is None:
        yield "key", ", ".join(ours), ""
        return
    living = {row.dataset: row for row in rows if row.destroyed_at is None}
    for dataset in ours:
        row = living.get(dataset)
        if row is None:
            yield "cut", dataset, ""
        elif not row.accepted and not row.stopped:
            yield "accept", dataset, row.id


def _ours(runtime: Runtime, session: Session, study: str, now: int | None = None) -> list[str]:
    """The datasets of ours that a permit of the study names; with `now`, only of permits that are in force."""
    rows = session.exec(select(PermitRow).where(PermitRow.study == study))
    return sorted(
        {
            one["id"]
            for row in rows
            for one in row.fields["datasets"]
            if one["provider"] == runtime.did and (now is None or _in_force(runtime, row, now))
        }
    )


def _in_force(runtime: Runtime, row: PermitRow, now: int) -> bool:
    return permit_state(runtime.get(Rights), row, now)[0] == "active"


def _todos(runtime: Runtime, session: Session, person: Person, now: int) -> Iterable[Todo]:
    since = {row.study: row.received_at for row in session.exec(select(PermitRow).where(PermitRow.until > now))}
    for study, at in since.items():
        rows = service.snapshots(session, study)
        for what, dataset, snapshot in _open(runtime, session, study, rows, now):
            row = next((one for one in rows if one.id == snapshot), None)
            if person.duties.isdisjoint(_DUTIES[what]) or (row is not None and row.made_by == person.id):
                continue
            when = row.made_at if row is not None else at
            yield Todo(Said(f"todo-{what}", {"dataset": dataset}), At(when), f"/studies/{quote(study, safe='')}")


def _back(study: str) -> Response:
    return RedirectResponse(f"/studies/{quote(study, safe='')}", 303, headers=dict(HEADERS))


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    runtime.add(Example(partial(service.example, runtime)))
    faces = runtime.get(Faces)
    faces.todos.append(partial(_todos, runtime))
    faces.panels.append(partial(_panels, runtime))
    runtime.get(Site).items.append(Item("/trials", "trials"))


room = Room(install, (router,))
