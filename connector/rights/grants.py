"""Grants: whoever starts something that leans on a right says so here, and hears when the right ends.

A fact that ends a right selects grants by index, `hold` decides again, the outbox promises `stop`, and the room that
owns the kind performs it (handler `stop:<kind>`). So this room reaches every other one and imports none.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import String, cast, text
from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.policy.service import Policies
from connector.rights import facts
from connector.rights.current import Rights
from connector.rights.model import Grant, GrantParty, PermitRow, StandingRow
from connector.rights.standing import Standing
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.profile import Gate

#: Ends of a right that may be undone: what only rests on it stays, what acts on it stops.
UNDONE: Final = frozenset({"permit-suspended", "not-a-member"})
#: Kinds of grants that hold the permit lease.
LEASED: Final = ("task",)
#: The list in force, as it is stored.
_IN_FORCE: Final = select(cast(StandingRow.envelope, String)).order_by(col(StandingRow.seq).desc()).limit(1)
_PARTY: Final = text("insert into grant_parties (kind, id, did) values (:kind, :id, :did) on conflict do nothing")
#: A thing that leans on rights: its kind and its id.
Thing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """A fact that ends rights: of a permit, a member (DID), a snapshot (digest) or an agreement. `why` is a code."""

    why: str
    permit: str | None = None
    member: str | None = None
    snapshot: str | None = None
    agreement: str | None = None


def grant(
    unit: Unit,
    *,
    kind: str,
    id: str,  # noqa: A002 - the word that the stop handlers use
    study: str | None,
    parties: Collection[str],
    revision: str,
    valid_until: int,
    now: int,
    permit: str | None = None,
    agreement: str = "",
    snapshot: str | None = None,
    leans: Mapping[str, Any] | None = None,
) -> Grant:
    """Notes what is about to start and leans on these rights. Said twice, it is noted once.

    `parties`: the DIDs whose membership it needs. `leans`: {"gate", "policy", "request", "facts"} of the decision that
    allowed it. Raises `Refusal("changed-meanwhile")` when a right ended since that decision, `Refusal("expired")`.
    """
    kept = unit.session.get(Grant, (kind, id, agreement))
    if kept is not None:
        return kept
    if valid_until <= now:
        raise Refusal("expired", rule="valid_until", needed=valid_until, seen=now)
    _still_standing(unit, permit, parties)
    row = Grant(
        kind=kind,
        id=id,
        agreement=agreement,
        study=study,
        permit=permit,
        snapshot=snapshot,
        revision=revision,
        valid_until=valid_until,
        leans=dict(leans or {}),
        granted_at=now,
    )
    unit.session.add(row)
    unit.session.flush()
    if parties:
        named = [{"kind": kind, "id": id, "did": did} for did in sorted(set(parties))]
        unit.session.connection().execute(_PARTY, named)
    if kind in LEASED:  # a lease begins: the operator is asked at once, not when the slow sweep would have come round
        outbox.hasten(unit, "standing-sweep", now)
    return row


def end_grant(unit: Unit, *, kind: str, id: str, now: int) -> None:  # noqa: A002
    """What leaned on rights is over: nothing needs to be stopped any more."""
    for row in unit.session.exec(select(Grant).where(Grant.kind == kind, Grant.id == id, Grant.state != "ended")):
        row.state, row.ended_at = "ended", now


def running(session: Session, *kinds: str) -> list[Grant]:
    """What is under way here, oldest first."""
    query = select(Grant).where(Grant.state == "running").order_by(col(Grant.granted_at), col(Grant.id))
    return list(session.exec(query.where(col(Grant.kind).in_(kinds)) if kinds else query))


def leaning(session: Session, ended: Ended) -> list[Grant]:
    """What is under way and leans on a right that ended."""
    under_way = select(Grant).where(Grant.state == "running")
    found: dict[tuple[str, str, str], Grant] = {}
    for column, value in (
        (Grant.permit, ended.permit),
        (Grant.snapshot, ended.snapshot),
        (Grant.agreement, ended.agreement),
    ):
        if value is not None:
            found |= {(row.kind, row.id, row.agreement): row for row in session.exec(under_way.where(column == value))}
    if ended.member is not None:
        parties = under_way.join(
            GrantParty, (col(GrantParty.kind) == col(Grant.kind)) & (col(GrantParty.id) == col(Grant.id))
        ).where(GrantParty.did == ended.member)
        found |= {(row.kind, row.id, row.agreement): row for row in session.exec(parties)}
    return [found[key] for key in sorted(found)]


def held(runtime: Runtime, standing: Standing, session: Session, ended: Ended, now: int) -> dict[Thing, Decision]:
    """What the gate `hold` says of everything that leaned on the right, each with the facts of now. Before the unit.

    A thing that leans on several agreements may go on only if every one of its rows may.
    """
    policies = runtime.get(Policies)
    found: dict[Thing, Decision] = {}
    for row in leaning(session, ended):
        thing = (row.kind, row.id)
        if thing in found and not found[thing].allow:
            continue
        leans = row.leans
        policy = leans.get("policy")
        found[thing] = policies.decide(
            Gate.HOLD,
            policy=Policy.from_json(policy) if policy else None,
            request={**leans.get("request", {}), "stage": leans.get("gate")},
            facts=_facts_now(row, ended, session, standing, policies.revision, now),
            now=now,
        )
    return found


def right_ended(
    unit: Unit,
    runtime: Runtime,
    *,
    why: str,
    permit: str | None = None,
    member: str | None = None,
    snapshot: str | None = None,
    agreement: str | None = None,
    go_on: Collection[Thing] = (),
) -> list[Grant]:
    """Stops what leaned on the right: a promise each. `go_on`: what `held` allowed; everything else stops, also what
    was granted meanwhile. While a right is only suspended, what rests on it stays."""
    ended, now = Ended(why, permit, member, snapshot, agreement), runtime.now()
    resting = runtime.get(Rights).resting if why in UNDONE else ()
    stopped: dict[Thing, Grant] = {}
    for row in leaning(unit.session, ended):
        thing = (row.kind, row.id)
        if thing in go_on or row.kind in resting:
            continue
        if thing not in stopped:
            payload = {"kind": row.kind, "id": row.id, "study": row.study, "why": why}
            outbox.promise(unit, f"stop {row.kind} {row.id}", "stop", payload, now=now, study=row.study)
            journal.record(unit, "right-ended", now=now, study=row.study, what=row.kind, id=row.id, why=why)
        stopped[thing] = row
        row.state, row.why = "stopping", why
    for kind, thing_id in stopped:  # the other agreements of the same thing
        for row in unit.session.exec(
            select(Grant).where(Grant.kind == kind, Grant.id == thing_id, Grant.state == "running")
        ):
            row.state, row.why = "stopping", why
    return list(stopped.values())


async def stop(runtime: Runtime, row: Promise) -> Performed:
    """Effect `stop`: hands it to the room that owns the kind, and closes the grant with that room's own unit."""
    kind, thing_id = row.payload["kind"], row.payload["id"]
    handler = runtime.outbox.handlers.get(f"stop:{kind}")
    if handler is None:
        raise TryLater(f"no room here stops {kind}")
    performed = await handler.perform(row)

    def done(unit: Unit) -> None:
        if performed is not None:
            performed(unit)
        end_grant(unit, kind=kind, id=thing_id, now=runtime.now())

    return done


