"""Data transfer: the messages both sides send (DSP 2025-1, transfer process protocol)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from vocab import terms
from vocab.errors import Refusal
from vocab.messages import reading, writing

Json = dict[str, Any]

#: The only format of this space: the provider pushes ciphertext to the zone.
PUSH_FORMAT: Final = "DurePush-PUSH"
#: The only kind of address that a consumer may name: a zone, by its DID.
ZONE_ADDRESS: Final = terms.iri("med:zone")

#: How another connector names the endpoint when it hides it among the properties.
_ENDPOINT_NAMES: Final = frozenset({"endpoint", "https://w3id.org/edc/v0.0.1/ns/endpoint"})


@dataclass(frozen=True, slots=True)
class DataAddress:
    """Where data is to go to or come from."""

    endpoint_type: str
    endpoint: str | None
    properties: Mapping[str, str]


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
    zone: str,
    *,
    study: str,
    permit: str | None,
    format: str = PUSH_FORMAT,  # noqa: A002 - the protocol's word
) -> Json:
    """Asks the provider to push to `zone` (a DID): nothing else of the address counts."""
    address = {"@type": "DataAddress", "endpointType": ZONE_ADDRESS, "endpoint": zone}
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


def start(consumer_pid: str, provider_pid: str) -> Json:
    """P starts. A push needs no address."""
    return writing.message("TransferStartMessage", consumerPid=consumer_pid, providerPid=provider_pid)


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
    hidden = next((value for name, value in properties.items() if name in _ENDPOINT_NAMES), None)
    return DataAddress(given["endpointType"], given.get("endpoint") or hidden, properties)
