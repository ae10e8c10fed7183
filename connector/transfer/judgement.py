"""May this data go there, may this key be given? Gathers a provider's facts for the gates `transfer` and `submit`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from connector.datasets.model import Dataset
from connector.datasets.service import dataset_facts
from connector.identity.service import ask
from connector.kit.runtime import Runtime
from connector.negotiation import service as negotiation
from connector.negotiation.model import Agreement
from connector.policy.decisions import Decision
from connector.policy.service import Policies
from connector.rights import facts, peers
from connector.rights.model import PermitRow
from connector.rights.relay import relayed
from connector.rights.service import Rights
from connector.sources.model import Snapshot
from connector.sources.service import snapshot_for
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.profile import Gate
from vocab.records.envelope import opened

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What this node's own records say of an agreement of ours."""

    agreement: Agreement
    permit: PermitRow | None
    snapshot: Snapshot | None
    dataset: Json | None
    proven: Json | None

    @property
    def public(self) -> bool:
        """Whether the data are, in so many words."""
        return self.dataset is not None and self.dataset["non_public"] is False

    @property
    def zone(self) -> str | None:
        """The zone that the permit names."""
        return None if self.permit is None else str(self.permit.fields["zone"])


@dataclass(frozen=True, slots=True)
class Judgement:
    """A gate's answer with what it leaned on, as a grant keeps it."""

    decision: Decision
    leans: Json

    def demand(self) -> None:
        """Raises the refusal of a no."""
        if not self.decision.allow:
            raise self.decision.refusal()


def given(session: Session, agreement_id: str, consumer: str | None = None) -> Given:
    """What we know of an agreement as its provider. Raises `Refusal("no-agreement")`, also for another's."""
    row = negotiation.agreement(session, agreement_id)
    if row.side != "provider" or consumer not in (None, row.consumer):
        raise Refusal("no-agreement", rule="agreement.consumer", seen=agreement_id)
    return Given(
        row,
        session.get(PermitRow, row.permit) if row.permit else None,
        snapshot_for(session, row.study, row.dataset) if row.study else None,
        dataset_facts(session.get(Dataset, row.dataset)),
        negotiation.agreement_facts(session, row.id),
    )


async def about_zone(runtime: Runtime, did: str) -> Json:
    """What the zone says of itself now, under its signature. Raises `Unreachable`, or its refusal."""
    standing = runtime.get(Rights).demand()
    member = standing.member(did)
    if member is None:
        raise Refusal("not-a-member", rule="zone", seen=did)
    answer = await ask(runtime, "GET", f"{member.url.rstrip('/')}/zone", did)
    if not answer.ok:
        raise relayed(answer)
    if not isinstance(answer.body, dict):
        raise Refusal("envelope-invalid", why="zone")
    body = opened(answer.body, "zone", {did: standing.keys[did]}, did)
    until = body.get("valid_until")
    if body.get("zone") != did or not isinstance(until, int) or until <= runtime.now():
        raise Refusal("envelope-invalid", why="valid_until")
    return body


async def judged(
    runtime: Runtime, gate: Gate, found: Given, request: Json, walls: object, more: Mapping[str, Any]
) -> Judgement:
    """Asks the gate, in a thread. `more`: the facts that this gate wants beside the common ones."""
    standing, policies, now = runtime.get(Rights).demand(), runtime.get(Policies), runtime.now()
    level = walls if isinstance(walls, str) else None
    zone = facts.zone(standing, found.zone, level) if found.zone else None
    known = {
        "party": peers.party(runtime, found.agreement.consumer),
        "standing": facts.standing(standing, now),
        "revision": facts.revision(standing, policies.revision),
        "dataset": found.dataset,
        "permit": facts.permit(found.permit, standing),
        "agreement": found.proven,
        "snapshot": snapshot_facts(found.snapshot),
        "zone": zone,
        **{name: value for name, value in more.items() if name != "zone"},
    }
    if zone is not None and "zone" in more:
        known["zone"] = {**zone, **more["zone"]}
    policy = Policy.from_json(found.agreement.policy)

    def decide() -> Decision:
        return policies.decide(gate, policy=policy, request=request, facts=known, now=now)

    decision = await asyncio.to_thread(decide)
    leans = {"gate": gate.value, "policy": found.agreement.policy, "request": request, "facts": known}
    return Judgement(decision, leans)


def snapshot_facts(row: Snapshot | None) -> Json | None:
    """What the gates are told of a snapshot; None when there is none (any more)."""
    if row is None:
        return None
    return {"digest": row.digest, "k": row.k, "accepted": row.accepted, "stopped": row.stopped}


def still(session: Session, found: Given) -> None:
    """In a unit: what a decision leaned on is as it was. Raises `Refusal("changed-meanwhile")`."""
    now = given(session, found.agreement.id)
    for what, was, seen in (
        ("agreement", found.agreement.state, now.agreement.state),
        ("snapshot", snapshot_facts(found.snapshot), snapshot_facts(now.snapshot)),
    ):
        if was != seen:
            raise Refusal("changed-meanwhile", what=what, study=found.agreement.study)
