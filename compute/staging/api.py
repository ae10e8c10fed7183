"""Doors of the staging room: hospitals ask for slots, push ciphertext, and stop; our people see what lies here."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from compute.staging import arrival, service
from compute.staging.wanted import Wanted
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.people import Person

peers = APIRouter(tags=["staging"])
management = APIRouter(prefix="/api", tags=["staging"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Limit = Annotated[int, Query(ge=1, le=500)]


class StopMessage(BaseModel):
    """Which of the hospital's agreements stops, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agreement: str = Field(min_length=1, max_length=100)
    snapshot: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)


@peers.post("/slots", status_code=201)
async def open_slot(request: Request, wanted: Wanted, by: Peer) -> dict[str, Any]:
    """A hospital asks for a place for its ciphertext."""
    return await service.open_slot(_runtime(request), by, wanted)


@peers.put("/slots/{slot}/{part}", status_code=204, max_body_size=1 << 40)
async def part_arrives(
    request: Request, slot: str, part: str, by: Peer, slot_token: Annotated[str, Header(max_length=200)]
) -> None:
    """A part's ciphertext, as a stream."""
    await arrival.receive(_runtime(request), by, slot, part, slot_token, request.stream())


@peers.post("/studies/{study}/stop", status_code=202)
async def stop(request: Request, study: str, message: StopMessage, by: Peer) -> dict[str, str]:
    """The hospital pressed Stop."""
    await service.stop(_runtime(request), by, study, message.agreement, message.snapshot, message.reason)
    return {"study": study, "agreement": message.agreement}


@management.get("/slots")
async def show_slots(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """The slots given out and what lies in them."""

    def found(session: Session) -> list[dict[str, Any]]:
        return [
            {**row.model_dump(exclude={"policy", "token", "digest"}), "parts": _parts(session, row.id)}
            for row in service.slots(session, study, after=after, limit=limit)
        ]

    return await _runtime(request).store.read(found)


def _parts(session: Session, slot: str) -> list[dict[str, Any]]:
    return [one.model_dump(exclude={"slot", "spent"}) for one in service.parts(session, slot)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(service.install, (peers, management))
