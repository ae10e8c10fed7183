"""Doors of the transfer room: the protocol's paths for peers, key release and destruction for the zone, our people."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from connector.datasets.dsp import runtime_of, speaking
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.transfer import core, data, ending, hands, provider, release, service
from connector.transfer.model import Transfer
from connector.transfer.states import Message
from connector.web.access import duty, signed_in
from connector.web.people import Person
from vocab.errors import Refusal
from vocab.messages import transfer as messages
from vocab.messages.catalogue import PATH

Json = dict[str, Any]

protocol = APIRouter(prefix=f"{PATH}/transfers", tags=["transfer"], route_class=speaking("TransferError"))
zones = APIRouter(tags=["keys"])
plane = APIRouter(tags=["data"])
management = APIRouter(prefix="/api", tags=["transfer"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Researcher = Annotated[Person, Depends(duty("pi", "analyst"))]
Party = Annotated[Person, Depends(duty("pi", "analyst", "steward"))]
Hospital = Annotated[Person, Depends(duty("steward", "acceptor"))]
Limit = Annotated[int, Query(ge=1, le=500)]
Study = Annotated[str, Path(pattern=r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Target(_Strict):
    """Where public data are posted, and what is shown there."""

    endpoint: str = Field(pattern=r"^https?://", max_length=500)
    authorization: str = Field(default="", max_length=4000)


class Why(_Strict):
    """Why, in words for the other side."""

    reason: str | None = Field(default=None, min_length=1, max_length=1000)


class NewTransfer(_Strict):
    """Which agreement's data are asked for; without `zone`, pushed to the permit's. The hospital decides.

    Public data need no study: they are fetched (`HttpData-PULL`), or posted to `target` (`HttpData-PUSH`).
    """

    provider: str = Field(min_length=1, max_length=200)
    agreement: Id
    study: Id | None = None
    target: Target | None = None
    zone: str | None = Field(default=None, min_length=1, max_length=200)
    format: str = Field(default=messages.PUSH_FORMAT, min_length=1, max_length=100)


class Destroy(_Strict):
    """The agreements whose keys are to be destroyed."""

    agreements: list[Id] = Field(max_length=500)


class Stop(_Strict):
    """Why everything of a study is stopped."""

    reason: str = Field(min_length=1, max_length=2000)


@protocol.post("/request", status_code=201)
async def transfer_request(request: Request, by: Peer) -> Json:
    """C -> P: a request."""
    return await provider.receive_request(runtime_of(request), by, messages.read_request(await request.body()))


@protocol.get("/{pid}")
async def state(request: Request, pid: str, by: Peer) -> Json:
    """The state as this side sees it."""
    return core.shown(await runtime_of(request).store.read(lambda session: core.load(session, pid, by.did)))


@protocol.post("/{pid}/start")
async def start(request: Request, pid: str, by: Peer) -> Json:
    """P starts, or either side resumes."""
    message = messages.read_start(await request.body())
    await service.receive(runtime_of(request), by, pid, Message.START, message)
    return await state(request, pid, by)


@protocol.post("/{pid}/completion")
async def completion(request: Request, pid: str, by: Peer) -> Json:
    """Either side says that it is complete."""
    return await _step(request, pid, by, Message.COMPLETION, "TransferCompletionMessage")


@protocol.post("/{pid}/suspension")
async def suspension(request: Request, pid: str, by: Peer) -> Json:
    """Either side suspends it."""
    return await _step(request, pid, by, Message.SUSPENSION, "TransferSuspensionMessage")


@protocol.post("/{pid}/termination")
async def termination(request: Request, pid: str, by: Peer) -> Json:
    """Either side ends it."""
    return await _step(request, pid, by, Message.TERMINATION, "TransferTerminationMessage")


async def _step(request: Request, pid: str, by: Caller, kind: Message, name: messages.Step) -> Json:
    await service.receive(runtime_of(request), by, pid, kind, messages.read_step(await request.body(), name))
    return await state(request, pid, by)


@plane.get("/data/{pid}")
async def hand_out(request: Request, pid: str) -> StreamingResponse:
    """Public data, for whoever holds the token of a started transfer."""
    runtime, given = runtime_of(request), request.headers
    found = await data.serve(runtime, pid, given.get("authorization", ""), given.get("range"))
    return StreamingResponse(found.pieces, found.status, found.headers)


@plane.post("/landing/{pid}", status_code=204, max_body_size=1 << 40)
async def take_in(request: Request, pid: str) -> None:
    """Public data that we asked to be pushed."""
    await data.take_in(runtime_of(request), pid, request.headers.get("authorization", ""), request.stream())


@zones.post("/keys/release")
async def release_keys(request: Request, envelope: Annotated[Json, Body()], by: Peer) -> Json:
    """The zone asks for the keys of one job."""
    return {"keys": await release.release(runtime_of(request), by, envelope)}


@zones.post("/studies/{study}/destroy-keys")
async def destroy_keys(request: Request, study: Study, message: Destroy, by: Peer) -> Json:
    """The zone closes a study."""
    return await ending.destroy(runtime_of(request), by, study, message.agreements)


@management.post("/transfers", status_code=201)
async def new_transfer(request: Request, wanted: NewTransfer, person: Researcher) -> Json:
    """Asks for the data of one agreement. Its outcome is shown at its own address."""
    return _transfer(await service.start(runtime_of(request), person.id, **wanted.model_dump()))


@management.post("/studies/{study}/transfers", status_code=201)
async def new_transfers(request: Request, study: Study, person: Researcher) -> list[Json]:
    """Asks for the data of all agreements of a study."""
    return [_transfer(row) for row in await service.start_study(runtime_of(request), person.id, study)]


@management.get("/transfers")
async def list_transfers(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[Json]:
    """The transfers of this node."""
    store = runtime_of(request).store
    rows = await store.read(lambda session: service.transfers(session, study, after=after, limit=limit))
    return [_transfer(row) for row in rows]


@management.get("/transfers/{pid}")
async def one_transfer(request: Request, pid: str, _person: Anyone) -> Json:
    """One transfer, with the decision of our gate."""
    row = await runtime_of(request).store.read(lambda session: session.get(Transfer, pid))
    if row is None:
        raise Refusal("not-found", what=pid)
    return {**_transfer(row), "decision": row.decision}


@management.post("/transfers/{pid}/fetch")
async def fetch(request: Request, pid: str, person: Researcher) -> Json:
    """Fetches the public data of a started transfer into this node; it goes on by itself where it was broken off."""
    return _transfer(await data.ask_for(runtime_of(request), person.id, pid))


@management.get("/transfers/{pid}/data")
async def fetched(request: Request, pid: str, _person: Researcher) -> FileResponse:
    """What was fetched."""
    runtime = runtime_of(request)
    row = await runtime.store.read(lambda session: session.get(Transfer, pid))
    if row is None or row.fetched is None:
        raise Refusal("not-found", what=pid)
    return FileResponse(data.landing(runtime, pid), media_type="application/octet-stream")


@management.post("/transfers/{pid}/start")
async def begin(request: Request, pid: str, person: Party) -> Json:
    """Starts a transfer that waits here, or resumes one that was suspended."""
    return _transfer(await hands.start(runtime_of(request), person.id, pid))


@management.post("/transfers/{pid}/suspension")
async def suspend(request: Request, pid: str, person: Party, why: Why | None = None) -> Json:
    """Suspends a transfer; the reason goes to the other side."""
    return _transfer(await hands.suspend(runtime_of(request), person.id, pid, why.reason if why else None))


@management.post("/transfers/{pid}/completion")
async def complete(request: Request, pid: str, person: Party) -> Json:
    """Says that everything wanted has gone over."""
    return _transfer(await hands.complete(runtime_of(request), person.id, pid))


@management.post("/transfers/{pid}/termination")
async def end(request: Request, pid: str, person: Party, why: Why | None = None) -> Json:
    """Ends a transfer that has not ended; the reason goes to the other side."""
    return _transfer(await hands.end(runtime_of(request), pid, person.id, why.reason if why else None))


@management.post("/studies/{study}/stop")
async def stop(request: Request, study: Study, message: Stop, person: Hospital) -> Json:
    """The Stop button of a hospital."""
    return await ending.stop(runtime_of(request), person, study, message.reason)


@management.get("/studies/{study}/house")
async def what_left(request: Request, study: Study, _person: Anyone) -> Json:
    """What left this hospital for a study."""
    return asdict(await service.left(runtime_of(request), study))


def _transfer(row: Transfer) -> Json:
    return row.model_dump(exclude={"decision", "request", "token", "source", "target"})


room = Room(service.install, (protocol, zones, plane, management))
