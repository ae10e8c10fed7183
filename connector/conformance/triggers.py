"""The kit's own doors: it tells the connector under test to begin a negotiation or a transfer with the kit."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from connector.conformance.seed import offer
from connector.datasets.dsp import runtime_of
from connector.identity.service import Members
from connector.kit.runtime import Runtime
from connector.negotiation.asking import Asked
from connector.negotiation.consumer import begin
from connector.transfer.consumer import start
from vocab.errors import Refusal
from vocab.odrl.offer import with_target

router = APIRouter(prefix="/tck", tags=["conformance"])

Name = Annotated[str, Field(min_length=1, max_length=200)]
Address = Annotated[str, Field(pattern=r"^http://(127\.0\.0\.1|localhost):[0-9]{1,5}(/[^\s?#]*)?$", max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Negotiate(_Body):
    """Which data set to ask for, under which offer."""

    provider: Name = Field(alias="providerId")
    offer: Name = Field(alias="offerId")
    dataset: Name = Field(alias="datasetId")
    address: Address = Field(alias="connectorAddress")


class Fetch(_Body):
    """Which agreement's data to ask for."""

    provider: Name = Field(alias="providerId")
    agreement: Name = Field(alias="agreementId")
    format: Name
    address: Address = Field(alias="connectorAddress")


@router.post("/negotiations/requests")
async def negotiate(request: Request, wanted: Negotiate) -> dict[str, Any]:
    """Begins a negotiation."""
    runtime = runtime_of(request)
    _at(runtime, wanted.provider, wanted.address)
    document = with_target({**offer(wanted.dataset), "@id": wanted.offer}, wanted.dataset)
    facts = {"id": wanted.dataset, "legal_basis": None, "non_public": False}
    asked = Asked(wanted.provider, wanted.address.rstrip("/"), wanted.dataset, facts, document)
    row = await runtime.store.run(lambda unit: begin(unit, runtime, asked, None, "kit"))
    return {"consumerPid": row.id}


@router.post("/transfers/requests")
async def transfer(request: Request, wanted: Fetch) -> dict[str, Any]:
    """Begins a transfer."""
    runtime = runtime_of(request)
    _at(runtime, wanted.provider, wanted.address)
    row = await start(runtime, "kit", provider=wanted.provider, agreement=wanted.agreement, format=wanted.format)
    return {"consumerPid": row.id}


def _at(runtime: Runtime, name: str, address: str) -> None:
    """The kit listens where it says, as long as that is on this machine."""
    known = runtime.get(Members).foreign.known
    if name not in known:
        raise Refusal("not-a-member", rule="provider", seen=name)
    known[name] = replace(known[name], address=address.rstrip("/"))
