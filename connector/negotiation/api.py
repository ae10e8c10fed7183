"""Doors of the negotiation room: the protocol's paths for peers of either side, and a view for our own people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from connector.datasets.dsp import runtime_of, speaking
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.negotiation import consumer, core, provider, service
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.states import Side
from connector.web.access import duty, signed_in
from connector.web.people import Person
from vocab.errors import Refusal
from vocab.messages import negotiation as messages
from vocab.messages.catalogue import PATH

Json = dict[str, Any]

peers = APIRouter(prefix=f"{PATH}/negotiations", tags=["negotiation"], route_class=speaking("ContractNegotiationError"))
management = APIRouter(prefix="/api", tags=["negotiation"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Researcher = Annotated[Person, Depends(duty("pi", "analyst"))]
Limit = Annotated[int, Query(ge=1, le=500)]


class NewNegotiation(BaseModel):
    """Which offer on which dataset is wanted for which study; without `offer`, the first that the catalogue shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    provider: str = Field(pattern=r"^did:", max_length=200)
    dataset: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    study: str = Field(min_length=1, max_length=100)
    offer: Json | None = None


@peers.post("/request", status_code=201)
async def contract_request(request: Request, by: Peer) -> Json:
    """C -> P: a first request."""
    message = messages.read_request(await request.body())
    return await provider.receive_request(runtime_of(request), by, message)


@peers.post("/offers")
async def unasked_offer(by: Peer) -> Json:
    """P -> C: an offer that nobody asked for. We begin every negotiation ourselves."""
    raise Refusal("transition-refused", state="–", needed="consumer ContractRequestMessage", seen="provider", by=by.did)


@peers.get("/{pid}")
async def state(request: Request, pid: str, by: Peer) -> Json:
    """The state as this side sees it."""
    return core.shown(await runtime_of(request).store.read(lambda session: core.load(session, pid, by.did)))


@peers.post("/{pid}/request")
async def counter_request(request: Request, pid: str, by: Peer) -> Json:
    """C -> P: a counter-request."""
    return await provider.receive_counter(runtime_of(request), by, pid, messages.read_request(await request.body()))


@peers.post("/{pid}/offers")
async def offer(request: Request, pid: str, by: Peer) -> Json:
    """P -> C: a counter-offer."""
    await consumer.receive_offer(runtime_of(request), by, pid, messages.read_offer(await request.body()))
    return await state(request, pid, by)


@peers.post("/{pid}/agreement")
async def agreement(request: Request, pid: str, by: Peer) -> Json:
    """P -> C: the agreement."""
    await consumer.receive_agreement(runtime_of(request), by, pid, messages.read_agreement(await request.body()))
    return await state(request, pid, by)


@peers.post("/{pid}/agreement/verification")
async def verification(request: Request, pid: str, by: Peer) -> Json:
    """C -> P: the agreement is verified."""
    message = messages.read_verification(await request.body())
    await provider.receive_verification(runtime_of(request), by, pid, message)
    return await state(request, pid, by)


@peers.post("/{pid}/events")
async def event(request: Request, pid: str, by: Peer) -> Json:
    """C -> P: accepted; P -> C: finalised. Our own side decides who may have sent it."""
    await consumer.receive_event(runtime_of(request), by, pid, messages.read_event(await request.body()))
    return await state(request, pid, by)


@peers.post("/{pid}/termination")
async def termination(request: Request, pid: str, by: Peer) -> Json:
    """Either side ends it."""
    message = messages.read_termination(await request.body())
    await service.receive_termination(runtime_of(request), by, pid, message)
    return await state(request, pid, by)


@management.post("/negotiations", status_code=201)
async def start(request: Request, wanted: NewNegotiation, person: Researcher) -> Json:
    """Starts a negotiation. Its outcome is shown at its own address: the answer comes from the other organisation."""
    row = await consumer.start(
        runtime_of(request),
        person.id,
        provider=wanted.provider,
        dataset=wanted.dataset,
        study=wanted.study,
        offer=wanted.offer,
    )
    return _negotiation(row)


@management.get("/negotiations")
async def list_negotiations(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[Json]:
    """The negotiations of this node."""
    store = runtime_of(request).store
    return [
        _negotiation(row)
        for row in await store.read(lambda session: service.negotiations(session, study, after=after, limit=limit))
    ]


@management.get("/negotiations/{pid}")
async def one_negotiation(request: Request, pid: str, _person: Anyone) -> Json:
    """One negotiation, with the decision of our gate."""
    row = await runtime_of(request).store.read(lambda session: session.get(Negotiation, pid))
    if row is None:
        raise Refusal("not-found", what=pid)
    return {**_negotiation(row), "decision": row.decision}


@management.post("/negotiations/{pid}/termination")
async def end(request: Request, pid: str, person: Annotated[Person, Depends(duty("pi", "analyst", "steward"))]) -> Json:
    """Ends a negotiation that has not ended."""
    return _negotiation(await service.stop(runtime_of(request), pid, person.id))


@management.get("/agreements")
async def list_agreements(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[Json]:
    """The agreements of this node, with what a gate would be told of them."""

    def read(session: Session) -> list[Json]:
        rows = service.agreements(session, study, after=after, limit=limit)
        return [_agreement(row, service.agreement_facts(session, row.id)) for row in rows]

    return await runtime_of(request).store.read(read)


def _negotiation(row: Negotiation) -> Json:
    shown = row.model_dump(exclude={"decision", "request", "dataset_facts"})
    return {**shown, "state": row.state, "role": "provider" if row.side == Side.PROVIDER else "consumer"}


def _agreement(row: Agreement, facts: Json | None) -> Json:
    return {**row.model_dump(exclude={"policy"}), "receipt_complete": bool(facts and facts["receipt_complete"])}


room = Room(service.install, (peers, management))
