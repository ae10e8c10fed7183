"""What the operator says arrives here: the standing list and permits. Both prove themselves by signature and number."""

from typing import Any

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.rights import grants
from connector.rights.current import Rights
from connector.rights.grants import Ended, Thing
from connector.rights.model import DelegationRow, PermitRow, StandingRow, VetoRow
from connector.rights.standing import Standing, read
from vocab.errors import Refusal
from vocab.records.application import LONGEST
from vocab.records.decision import recounted
from vocab.records.envelope import digest, opened
from vocab.records.permit import Permit, verified


async def accept_standing(runtime: Runtime, envelope: dict[str, Any]) -> Standing:
    """A standing list takes effect: what leaned on a right that it ends is stopped in the same unit.

    The pinned key of the operator is its authentication. Raises `Refusal("standing-rolled-back")` for a lower number,
    `standing-forked` for another list under the same number, `standing-invalid`, `signature-invalid`.
    """
    found = _opened(runtime, envelope)
    rights = runtime.get(Rights)
    ended = _ended(rights.standing, found) if rights.standing is not None else []
    now = runtime.now()

    def decided(session: Session) -> list[tuple[Ended, dict[Thing, Decision]]]:
        return [(one, grants.held(runtime, found, session, one, now)) for one in ended]

    decisions = await runtime.store.read(decided) if ended else []

    def accept(unit: Unit) -> bool:
        newest = latest(unit.session)
        if newest is not None and newest.seq > found.seq:
            raise Refusal("standing-rolled-back", needed=newest.seq, seen=found.seq)
        if newest is not None and newest.seq == found.seq:
            if digest(newest.envelope["body"]) != digest(envelope["body"]):
                raise Refusal("standing-forked", seen=found.seq)
            return False
        unit.session.add(StandingRow(seq=found.seq, envelope=envelope, received_at=now))
        for one, verdicts in decisions:
            go_on = [thing for thing, decision in verdicts.items() if decision.allow]
            grants.right_ended(unit, runtime, why=one.why, permit=one.permit, member=one.member, go_on=go_on)
        return True

    if await runtime.store.run(accept):
        rights.heard(runtime)
    rights.adopt(runtime, found)
    return found


async def accept_permit(runtime: Runtime, jws: str, decision: dict[str, Any]) -> Permit:
    """A permit that concerns this node is kept, with the decision that it rests on, counted again.

    Raises `Refusal("permit-invalid")`, `decision-invalid`, `permit-elsewhere`; at a provider also `not-delegated` and
    `veto`: the board cannot permit what the hospital never gave into its hands, or refused.
    """
    rights = runtime.get(Rights)
    standing = rights.demand()
    operator = standing.member(standing.operator)
    if operator is None:
        raise Refusal("standing-invalid", why="operator")
    permit = verified(jws, operator.did, bytes.fromhex(operator.keys.token))
    body = opened(decision, "decision", {operator.did: standing.keys[operator.did]}, operator.did)
    if digest(body) != permit.decision_digest or body.get("outcome") != "approved":
        raise Refusal("permit-invalid", why="decision_digest", needed=permit.decision_digest, seen=digest(body))
    recounted(body)
    if runtime.did not in (permit.applicant, permit.zone, *permit.providers):
        raise Refusal("permit-elsewhere", permit=permit.id)

    def accept(unit: Unit) -> None:
        kept = unit.session.get(PermitRow, permit.id)
        if kept is not None:
            if kept.jws != jws:
                raise Refusal("permit-invalid", why="id", seen=permit.id)
            return
        _demand_delegated(unit.session, permit, runtime.did)
        now = runtime.now()
        row = PermitRow(
            id=permit.id,
            study=permit.study,
            jws=jws,
            fields=permit.claims(),
            decision=decision,
            until=permit.until,
            received_at=now,
        )
        unit.session.add(row)
        journal.record(
            unit,
            "permit-received",
            now=now,
            study=permit.study,
            by=operator.did,
            datasets=[one.id for one in permit.datasets],
            until=permit.until,
        )
        outbox.promise(
            unit,
            f"permit {permit.id}",
            "permit-lapses",
            {"permit": permit.id},
            now=now,
            study=permit.study,
            due_at=max(permit.until, now),
            deadline_at=permit.until + LONGEST,  # however long this node was away, the end is not forgotten
        )
        for call in rights.on_permit:
            call(unit, row)

    await runtime.store.run(accept)
    return permit


def latest(session: Session) -> StandingRow | None:
    """The newest standing list that this node accepted."""
    return session.exec(select(StandingRow).order_by(col(StandingRow.seq).desc()).limit(1)).first()


def _opened(runtime: Runtime, envelope: dict[str, Any]) -> Standing:
    authority = runtime.settings.authority
    pinned = bytes.fromhex(authority.key)
    found = read(opened(envelope, "standing", {authority.did: pinned}, authority.did))
    if found.operator != authority.did or found.keys.get(authority.did) != pinned:
        raise Refusal("standing-invalid", why="operator")
    return found


def _ended(old: Standing, new: Standing) -> list[Ended]:
    """The rights that the newer list ends."""
    permits = [
        Ended(why="expired" if new.permit_state(permit) == "ended" else "permit-suspended", permit=permit)
        for permit, state in old.permits.items()
        if state != new.permit_state(permit) and state != "ended" and new.permit_state(permit) != "active"
    ]
    members = [
        Ended(why="not-a-member", member=member.did)
        for member in old.members
        if member.active and not new.active(member.did)
    ]
    return permits + members


def _demand_delegated(session: Session, permit: Permit, did: str) -> None:
    """Raises unless everything of ours in the permit was delegated by us and not vetoed."""
    for dataset in (one.id for one in permit.datasets if one.provider == did):
        delegations = session.exec(select(DelegationRow)).all()
        if not any(
            dataset in row.datasets and row.since <= permit.begins and permit.begins < row.until for row in delegations
        ):
            raise Refusal("not-delegated", dataset=dataset)
        if session.get(VetoRow, (permit.study, dataset)) is not None:
            raise Refusal("veto", dataset=dataset, why="–")
