"""Writes messages as DSP 2025-1 wants them: the DSP context alone, `@type` on every nested node, lists always lists."""

import uuid
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal, render

Json = dict[str, Any]

#: Values of a refusal that travel to the peer beside code and reason, under our own names.
_SHOWN: Final = ("rule", "needed", "seen")


def message(kind: str, **members: Any) -> Json:
    """A message of type `kind` with a fresh id; members that are None are left out."""
    given = {name: value for name, value in members.items() if value is not None}
    return {"@context": [terms.DSP_CONTEXT], "@id": uuid.uuid4().urn, "@type": kind, **given}


def state(kind: str, consumer_pid: str, provider_pid: str, name: str) -> Json:
    """The state of a process: `ContractNegotiation` or `TransferProcess`."""
    pids = {"consumerPid": consumer_pid, "providerPid": provider_pid}
    return {"@context": [terms.DSP_CONTEXT], "@type": kind, **pids, "state": name}


def problem(kind: str, refusal: Refusal, *, consumer_pid: str | None = None, provider_pid: str | None = None) -> Json:
    """A typed error: our code, the sentence in both languages, and rule, needed and seen for peers of this space."""
    pids = (
        {}
        if kind == "CatalogError"
        else {"consumerPid": consumer_pid or "unknown", "providerPid": provider_pid or "unknown"}
    )
    return {"@context": [terms.DSP_CONTEXT], "@type": kind, **pids, **explained(refusal)}


def explained(refusal: Refusal, words: str | None = None) -> Json:
    """The members `code` and `reason` of an error or termination, with ours. `words`: a person's own, said first."""
    sentences = [render(refusal, language) for language in ("ko", "en")]
    shown = {
        terms.iri(f"med:{name}"): str(value)[:1000] for name in _SHOWN if (value := getattr(refusal, name)) is not None
    }
    said = [*([words] if words else []), *(f"{one.what} {one.do}" for one in sentences)]
    return {"code": refusal.code, "reason": said, **shown}
