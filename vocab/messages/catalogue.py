"""The catalogue: what is asked and what is answered (DSP 2025-1, catalog protocol)."""

from dataclasses import dataclass
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal
from vocab.messages import reading, writing

Json = dict[str, Any]

VERSION: Final = "2025-1"
#: The protocol's place below a node's address.
PATH: Final = f"/dsp/{VERSION}"
#: What a peer of this space is told about datasets that it could not get.
WITHHELD: Final = terms.iri("med:withheld")
#: The operands of an offer that a later gate decides.
LATER: Final = terms.iri("med:later")
LARGEST_PAGE: Final = 1000
#: Datasets on a page where nobody asks for a number: about 1.5 MB.
USUAL_PAGE: Final = 200

_EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
#: The members of another connector's standing query that ask for nothing; anything else is a real filter.
_HARMLESS: Final = frozenset({"@type", "offset", "limit", "filterExpression", "sortOrder", "sortField"})


@dataclass(frozen=True, slots=True)
class CatalogRequest:
    """Which part of the catalogue is asked for."""

    offset: int
    limit: int
    raw: bytes


def read_request(raw: bytes) -> CatalogRequest:
    """A CatalogRequestMessage. Raises `Refusal("filter-not-supported")` for a filter that asks for something."""
    found = reading.message(raw, "CatalogRequestMessage")
    given = found.get("filter") or []
    filters = given if isinstance(given, list) else [given]
    page = {"offset": 0, "limit": USUAL_PAGE}
    for one in filters:
        if not isinstance(one, dict):
            raise Refusal("filter-not-supported", seen=type(one).__name__)
        query = {name.removeprefix(_EDC): value for name, value in one.items()}
        strange = sorted(query.keys() - _HARMLESS)
        if strange or query.get("filterExpression"):
            raise Refusal("filter-not-supported", seen=", ".join(strange) or "filterExpression")
        page.update({name: _count(query[name], name) for name in ("offset", "limit") if name in query})
    return CatalogRequest(page["offset"], min(page["limit"], LARGEST_PAGE), raw)


def request() -> Json:
    """Asks for the whole catalogue."""
    return writing.message("CatalogRequestMessage")


def catalogue(node: str, did: str, datasets: list[Json], withheld: list[Json]) -> Json:
    """The answer of the node at `node` (its address): empty lists are left out, as the schema demands."""
    found: Json = {
        "@context": [terms.DSP_CONTEXT],
        "@id": f"{node}{PATH}/catalog",
        "@type": "Catalog",
        "participantId": did,
        "service": [service(node)],
    }
    if datasets:
        found["dataset"] = datasets
    if withheld:
        found[WITHHELD] = withheld
    return found


def service(node: str) -> Json:
    """The one data service of a node: where negotiations and transfers are asked for."""
    return {"@id": f"{node}{PATH}/service", "@type": "DataService", "endpointURL": f"{node}{PATH}"}


def versions(did: str) -> Json:
    """The answer of `/.well-known/dspace-version`: no context, no authentication."""
    one = {"version": VERSION, "path": PATH, "binding": "HTTPS", "identifierType": "did:web", "serviceId": did}
    return {"protocolVersions": [one]}


def _count(given: Any, name: str) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**31:
        return given
    raise Refusal("message-malformed", where=f"filter.{name}", why="0 … 2^31 - 1")
