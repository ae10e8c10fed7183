"""Doors of the rights room: the operator brings the standing list and permits; our people see them and what runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights import delegation
from connector.rights.acceptance import accept_permit, accept_standing
from connector.rights.current import Rights
from connector.rights.lease import lease
from connector.rights.model import DelegationRow, Grant, VetoRow
from connector.rights.service import install, permits
from connector.web.access import duty, signed_in
from connector.web.people import Person

peers = APIRouter(tags=["rights"])
management = APIRouter(prefix="/api", tags=["rights"])

Steward = Annotated[Person, Depends(duty("steward"))]
Anyone = Annotated[Person, Depends(signed_in)]
Limit = Annotated[int, Query(ge=1, le=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PermitMessage(_Strict):
    """A permit and the decision that it rests on."""

    permit: str = Field(max_length=256 * 1024)
    decision: dict[str, Any]


class NewDelegation(_Strict):
    """What a hospital gives into the shared board's hands, and until when (UTC ms)."""

    datasets: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1, max_length=500)
    until: int = Field(ge=0, lt=1 << 53)


class NewVeto(_Strict):
    """One dataset that shall not be part of one application, and why."""

    application: str = Field(min_length=1, max_length=100)
    dataset: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)


@peers.post("/standing", status_code=204)
async def standing_arrives(request: Request, envelope: Annotated[dict[str, Any], Body()]) -> None:
    """A standing list. It needs no token: its signature by the pinned key and its number are its authentication."""
    await accept_standing(_runtime(request), envelope)


@peers.post("/permits", status_code=204)
async def permit_arrives(request: Request, message: PermitMessage) -> None:
    """A permit. It needs no token: the operator's signatures are its authentication."""
    await accept_permit(_runtime(request), message.permit, message.decision)


@management.get("/standing")
async def show_standing(request: Request, _person: Anyone) -> dict[str, Any]:
    """The list in force, whether it is fresh, and the lease."""
    runtime = _runtime(request)
    rights = runtime.get(Rights)
    standing = rights.demand()
    held = lease(rights.contact, standing.lease_seconds, runtime.clock.monotonic())
    return {
        "standing": standing.model_dump(mode="json"),
        "fresh": standing.fresh(runtime.now()),
        "lease": {"state": held.state, "seconds": round(held.seconds, 1)},
    }


@management.get("/permits")
async def show_permits(request: Request, _person: Anyone, after: str = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """The permits that concern this node."""
    runtime = _runtime(request)
    standing = runtime.get(Rights).standing
    rows = await runtime.store.read(lambda session: permits(session, after=after, limit=limit))
    return [
        {
            "id": row.id,
            "study": row.study,
            "state": standing.permit_state(row.id) if standing else None,
            "until": row.until,
            "received_at": row.received_at,
            "permit": row.fields,
            "jws": row.jws,
            "decision": row.decision,
        }
        for row in rows
    ]


@management.get("/grants")
async def show_grants(request: Request, _person: Anyone, after: str = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """What is or was under way here and leans on rights."""

    def found(session: Session) -> list[Grant]:
        query = select(Grant).where(Grant.id > after).order_by(col(Grant.id), col(Grant.agreement)).limit(limit)
        return list(session.exec(query))

    rows = await _runtime(request).store.read(found)
    return [row.model_dump(exclude={"leans"}) for row in rows]


@management.post("/delegations", status_code=201)
async def new_delegation(request: Request, wanted: NewDelegation, person: Steward) -> dict[str, Any]:
    """Delegates datasets to the shared board; both sides sign."""
    return _delegation(await delegation.delegate(_runtime(request), person.id, wanted.datasets, wanted.until))


@management.get("/delegations")
async def show_delegations(request: Request, _person: Anyone) -> list[dict[str, Any]]:
    """What this hospital has delegated."""
    return [_delegation(row) for row in await _runtime(request).store.read(delegation.delegations)]


@management.post("/vetoes", status_code=201)
async def new_veto(request: Request, wanted: NewVeto, person: Steward) -> dict[str, Any]:
    """Takes one of this hospital's datasets out of an application."""
    row = await delegation.veto(_runtime(request), person.id, wanted.application, wanted.dataset, wanted.reason)
    return _veto(row)


@management.get("/vetoes")
async def show_vetoes(request: Request, _person: Anyone) -> list[dict[str, Any]]:
    """This hospital's vetoes."""
    rows = await _runtime(request).store.read(lambda session: list(session.exec(select(VetoRow))))
    return [_veto(row) for row in rows]


def _delegation(row: DelegationRow) -> dict[str, Any]:
    return row.model_dump()


def _veto(row: VetoRow) -> dict[str, Any]:
    return row.model_dump()


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
