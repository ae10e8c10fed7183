"""Before a consumer asks: what the provider's catalogue shows us of a dataset now, or why it shows nothing."""

from dataclasses import dataclass
from typing import Any, Final

from connector.identity.service import ask
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.rights import peers
from vocab import terms
from vocab.errors import Refusal
from vocab.messages import catalogue, problems
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import with_target

Json = dict[str, Any]

_LEGAL_BASIS: Final = terms.iri("dpv:hasLegalBasis")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider's catalogue showed us of a dataset, and the offer that we ask for."""

    provider: str
    address: str
    dataset: str
    facts: Json | None
    offer: Json


async def look(
    runtime: Runtime,
    provider: str,
    dataset: str,
    study: str | None,
    offer: Json | None = None,
    *,
    public: bool = False,
) -> Asked:
    """What there is to ask for. `public`: one of our people says that the data are, where the catalogue says nothing.

    Raises `Refusal`: not-a-member, peer-unreachable, dataset-unknown, or why it is withheld.
    """
    address = peers.address(runtime, provider)
    if address is None:
        raise Refusal("not-a-member", rule="provider", seen=provider, study=study)
    shown = await _shown(runtime, provider, address, dataset)
    if offer is None:
        if shown is None:
            raise await _why_not(runtime, provider, address, dataset)
        offer = {name: value for name, value in shown["hasPolicy"][0].items() if name != catalogue.LATER}
    wanted = with_target(offer, dataset)
    normalise(wanted)
    return Asked(provider, address, dataset, facts(dataset, shown, public=public), wanted)


def facts(dataset: str, shown: Json | None, *, public: bool = False) -> Json:
    """What our own gate is told of the dataset, from its published description."""
    basis = [one["@id"] for one in _nodes(shown, _LEGAL_BASIS) if isinstance(one.get("@id"), str)]
    access = {one.get("@id") for one in _nodes(shown, terms.ACCESS_RIGHTS)}
    non_public = access != {terms.PUBLIC} if access else not public
    return {"id": dataset, "legal_basis": basis or None, "non_public": non_public}


async def described(runtime: Runtime, provider: str, dataset: str) -> Json:
    """The same for a dataset that was offered to us without our asking."""
    address = peers.address(runtime, provider)
    return facts(dataset, await _shown(runtime, provider, address, dataset) if address else None)


def _nodes(shown: Json | None, name: str) -> list[Json]:
    given = (shown or {}).get(name) or []
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, dict)]


async def _shown(runtime: Runtime, provider: str, address: str, dataset: str) -> Json | None:
    """The dataset as the provider's catalogue shows it to us now; None where it does not."""
    try:
        answer = await ask(runtime, "GET", f"{address}/catalog/datasets/{dataset}", provider)
    except Unreachable as error:
        raise Refusal("peer-unreachable", peer=provider, why=error.why) from None
    if answer.status == 404:
        return None
    if not answer.ok or not isinstance(answer.body, dict) or not answer.body.get("hasPolicy"):
        raise problems.said(answer.body, answer.status).refusal()
    return answer.body


async def _why_not(runtime: Runtime, provider: str, address: str, dataset: str) -> Refusal:
    """Why the provider's catalogue does not show us the dataset: its own reason, if it withholds it."""
    try:
        answer = await ask(runtime, "POST", f"{address}/catalog/request", provider, json=catalogue.request())
    except Unreachable as error:
        return Refusal("peer-unreachable", peer=provider, why=error.why)
    given = answer.body.get(catalogue.WITHHELD) if answer.ok and isinstance(answer.body, dict) else None
    rows = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    found = next((one for one in rows if one.get("dataset") == dataset), None)
    if found is None:
        return Refusal("dataset-unknown", dataset=dataset)
    reason = found.get("reason")
    words = str(reason.get("ko", "–")) if isinstance(reason, dict) else "–"
    needed, seen = (None if found.get(name) is None else str(found[name]) for name in ("needed", "seen"))
    return problems.Said(str(found.get("code")), words, "catalog", needed, seen).refusal()
