"""Doors of the sources room, all for the hospital's own people: one runs, a second accepts, a third keeps the keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.sources import service
from connector.sources.model import PseudonymKey, Snapshot, Source, TrialRow
from connector.sources.register import render
from connector.web.access import duty, signed_in
from connector.web.people import Person
from vocab.errors import Refusal

Json = dict[str, Any]

management = APIRouter(prefix="/api", tags=["sources"])

Anyone = Annotated[Person, Depends(signed_in)]
Steward = Annotated[Person, Depends(duty("steward"))]
Keykeeper = Annotated[Person, Depends(duty("keykeeper"))]
#: Whether this person may accept this snapshot depends on who cut it: the service says.
Second = Annotated[Person, Depends(duty("acceptor", "steward"))]
Limit = Annotated[int, Query(ge=1, le=500)]
DatasetId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Study = Annotated[str, Field(pattern=r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewSource(_Strict):
    """Where a dataset's rows lie: the name of a file in the node's folder."""

    dataset: DatasetId
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class ProfileForm(_Strict):
    """A de-identification profile. What is missing in it is refused with its own reason."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: int | None = Field(default=None, ge=1, le=1_000_000)
    k: int | None = Field(default=None, ge=0, le=1_000_000)
    pseudonym: str | None = Field(default=None, max_length=100)
    max_suppressed_percent: float | None = Field(default=None, ge=0, le=100)
    rungs: dict[Column, str] | None = Field(default=None, max_length=200)


class NewTrial(_Strict):
    """A dataset to try a profile on; without one, the space's default profile."""

    dataset: DatasetId
    profile: ProfileForm | None = None


class NewSnapshot(NewTrial):
    """A study's snapshot of a dataset; without columns, all that the permit names."""

    study: Study
    columns: list[Column] | None = Field(default=None, min_length=1, max_length=200)


@management.post("/sources", status_code=201)
async def new_source(request: Request, wanted: NewSource, person: Steward) -> Json:
    """Names the file that holds a dataset's rows."""
    return _source(await service.add_source(_runtime(request), person, wanted.dataset, wanted.file))


@management.post("/trials", status_code=201)
async def new_trial(request: Request, wanted: NewTrial, person: Steward) -> Json:
    """Runs a profile on trial."""
    return _trial(await service.trial(_runtime(request), person, wanted.dataset, _profile(wanted.profile)))


@management.get("/trials")
async def list_trials(
    request: Request,
    _person: Anyone,
    dataset: str | None = None,
    after: Annotated[int, Query(ge=0, lt=1 << 53)] = 0,
    limit: Limit = 100,
) -> list[Json]:
    """The trials that were run, oldest first; `after` is a time (UTC ms)."""
    store = _runtime(request).store
    rows = await store.read(lambda session: service.trials(session, dataset, after=after, limit=limit))
    return [_trial(row) for row in rows]


@management.post("/studies/{study}/pseudonym-key", status_code=201)
async def new_pseudonym_key(request: Request, study: Annotated[Study, Path()], person: Keykeeper) -> Json:
    """Makes the study's pseudonym key. It is shown to nobody."""
    return _key(await service.new_pseudonym_key(_runtime(request), person, study))


@management.post("/snapshots", status_code=201)
async def new_snapshot(request: Request, wanted: NewSnapshot, person: Steward) -> Json:
    """Cuts a study's snapshot."""
    row = await service.cut(
        _runtime(request),
        person,
        study=wanted.study,
        dataset=wanted.dataset,
        columns=wanted.columns,
        profile=_profile(wanted.profile),
    )
    return _snapshot(row)


@management.get("/snapshots")
async def list_snapshots(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[Json]:
    """The snapshots that were cut here, by id."""
    store = _runtime(request).store
    rows = await store.read(lambda session: service.snapshots(session, study, after=after, limit=limit))
    return [_snapshot(row) for row in rows]


@management.get("/snapshots/{snapshot}")
async def one_snapshot(request: Request, snapshot: str, _person: Anyone) -> Json:
    """One snapshot with its signed record."""
    row = await _runtime(request).store.read(lambda session: session.get(Snapshot, snapshot))
    if row is None:
        raise Refusal("not-found", what=snapshot)
    return {**_snapshot(row), "record": row.record}


@management.post("/snapshots/{snapshot}/accept")
async def accept_snapshot(request: Request, snapshot: str, person: Second) -> Json:
    """A second person accepts it."""
    return _snapshot(await service.accept(_runtime(request), person, snapshot))


@management.post("/snapshots/{snapshot}/recheck")
async def recheck_snapshot(request: Request, snapshot: str, person: Second) -> Json:
    """Cuts it again and compares the digests."""
    return await service.recheck(_runtime(request), person, snapshot)


@management.get("/register")
async def show_register(request: Request, _person: Anyone, study: str | None = None) -> list[Json]:
    """The register under PIPA 28-4(3)."""
    rows = await _runtime(request).store.read(lambda session: service.register(session, study))
    return [row.model_dump() for row in rows]


@management.get("/register.csv", response_class=Response)
async def download_register(request: Request, _person: Anyone) -> Response:
    """The same as CSV, as a spreadsheet opens it."""
    rows = await _runtime(request).store.read(service.register)
    text = "\ufeff" + render(row.entry() for row in rows)
    headers = {"content-disposition": 'attachment; filename="register.csv"', "x-content-type-options": "nosniff"}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _profile(form: ProfileForm | None) -> Json | None:
    return None if form is None else form.model_dump(exclude_unset=True)


def _source(row: Source) -> Json:
    return row.model_dump()


def _trial(row: TrialRow) -> Json:
    return row.model_dump()


def _key(row: PseudonymKey) -> Json:
    return row.model_dump()


def _snapshot(row: Snapshot) -> Json:
    return row.model_dump(exclude={"record"})


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (management,))
