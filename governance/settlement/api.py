"""Doors of the settlement room: the clerk settles; anybody may take a run with its receipts and compute it again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person
from governance.settlement import reading, service
from governance.settlement.model import SettlementRun
from vocab.money.tariff import Tariff, read

peers = APIRouter(prefix="/settlements", tags=["settlement"])
management = APIRouter(prefix="/api/settlements", tags=["settlement"])

Anyone = Annotated[Person, Depends(signed_in)]
Clerk = Annotated[Person, Depends(duty("clerk"))]
Study = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Settling(_Strict):
    """Which study to settle; `receipts` that must be among those settled."""

    study: Study
    receipts: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=1000)


class Preview(_Strict):
    """What a study would cost under another tariff (TOML), or the one in force."""

    study: Study
    tariff: str | None = Field(default=None, max_length=20_000)


@management.post("")
async def settle(request: Request, wanted: Settling, person: Clerk) -> dict[str, Any]:
    """Settles an ended study. Settled again, nothing is added and the same run comes back (`new` is false)."""
    runtime = _runtime(request)
    row, new = await service.settle(runtime, person.id, wanted.study, wanted.receipts)
    return {**await _whole(runtime, row.id), "new": new}


@management.post("/preview")
async def preview(request: Request, wanted: Preview, _person: Clerk) -> dict[str, Any]:
    """Computes and keeps nothing."""
    prices = _runtime(request).get(Tariff) if wanted.tariff is None else read(wanted.tariff)
    return (await service.preview(_runtime(request), wanted.study, prices)).body


@management.get("")
async def show_runs(
    request: Request, _person: Anyone, after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    """The runs, by id."""
    rows = await _runtime(request).store.read(lambda session: service.runs(session, after=after, limit=limit))
    return [_line(row) for row in rows]


@management.get("/balance")
async def show_balance(request: Request, _person: Anyone) -> dict[str, Any]:
    """The books: every account's sum, and the sum of all, which is 0."""
    accounts = await _runtime(request).store.read(service.balance)
    return {"accounts": accounts, "sum_won": sum(accounts.values())}


@management.get("/{run}")
async def show_run(request: Request, run: str, _person: Anyone) -> dict[str, Any]:
    """One run with its statements and what each party answered."""
    return await _whole(_runtime(request), run)


@peers.get("/{run}")
async def give_run(request: Request, run: str) -> dict[str, Any]:
    """A run, as its digest in the log stands for it."""
    row = await _runtime(request).store.read(lambda session: service.run_row(session, run))
    return {"id": row.id, "digest": row.digest, "body": row.body}


@peers.get("/{run}/receipts")
async def give_receipts(request: Request, run: str) -> list[dict[str, Any]]:
    """The receipts that the run was computed from, each with its proof (C2SP tlog-proof)."""
    return await _runtime(request).store.read(lambda session: reading.proofs(session, service.run_row(session, run)))


async def _whole(runtime: Runtime, run: str) -> dict[str, Any]:
    def look(session: Session) -> dict[str, Any]:
        row = service.run_row(session, run)
        return {**_line(row), "body": row.body, "statements": service.answers(session, run)}

    return await runtime.store.read(look)


def _line(row: SettlementRun) -> dict[str, Any]:
    return {
        "id": row.id,
        "study": row.study,
        "number": row.number,
        "digest": row.digest,
        "totals": row.body["totals"],
        "by": row.by,
        "at": row.at,
    }


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (peers, management))
