"""Doors of the negotiation room: the protocol's paths for peers of either side, and a view for our own people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from connector.datasets.dsp import runtime_of, speaking
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.negotiation import approval, consumer, core, hands, provider, service
from connector.negotiation.approval import When
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
Steward = Annotated[Person, Depends(duty("steward"))]
Decider = Annotated[Person, Depends(duty("steward", "pi"))]
Limit = Annotated[int, Query(ge=1, le=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewNegotiation(_Strict):
    """Which offer on which dataset is wanted for which study; without `offer`, the first that the catalogue shows.

    Public data need no study. `public`: they are, where the other side's catalogue does not say.
    """

    provider: str = Field(min_length=1, max_length=200)
    dataset: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    study: str | None = Field(default=None, min_length=1, max_length=100)
    offer: Json | None = None
    public: bool = False


class NewOffer(_Strict):
    """Whom to offer a dataset, for which study; without `offer`, the newest one on the dataset."""

    consumer: str = Field(min_length=1, max_length=200)
    dataset: str = Field(min_length=1, max_length=200)
    study: str | None = Field(default=None, min_length=1, max_length=100)
    offer: Json | None = None


class Offered(_Strict):
    """An offer (ODRL under the DSP context)."""

    offer: Json | None = None


class Countered(_Strict):
    """Another offer than the one on the table."""

    offer: Json


class Ending(_Strict):
    """Why, in words for the other side."""

    reason: str | None = Field(default=None, min_length=1, max_length=1000)


class Rule(BaseModel):
    """What waits for one of our people: `changes`, `offers`, `steps`, or nothing; empty names mean any."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(default="", max_length=200)
    peer: str = Field(default="", max_length=200)
    when: When | None = None


@peers.post("/request", status_code=201)
async def contract_request(request: Request, by: Peer) -> Json:
    """C -> P: a first request."""
    message = messages.read_request(await request.body())
    return await provider.receive_request(runtime_of(request), by, message)


@peers.post("/offers", status_code=201)
async def unasked_offer(request: Request, by: Peer) -> Json:
    """P -> C: an offer that nobody asked for."""
    return await consumer.receive_first_offer(runtime_of(request), by, messages.read_offer(await request.body()))


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
    await provider.receive_event(runtime_of(request), by, pid, messages.read_event(await request.body()))
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
        public=wanted.public,
    )
    return _negotiation(row)


@management.post("/offers", status_code=201)
async def offer_first(request: Request, wanted: NewOffer, person: Steward) -> Json:
    """Offers what nobody asked for yet. The answer comes from the other organisation."""
    return _negotiation(await hands.offer_first(runtime_of(request), person.id, **wanted.model_dump()))


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
    return {**_negotiation(row), "decision": row.decision, "differences": service.differences(row)}


@management.post("/negotiations/{pid}/offer")
async def send_offer(request: Request, pid: str, person: Steward, wanted: Offered | None = None) -> Json:
    """As provider: answers a request with an offer; without one, with the newest on the dataset."""
    return _negotiation(await hands.offer(runtime_of(request), person.id, pid, wanted.offer if wanted else None))


@management.post("/negotiations/{pid}/counter-offer")
async def send_counter(request: Request, pid: str, wanted: Countered, person: Researcher) -> Json:
    """As consumer: answers an offer with another one."""
    return _negotiation(await hands.counter(runtime_of(request), person.id, pid, wanted.offer))


@management.post("/negotiations/{pid}/acceptance")
async def accept(request: Request, pid: str, person: Researcher) -> Json:
    """As consumer: accepts the offer."""
    return _negotiation(await hands.accept(runtime_of(request), person.id, pid))


@management.post("/negotiations/{pid}/agreement")
async def agree(request: Request, pid: str, person: Steward) -> Json:
    """As provider: agrees to what lies on the table."""
    return _negotiation(await hands.agree(runtime_of(request), person.id, pid))


@management.post("/negotiations/{pid}/verification")
async def verify(request: Request, pid: str, person: Researcher) -> Json:
    """As consumer: verifies the agreement."""
    return _negotiation(await hands.verify(runtime_of(request), person.id, pid))


@management.post("/negotiations/{pid}/finalisation")
async def finalise(request: Request, pid: str, person: Steward) -> Json:
    """As provider: makes the verified agreement final."""
    return _negotiation(await hands.finalise(runtime_of(request), person.id, pid))


@management.post("/negotiations/{pid}/termination")
async def end(
    request: Request,
    pid: str,
    person: Annotated[Person, Depends(duty("pi", "analyst", "steward"))],
    why: Ending | None = None,
) -> Json:
    """Ends a negotiation that has not ended; the reason goes to the other side."""
    return _negotiation(await hands.stop(runtime_of(request), pid, person.id, why.reason if why else None))


@management.get("/approvals")
async def list_approvals(request: Request, _person: Anyone) -> list[Json]:
    """The rules by which negotiations wait for one of our people."""
    return [row.model_dump() for row in await runtime_of(request).store.read(approval.approvals)]


@management.put("/approvals")
async def set_approval(request: Request, rule: Rule, person: Decider) -> list[Json]:
    """Sets a rule, or takes it away."""
    kept = await approval.keep(runtime_of(request), person.id, rule.dataset, rule.peer, rule.when)
    return [row.model_dump() for row in kept]


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
    shown = row.model_dump(exclude={"decision", "request", "dataset_facts", "before"})
    return {**shown, "state": row.state, "role": "provider" if row.side == Side.PROVIDER else "consumer"}


def _agreement(row: Agreement, facts: Json | None) -> Json:
    return {**row.model_dump(exclude={"policy"}), "receipt_complete": bool(facts and facts["receipt_complete"])}


room = Room(service.install, (peers, management))
