"""Doors of the deletion room: the company closes its study; company and hospitals see what the zone still holds."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from sqlmodel import Session

from compute.deletion import certificates, closing
from compute.deletion.overview import overview
from compute.staging.model import Study
from compute.staging.service import slots
from compute.tasks.service import Tasks
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.outbox import Handler
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.service import Rights
from connector.web.access import signed_in
from connector.web.people import Person
from vocab.errors import Refusal

peers = APIRouter(tags=["deletion"])
management = APIRouter(prefix="/api", tags=["deletion"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]


class Close(BaseModel):
    """Nothing more is needed than who asks."""

    model_config = ConfigDict(extra="forbid", strict=True)


@peers.post("/studies/{study}/close", status_code=202)
async def close(request: Request, study: str, _message: Close, by: Peer) -> dict[str, str]:
    """The company closes its study."""
    await closing.close(_runtime(request), by, study)
    return {"study": study}


@peers.get("/studies/{study}/zone")
async def show_study(request: Request, study: str, by: Peer) -> dict[str, Any]:
    """What the zone holds of a study, for those whose study or data it is."""

    def found(session: Session) -> dict[str, Any]:
        row = session.get(Study, study)
        parties = {slot.provider for slot in slots(session, study, limit=500)} | {row.consumer if row else None}
        if row is None or by.did not in parties:
            raise Refusal("not-found", what=study)
        return overview(session, row)

    return await _runtime(request).store.read(found)


@management.get("/studies/{study}/certificates")
async def show_certificates(request: Request, study: str, _person: Anyone) -> list[dict[str, Any]]:
    """The certificates issued for a study, whole."""
    rows = await _runtime(request).store.read(lambda session: certificates.certificates(session, study))
    return [row.model_dump() for row in rows]


def install(runtime: Runtime) -> None:
    """Certificates follow a task's end; a study's end follows the company's word or the permit's end."""
    runtime.get(Tasks).on_end.append(partial(certificates.on_end, runtime))
    handlers = runtime.outbox.handlers
    runtime.get(Rights).resting.add("study")
    handlers["stop:study"] = Handler(partial(closing.right_ended, runtime))
    handlers["study-ends"] = Handler(partial(closing.permit_over, runtime))
    for step, perform in zip(closing.STEPS, (closing.wipe, closing.keys, closing.certify), strict=True):
        handlers[step] = Handler(partial(perform, runtime))


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
