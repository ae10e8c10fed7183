"""Doors of the audit: anybody may ask what the public log says; the operator's people make evidence packs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, select

from connector.evidence import journal
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty
from connector.web.people import Person
from governance.audit.pack import pack
from governance.audit.service import Answered, answered
from governance.boards.model import DecisionRow, PermitIssued
from governance.members.standing import in_force
from vocab.records.envelope import canonical

peers = APIRouter(tags=["audit"])
management = APIRouter(prefix="/api/audit", tags=["audit"])

Dataset = Annotated[str, Query(min_length=1, max_length=200)]
On = Annotated[str, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class PackWanted(BaseModel):
    """The question of an evidence pack."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dataset: str = Field(min_length=1, max_length=200)
    on: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")


@peers.get("/audit")
async def audit(request: Request, dataset: Dataset, on: On) -> dict[str, Any]:
    """Who could use a dataset on a day, by which rule, and did they: says nothing that the public log does not say."""
    runtime = _runtime(request)
    found = await runtime.store.read(lambda session: answered(session, runtime, dataset, on))
    return found.document(runtime)


@management.post("/packs", response_class=Response)
async def make_pack(
    request: Request, wanted: PackWanted, person: Annotated[Person, Depends(duty("admin", "clerk", "auditor"))]
) -> Response:
    """The evidence pack: also with the board's decisions, as the operator signed them."""
    runtime = _runtime(request)

    def made(session: Session) -> bytes:
        found = answered(session, runtime, wanted.dataset, wanted.on)
        return pack(found, found.document(runtime), in_force(session).envelope, _board(session, found))

    data = await runtime.store.read(made)
    await runtime.store.run(
        lambda unit: journal.record(
            unit, "audit-pack", now=runtime.now(), by=person.id, dataset=wanted.dataset, day=wanted.on
        )
    )
    name = f"audit-{wanted.on}.zip"
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(data, media_type="application/zip", headers=headers)


def _board(session: Session, found: Answered) -> dict[str, bytes]:
    """What the board said: its decisions (votes as digests, arithmetic, conditions) and the permits, signed."""
    files: dict[str, bytes] = {}
    for right in (*found.answer["could"], *found.answer["could_not"]):
        decision = session.exec(select(DecisionRow).where(DecisionRow.digest == right["decision"])).first()
        permit = session.get(PermitIssued, right["permit"])
        if decision is not None:
            files[f"board/{decision.digest}.decision.json"] = canonical(decision.envelope)
        if permit is not None:
            files[f"board/{right['decision']}.permit.jws"] = permit.jws.encode()
    return files


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def install(_runtime: Runtime) -> None:
    """Nothing to register: it only reads."""


room = Room(install, (peers, management))
