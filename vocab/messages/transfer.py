"""Data transfer: the messages both sides send (DSP 2025-1, transfer process protocol)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from vocab import terms
from vocab.errors import Refusal
from vocab.messages import reading, writing

Json = dict[str, Any]

#: How sealed data go: the provider pushes ciphertext to the zone.
PUSH_FORMAT: Final = "DurePush-PUSH"
#: How public data go: the consumer fetches them, or names an address to which they are posted.
HTTP_PULL: Final = "HttpData-PULL"
HTTP_PUSH: Final = "HttpData-PUSH"
PUBLIC_FORMATS: Final = frozenset({HTTP_PULL, HTTP_PUSH})
#: The only kind of address that a consumer of sealed data may name: a zone, by its DID.
ZONE_ADDRESS: Final = terms.iri("med:zone")
#: An address that speaks HTTP, as the protocol's own examples name it.
HTTP_ADDRESS: Final = "https://w3id.org/idsa/v4.1/HTTP"

_EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
_SHA256: Final = terms.iri("med:sha256")
#: How another connector names the endpoint when it hides it among the properties.
_ENDPOINT_NAMES: Final = ("endpoint", "baseUrl")


@dataclass(frozen=True, slots=True)
class DataAddress:
    """Where data is to go to or come from."""

    endpoint_type: str
    endpoint: str | None
    properties: Mapping[str, str]

    def said(self, name: str) -> str | None:
        """A property by its plain name, in either dialect."""
        return self.properties.get(name, self.properties.get(_EDC + name))

    def to_json(self) -> Json:
        """What is kept of it."""
        shown = {"authorization": self.said("authorization"), "type": self.said("authType")}
        return {"endpoint": self.endpoint, **shown, "sha256": self.properties.get(_SHA256)}


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """C asks for the data of an agreement."""

    id: str | None
    consumer_pid: str
    agreement: str
    format: str
    callback: str
    address: DataAddress | None
    study: str | None
    permit: str | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class TransferStart:
    """P starts, or either side resumes."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    address: DataAddress | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class TransferStep:
    """Completion, suspension or termination; `body` holds code and reason."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    body: Json
    raw: bytes


Step = Literal["TransferCompletionMessage", "TransferSuspensionMessage", "TransferTerminationMessage"]


def read_request(raw: bytes) -> TransferRequest:
    """A TransferRequestMessage. Raises `Refusal` for anything else, here as in all functions below."""
    found = reading.message(raw, "TransferRequestMessage")
    return TransferRequest(
        id=found.get("@id"),
        consumer_pid=found["consumerPid"],
        agreement=found["agreementId"],
        format=found["format"],
        callback=found["callbackAddress"],
        address=_address(found),
        study=found.get(terms.STUDY),
        permit=found.get(terms.PERMIT),
        raw=raw,
    )


def read_start(raw: bytes) -> TransferStart:
    """A TransferStartMessage."""
    found = reading.message(raw, "TransferStartMessage")
    return TransferStart(found.get("@id"), found["consumerPid"], found["providerPid"], _address(found), raw)


def read_step(raw: bytes, kind: Step) -> TransferStep:
    """A message that names a process and perhaps a reason."""
    found = reading.message(raw, kind)
    return TransferStep(found.get("@id"), found["consumerPid"], found["providerPid"], found, raw)


def request(
    consumer_pid: str,
    callback: str,
    agreement: str,
    address: Json | None,
    *,
    study: str | None = None,
    permit: str | None = None,
    format: str = PUSH_FORMAT,  # noqa: A002 - the protocol's word
) -> Json:
    """Asks for data: pushed to `address`, or (without one) to be fetched."""
    members = {
        "consumerPid": consumer_pid,
        "callbackAddress": callback,
        "agreementId": agreement,
        "format": format,
        "dataAddress": address,
        terms.STUDY: study,
        terms.PERMIT: permit,
    }
    return writing.message("TransferRequestMessage", **members)


def to_zone(zone: str) -> Json:
    """The address of a zone (a DID): nothing else of the address counts."""
    return {"@type": "DataAddress", "endpointType": ZONE_ADDRESS, "endpoint": zone}


def over_http(endpoint: str, token: str, sha256: str | None = None) -> Json:
    """An address on HTTP with the token to show there, in the protocol's words and in those of another connector.

    `sha256`: the digest of what is there, for peers of this space.
    """
    values = {"authorization": token, "authType": "bearer"}
    names = {**values, _EDC + "endpoint": endpoint, **{_EDC + name: value for name, value in values.items()}}
    names[_EDC + "endpointType"] = HTTP_ADDRESS
    if sha256 is not None:
        names[_SHA256] = sha256
    properties = [{"@type": "EndpointProperty", "name": name, "value": value} for name, value in names.items()]
    head = {"@type": "DataAddress", "endpointType": HTTP_ADDRESS, "endpoint": endpoint}
    return {**head, "endpointProperties": properties}


def posted_to(endpoint: str, token: str) -> Json:
    """An address on HTTP that takes a push, as both name it: another connector knows the type by a name of its own."""
    found = over_http(endpoint, token)
    theirs = {"type": "HttpData", "baseUrl": endpoint, "authKey": "authorization", "authCode": token}
    more = [{"@type": "EndpointProperty", "name": _EDC + name, "value": value} for name, value in theirs.items()]
    return {**found, "endpointProperties": [*found["endpointProperties"], *more]}


def start(consumer_pid: str, provider_pid: str, address: Json | None = None) -> Json:
    """P starts, or either side resumes. `address`: where the data are to be fetched; a push needs none."""
    return writing.message(
        "TransferStartMessage", consumerPid=consumer_pid, providerPid=provider_pid, dataAddress=address
    )


def step(
    kind: Step, consumer_pid: str, provider_pid: str, refusal: Refusal | None = None, words: str | None = None
) -> Json:
    """Completion; or suspension and termination with their reason, and with a person's words."""
    why = writing.explained(refusal, words) if refusal else {}
    return writing.message(kind, consumerPid=consumer_pid, providerPid=provider_pid, **why)


def _address(found: Json) -> DataAddress | None:
    given = found.get("dataAddress")
    if given is None:
        return None
    properties = {one["name"]: one["value"] for one in given.get("endpointProperties", ())}
    address = DataAddress(given["endpointType"], given.get("endpoint"), properties)
    hidden = next(filter(None, map(address.said, _ENDPOINT_NAMES)), None)
    return replace(address, endpoint=address.endpoint or hidden)