def _facts_now(row: Grant, ended: Ended, session: Session, standing: Standing, ours: str, now: int) -> dict[str, Any]:
    """The facts of the granting gate, with what may have changed since read anew."""
    known: dict[str, Any] = dict(row.leans.get("facts", {}))
    # Each party must be in force, not only the one that asked: about a member that fell out, the gate is asked itself.
    did = ended.member or (known.get("party") or {}).get("did")
    if did is not None:
        known["party"] = facts.party(standing, did)
    known["standing"] = facts.standing(standing, now)
    known["revision"] = facts.revision(standing, ours)
    if row.permit is not None:
        known["permit"] = facts.permit(session.get(PermitRow, row.permit), standing)
    if known.get("zone"):
        known["zone"] = {**known["zone"], "active": standing.active(known["zone"].get("did", ""))}
    if ended.snapshot is not None and row.snapshot == ended.snapshot:
        known["snapshot"] = {**(known.get("snapshot") or {}), "stopped": True}
    if ended.agreement is not None and row.agreement == ended.agreement:
        known["agreement"] = {**(known.get("agreement") or {}), "state": "TERMINATED"}
    return known


def _still_standing(unit: Unit, permit: str | None, parties: Collection[str]) -> None:
    """The list in force, read in this very unit: a right may have ended since the decision."""
    envelope = unit.session.exec(_IN_FORCE).first()
    if envelope is None:
        raise Refusal("standing-missing")
    permits, active = _stands(envelope)
    if permit is not None and permits.get(permit) != "active":
        raise Refusal("changed-meanwhile", what="permit", needed="active", seen=permits.get(permit))
    for did in parties:
        if did not in active:
            raise Refusal("changed-meanwhile", what="member", needed="active", seen=did)


@lru_cache(maxsize=16)
def _stands(envelope: str) -> tuple[Mapping[str, str], frozenset[str]]:
    """The permits' states and the active members, by a list's own text: the same one is read at each grant."""
    body = json.loads(envelope)["body"]
    return body["permits"], frozenset(member["did"] for member in body["members"] if member["state"] == "active")
