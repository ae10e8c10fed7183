"""May this be agreed? Gathers the facts of the gate `negotiate`, about the consumer, on either side."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.policy.service import Policies
from connector.rights import facts, peers
from connector.rights.model import PermitRow
from connector.rights.service import Rights
from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.compare import Difference, compare
from vocab.odrl.model import Policy
from vocab.profile import Gate

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deal:
    """What is to be agreed: both policies side by side, and what both parties bring."""

    provider: str
    consumer: str
    dataset: Json | None
    permit: PermitRow | None
    known: Policy  # what we offered, or asked for
    given: Policy  # what the peer sent


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate's answer with what it leaned on, as a grant keeps it."""

    decision: Decision
    differences: tuple[Difference, ...]
    leans: Json

    def refusal(self) -> Refusal | None:
        """Why not; None for a yes. Changed clauses are named one by one."""
        if self.decision.allow:
            return None
        first = self.decision.refusal()
        return changed(self.differences) if first.code == "offer-changed" else first


async def judged(runtime: Runtime, deal: Deal) -> Judgement:
    """Asks the gate, in a thread."""
    rights, policies, now = runtime.get(Rights).demand(), runtime.get(Policies), runtime.now()
    differences = (*compare(deal.known, deal.given), *_parties(deal))
    provider = peers.party(runtime, deal.provider)
    given = {
        "party": peers.party(runtime, deal.consumer),
        "provider": {"active": provider is not None and provider["active"]},
        "standing": facts.standing(rights, now),
        "revision": facts.revision(rights, policies.revision),
        "dataset": deal.dataset,
        "permit": facts.permit(deal.permit, rights),
        "offer": {"differences": [one.to_json() for one in differences]},
    }
    request = {"action": terms.USE}

    def ask() -> Decision:
        return policies.decide(Gate.NEGOTIATE, policy=deal.given, request=request, facts=given, now=now)

    decision = await asyncio.to_thread(ask)
    leans = {"gate": Gate.NEGOTIATE.value, "policy": deal.given.to_json(), "request": request, "facts": given}
    return Judgement(decision, differences, leans)


def changed(differences: tuple[Difference, ...]) -> Refusal:
    """The refusal that names each changed clause, as it was and as it is."""
    was = "; ".join(f"{one.path}: {one.was or '–'}" for one in differences)
    now = "; ".join(f"{one.path}: {one.now or '–'}" for one in differences)
    return Refusal("offer-changed", rule="offer.differences", needed=was, seen=now)


def permit_of(session: Session, permit: str | None, study: str | None, consumer: str, dataset: str) -> PermitRow | None:
    """The permit that a request leans on: the one it names, or the only one of that party for that dataset.

    Raises `Refusal("study-ambiguous")` when the request names neither study nor permit and several could be meant.
    """
    if permit is not None:
        row = session.get(PermitRow, permit)
        return row if row is not None and study in (None, row.study) else None
    query = select(PermitRow) if study is None else select(PermitRow).where(PermitRow.study == study)
    rows = [row for row in session.exec(query) if _covers(row, consumer, dataset)]
    if study is not None:
        return max(rows, key=lambda row: row.received_at, default=None)
    if len(rows) > 1:
        raise Refusal("study-ambiguous", dataset=dataset, seen=len(rows))
    return rows[0] if rows else None


def _covers(row: PermitRow, consumer: str, dataset: str) -> bool:
    return row.fields["applicant"] == consumer and dataset in {one["id"] for one in row.fields["datasets"]}


def _parties(deal: Deal) -> list[Difference]:
    """Parties that the peer's policy names, where they are not the two that talk."""
    named = (("assigner", deal.provider, deal.given.assigner), ("assignee", deal.consumer, deal.given.assignee))
    return [Difference(name, who, given) for name, who, given in named if given not in (None, who)]
