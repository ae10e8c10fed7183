"""Doors of the datasets room: the catalogue for peers (DSP 2025-1), publishing for the hospital's steward."""

import asyncio
import gzip
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, select

from connector.datasets import content
from connector.datasets.catalogue import Catalogues, Served, catalogue_for
from connector.datasets.describe import Description
from connector.datasets.dsp import runtime_of, speaking
from connector.datasets.model import Dataset, Offer, Shown
from connector.datasets.paging import Page, links, opened
from connector.datasets.service import datasets, described, offer, offers, publish
from connector.identity.service import ReadOnce, caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person
from vocab import terms
from vocab.errors import Refusal
from vocab.messages import catalogue

Json = dict[str, Any]

version = APIRouter(tags=["catalogue"])
peers = APIRouter(tags=["catalogue"], route_class=speaking("CatalogError"))
management = APIRouter(prefix="/api", tags=["datasets"])

Peer = Annotated[Caller, Depends(caller)]
Steward = Annotated[Person, Depends(duty("steward"))]
Anyone = Annotated[Person, Depends(signed_in)]
Limit = Annotated[int, Query(ge=1, le=500)]

#: Smaller answers gain nothing by it.
SMALL: Final = 1400
_PACKED: Final = {"content-encoding": "gzip", "vary": "accept-encoding"}


@version.get("/.well-known/dspace-version")
def versions(request: Request) -> Json:
    """Which versions of the protocol are spoken here, and where. Anybody may ask."""
    return catalogue.versions(runtime_of(request).did)


@peers.post(f"{catalogue.PATH}/catalog/request")
async def catalogue_request(
    request: Request, peer: Peer, page: Annotated[str | None, Query(max_length=500)] = None
) -> Response:
    """The catalogue as the caller may see it. It changes nothing: its token is checked as a reader's."""
    runtime = runtime_of(request)
    runtime.get(ReadOnce).check(peer, runtime.now())
    asked = catalogue.read_request(await request.body())
    served = await catalogue_for(runtime, peer.did)
    shown = Page(asked.offset, asked.limit) if page is None else opened(page, served.ids)
    if shown.first == 0 and shown.limit >= len(served.ids):
        return await _sent(request, served.body, {"etag": served.etag}, served)
    headers = {"etag": f'{served.etag[:-1]}-{shown.first}-{shown.limit}"'}
    address = f"{runtime.settings.url.rstrip('/')}{catalogue.PATH}/catalog/request"
    if link := links(shown, served.ids, address):
        headers["link"] = link
    return await _sent(request, orjson.dumps(_part(served.document, shown)), headers)


@peers.get(f"{catalogue.PATH}/catalog/datasets/{{dataset}}")
async def catalogue_dataset(request: Request, dataset: str, peer: Peer) -> Response:
    """One dataset. What is withheld is not there, for anybody."""
    served = await catalogue_for(runtime_of(request), peer.did)
    found = next((one for one in served.document.get("dataset", ()) if one["@id"] == dataset), None)
    if found is None:
        raise Refusal("dataset-unknown", dataset=dataset)
    body = orjson.dumps({"@context": [terms.DSP_CONTEXT], **found})
    return await _sent(request, body, {"etag": served.etag})


@management.post("/datasets", status_code=201)
async def publish_dataset(request: Request, form: Description, person: Steward) -> Json:
    """Publishes a description, or revises it."""
    return _dataset(await publish(runtime_of(request), form, person.id))


@management.put("/datasets/{dataset}/content", max_body_size=1 << 40)
async def keep_content(request: Request, dataset: str, person: Steward) -> Json:
    """The file of a public dataset, as the body. Other data are never kept here."""
    return _dataset(await content.keep(runtime_of(request), dataset, person.id, request.stream()))


@management.get("/datasets")
async def list_datasets(request: Request, _person: Anyone, after: str = "", limit: Limit = 100) -> list[Json]:
    """The datasets described here."""
    rows = await runtime_of(request).store.read(lambda session: datasets(session, after=after, limit=limit))
    return [_dataset(row) for row in rows]


@management.get("/datasets/{dataset}")
async def one_dataset(request: Request, dataset: str, _person: Anyone) -> Json:
    """One dataset with its offers and what was answered to each peer about it."""

    def read(session: Session) -> tuple[Dataset, list[Offer], list[Shown]]:
        own = offers(session, dataset)
        query = select(Shown).where(col(Shown.offer).in_([one.id for one in own])).order_by(col(Shown.at).desc())
        return described(session, dataset), own, list(session.exec(query.limit(200)))

    row, own, shown = await runtime_of(request).store.read(read)
    return {
        **_dataset(row),
        "description": row.node,
        "offers": [_offer(one) for one in own],
        "shown": [one.model_dump(exclude={"decision"}) for one in shown],
    }


@management.post("/datasets/{dataset}/offers", status_code=201)
async def publish_offer(request: Request, dataset: str, document: Json, person: Steward) -> Json:
    """Publishes an ODRL offer (JSON-LD under the DSP context, no target)."""
    return _offer(await offer(runtime_of(request), dataset, document, person.id))


@management.get("/datasets/{dataset}/offers")
async def list_offers(request: Request, dataset: str, _person: Anyone) -> list[Json]:
    """The offers on a dataset."""
    return [_offer(one) for one in await runtime_of(request).store.read(lambda session: offers(session, dataset))]


async def _sent(request: Request, body: bytes, headers: dict[str, str], whole: Served | None = None) -> Response:
    """304 for a peer that has it already (to a POST, too: a catalogue request reads); small for one that reads gzip."""
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if headers["etag"] in known:
        return Response(status_code=304, headers=headers)
    accepted = request.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    if not {"gzip", "*"}.isdisjoint(accepted) and len(body) > SMALL:
        packed = runtime_of(request).get(Catalogues).packed
        found = packed.get(whole.etag) if whole else None
        if found is None:
            found = await asyncio.to_thread(gzip.compress, body, 5, mtime=0)
            if whole:
                packed[whole.etag] = found
        return Response(found, media_type="application/json", headers={**headers, **_PACKED})
    return Response(body, media_type="application/json", headers=headers)


def _part(document: Json, page: Page) -> Json:
    found = document.get("dataset", [])[page.first : page.first + page.limit]
    return {
        **{name: value for name, value in document.items() if name != "dataset"},
        **({"dataset": found} if found else {}),
    }


def _dataset(row: Dataset) -> Json:
    said = {"revised": row.revised, "published_at": row.published_at, "published_by": row.published_by}
    return {**row.form, "content": row.content, **said}


def _offer(row: Offer) -> Json:
    return row.model_dump()


def install(runtime: Runtime) -> None:
    """The catalogues that are kept in memory."""
    runtime.add(Catalogues())


def _nothing(_runtime: Runtime) -> None:
    """A document needs nothing."""


room = Room(install, (peers, management))
#: For whoever speaks the protocol, on either side.
versioned = Room(_nothing, (version,))
