"""Contract negotiation: the messages both sides send (DSP 2025-1, contract negotiation protocol)."""

from dataclasses import dataclass
from typing import Any, Literal

from vocab import terms
from vocab.errors import Refusal
from vocab.messages import reading, writing

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContractRequest:
    """C asks for an offer of the catalogue (with `callback`), or counters an offer (with `provider_pid`)."""

    id: str | None
    consumer_pid: str
    provider_pid: str | None
    callback: str | None
    offer: Json
    study: str | None
    permit: str | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ContractOffer:
    """P offers something else than C asked for, or (with `callback`) what nobody asked for yet."""

    id: str | None
    consumer_pid: str | None
    provider_pid: str
    callback: str | None
    offer: Json
    study: str | None
    permit: str | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ContractAgreement:
    """P agrees."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    agreement: Json
    raw: bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """C has verified the agreement."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """C accepts an offer, or P finalises the agreement."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    event: Literal["ACCEPTED", "FINALIZED"]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Termination:
    """Either side ends the negotiation; `body` holds its code and reason."""

    id: str | None
    consumer_pid: str
    provider_pid: str
    body: Json
    raw: bytes


def read_request(raw: bytes) -> ContractRequest:
    """A ContractRequestMessage. Raises `Refusal` for anything else, here as in all functions below."""
    found = reading.message(raw, "ContractRequestMessage")
    return ContractRequest(
        id=found.get("@id"),
        consumer_pid=found["consumerPid"],
        provider_pid=found.get("providerPid"),
        callback=found.get("callbackAddress"),
        offer=found["offer"],
        study=found.get(terms.STUDY),
        permit=found.get(terms.PERMIT),
        raw=raw,
    )


def read_offer(raw: bytes) -> ContractOffer:
    """A ContractOfferMessage."""
    found = reading.message(raw, "ContractOfferMessage")
    return ContractOffer(
        id=found.get("@id"),
        consumer_pid=found.get("consumerPid"),
        provider_pid=found["providerPid"],
        callback=found.get("callbackAddress"),
        offer=found["offer"],
        study=found.get(terms.STUDY),
        permit=found.get(terms.PERMIT),
        raw=raw,
    )


def read_agreement(raw: bytes) -> ContractAgreement:
    """A ContractAgreementMessage."""
    found = reading.message(raw, "ContractAgreementMessage")
    return ContractAgreement(found.get("@id"), found["consumerPid"], found["providerPid"], found["agreement"], raw)


def read_verification(raw: bytes) -> Verification:
    """A ContractAgreementVerificationMessage."""
    found = reading.message(raw, "ContractAgreementVerificationMessage")
    return Verification(found.get("@id"), found["consumerPid"], found["providerPid"], raw)


def read_event(raw: bytes) -> Event:
    """A ContractNegotiationEventMessage."""
    found = reading.message(raw, "ContractNegotiationEventMessage")
    return Event(found.get("@id"), found["consumerPid"], found["providerPid"], found["eventType"], raw)


def read_termination(raw: bytes) -> Termination:
    """A ContractNegotiationTerminationMessage."""
    found = reading.message(raw, "ContractNegotiationTerminationMessage")
    return Termination(found.get("@id"), found["consumerPid"], found["providerPid"], found, raw)


def request(consumer_pid: str, callback: str, offer: Json, *, study: str | None, permit: str | None) -> Json:
    """The first request. `offer` carries its target; study and permit travel beside the rules, not in them."""
    members = {
        "consumerPid": consumer_pid,
        "callbackAddress": callback,
        "offer": offer,
        terms.STUDY: study,
        terms.PERMIT: permit,
    }
    return writing.message("ContractRequestMessage", **members)


def counter_request(consumer_pid: str, provider_pid: str, offer: Json) -> Json:
    """C asks for something else than P offered."""
    return writing.message("ContractRequestMessage", consumerPid=consumer_pid, providerPid=provider_pid, offer=offer)


def first_offer(provider_pid: str, callback: str, offer: Json, *, study: str | None) -> Json:
    """P offers what nobody asked for yet."""
    members = {"providerPid": provider_pid, "callbackAddress": callback, "offer": offer, terms.STUDY: study}
    return writing.message("ContractOfferMessage", **members)


def counter_offer(consumer_pid: str, provider_pid: str, offer: Json) -> Json:
    """P offers something else than C asked for."""
    return writing.message("ContractOfferMessage", consumerPid=consumer_pid, providerPid=provider_pid, offer=offer)


def agreement(consumer_pid: str, provider_pid: str, policy: Json) -> Json:
    """P's yes."""
    return writing.message(
        "ContractAgreementMessage", consumerPid=consumer_pid, providerPid=provider_pid, agreement=policy
    )


def verification(consumer_pid: str, provider_pid: str) -> Json:
    """C's counter-check."""
    return writing.message("ContractAgreementVerificationMessage", consumerPid=consumer_pid, providerPid=provider_pid)


def event(consumer_pid: str, provider_pid: str, name: Literal["ACCEPTED", "FINALIZED"]) -> Json:
    """C accepts, or P finalises."""
    return writing.message(
        "ContractNegotiationEventMessage", consumerPid=consumer_pid, providerPid=provider_pid, eventType=name
    )


def termination(consumer_pid: str, provider_pid: str, refusal: Refusal, words: str | None = None) -> Json:
    """The end, with its reason; `words`: what one of our people says to theirs, before anything else."""
    return writing.message(
        "ContractNegotiationTerminationMessage",
        consumerPid=consumer_pid,
        providerPid=provider_pid,
        **writing.explained(refusal, words),
    )
