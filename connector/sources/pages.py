"""What the sources room adds to a hospital's pages: trials with their refused rungs, an invented patient, snapshots."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, col, select

from connector.evidence.pages import names
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.model import PermitRow
from connector.sources import service
from connector.sources.model import PseudonymKey, RegisterRow, Snapshot, TrialRow
from connector.sources.sample import Sample
from connector.sources.trial import LADDERS
from connector.web.access import duty, signed_in
from connector.web.cells import Badge, Cell, Link
from connector.web.faces import Faces, Look
from connector.web.home import Todo
from connector.web.layout import HEADERS, render
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import (
    Action,
    BeforeAfter,
    Change,
    Figure,
    Figures,
    Lattice,
    Panel,
    Rung,
    Table,
    Timeline,
)
from vocab.words import known
from vocab.words.values import At, AtSecond, Said, Share, Value

router = APIRouter(include_in_schema=False)

HEADERS_OF_SNAPSHOTS: Final = (
    "dataset",
    "state",
    "snapshot-patients",
    "snapshot-k",
    "snapshot-people",
    "snapshot-digest",
)

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


def trial_panels(row: TrialRow, *, near: bool = False) -> Iterable[Panel]:
    """Figures and lattice of one trial; `near`: of the lattice only the choice and what lies one rung away."""
    result = row.result
    note = Said("trial-of", {"dataset": row.dataset, "at": At(row.at)})
    yield Panel("panel-trial", Figures(tuple(_trial_figures(result))), note)
    if result["lattice"]:
        choices = _near(result["lattice"]) if near else result["lattice"]
        rungs = tuple(_rung(choice) for choice in choices)
        yield Panel("panel-lattice", Lattice(result["profile"]["k"], rungs), note, wide=True)


def _trial_figures(result: Mapping[str, Any]) -> Iterable[Figure]:
    quasi = [column(name) for name in result["quasi_identifiers"]]
    limit = result["profile"]["max_suppressed_percent"]
    yield Figure("trial-patients", result["eligible"], Said("trial-of-all", {"all": result["patients"]}))
    yield Figure("trial-k", result["k"], Said("trial-k-before", {"k": result["k_before"]}))
    yield Figure(
        "trial-suppressed",
        Share(result["suppressed_percent"] / 100),
        Said("trial-limit", {"limit": Share(limit / 100)}),
    )
    yield Figure("trial-unique", Share(result["unique_percent"] / 100), Said("trial-unique-note"))
    yield Figure("trial-l", result["diversity"])
    yield Figure("trial-t", float(result["closeness"]))
    yield Figure("trial-all-event", result["all_event_rows"], Said("trial-classes", {"n": result["all_event_classes"]}))
    yield Figure("trial-quasi", quasi)


def _near(lattice: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The chosen rungs and the choices that differ from them in one."""
    chosen = next(choice for choice in lattice if choice["verdict"] == "chosen")
    return [choice for choice in lattice if sum(choice[name] != chosen[name] for name in LADDERS) <= 1]


def _rung(choice: Mapping[str, Any]) -> Rung:
    words = {name: Said(f"rung-{choice[name]}") for name in LADDERS}
    return Rung(
        Said("lattice-choice", words), Share(choice["suppressed_percent"] / 100), choice["classes"], choice["verdict"]
    )


def patient_panels(example: Sample | None) -> Iterable[Panel]:
    """The invented patient, where this hospital has one."""
    if example is None:
        return
    before = {name: _plain(value) for name, value in example.before.items() if value is not None}
    after = {name: _plain(value) for name, value in example.after.items() if value is not None}
    rows = [Change(column(name), value, after.get(name)) for name, value in before.items()]
    rows += [Change(column(name), None, value) for name, value in after.items() if name not in before]
    yield Panel("panel-patient", BeforeAfter(tuple(rows)), Said("patient-note"))


def _plain(value: Any) -> str:
    """As it stands in the table: a year is no count, and 7.8 is not 7.800."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def column(name: str) -> Value:
    """A column in words."""
    return Said(f"column-{name}") if known(f"column-{name}") else name


def snapshot_table(rows: Sequence[Snapshot], name: Callable[[str], Value]) -> Table:
    """The snapshots of a study, whatever became of them."""
    return Table(Said("snapshots-caption"), HEADERS_OF_SNAPSHOTS, tuple(_snapshot(row, name) for row in rows))


def _snapshot(row: Snapshot, name: Callable[[str], Value]) -> tuple[Cell, ...]:
    people = [name(one) for one in (row.made_by, row.accepted_by) if one]
    return row.dataset, snapshot_state(row), row.patients, row.k, people, row.digest.removeprefix("sha256:")[:16]


def snapshot_state(row: Snapshot) -> Badge:
    """What became of it: the last thing counts."""
    if row.destroyed_at is not None:
        return Badge("done", Said("snapshot-destroyed", {"at": AtSecond(row.destroyed_at)}))
    if row.stopped:
        return Badge("refused", Said("snapshot-stopped"))
    if row.accepted:
        return Badge("done", Said("snapshot-accepted"))
    return Badge("waiting", Said("snapshot-waits"))


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


def register_figures(entries: Sequence[RegisterRow]) -> Figures:
    """The register of PIPA 28-4: how many rows, whether the data are destroyed, the file."""
    gone = [row.destroyed_at for row in entries if row.destroyed_at is not None]
    return Figures(
        (
            Figure("register-rows", len(entries)),
            Figure("register-destroyed", At(max(gone)) if len(gone) == len(entries) else None),
            Figure("register-file", Link(Said("register-csv"), "/api/register.csv")),
        )
    )


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
    """The datasets of ours that a permit of the study names; with `now`, only of permits whose time is not over."""
    rows = session.exec(select(PermitRow).where(PermitRow.study == study))
    return sorted(
        {
            one["id"]
            for row in rows
            for one in row.fields["datasets"]
            if one["provider"] == runtime.did and (now is None or row.until > now)
        }
    )


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
