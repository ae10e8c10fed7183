"""A study's snapshot: cut by one person, looked through for leaks, accepted by another, frozen by its digest."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.service import author
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.erase import erase
from connector.kit.leaks import Findings
from connector.kit.runtime import Runtime
from connector.rights.service import Rights, Standing, permit_for
from connector.sources import cut as cutting
from connector.sources import files, leaks, records
from connector.sources.model import PseudonymKey, Snapshot, Source
from connector.sources.profile import KR_MED_1, Profile, read
from connector.web.people import Person
from vocab.errors import Refusal
from vocab.records.application import LONGEST
from vocab.records.envelope import signed
from vocab.records.permit import Permit

Json = dict[str, Any]

#: What erases a snapshot that no closing study has erased by then: the offers' duty to delete (ms after the permit).
ENDS: Final = "snapshot-ends"
DELETED_WITHIN: Final = 5 * 24 * 3600 * 1000
#: Nobody can record an opt-out yet. When they can, their patient ids stand here.
_OPT_OUTS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cut needs to know, read from this node's own records."""

    study: str
    dataset: str
    source: str
    profile: Profile
    columns: tuple[str, ...]
    permit: Permit
    permitted: tuple[str, ...]


async def cut(
    runtime: Runtime,
    person: Person,
    *,
    study: str,
    dataset: str,
    columns: Sequence[str] | None = None,
    profile: Json | None = None,
) -> Snapshot:
    """Cuts the snapshot of `dataset` for `study`: by default all columns of the permit, under `kr-med-1`.

    One that was cut before and not accepted is replaced. Raises `Refusal`: no-permit, expired, standing-stale,
    source-unknown, pseudonym-key-missing, snapshot-exists, leak-found, and what profile and cut refuse.
    """
    chosen = KR_MED_1 if profile is None else read(profile)
    plan = await runtime.store.read(lambda session: _plan(session, runtime, study, dataset, columns, chosen))
    folder, now, snapshot_id = runtime.settings.folder, runtime.now(), str(uuid.uuid4())
    where = files.snapshot(folder, snapshot_id)
    try:
        made, findings = await asyncio.to_thread(_make, folder, where, plan, now)
        row = _row(snapshot_id, plan, made, findings, person.id, now)
        replaced = await runtime.store.run(lambda unit: _keep(unit, runtime, row))
    except BaseException:
        await asyncio.to_thread(erase, where)
        raise
    for old in replaced:
        await asyncio.to_thread(erase, files.snapshot(folder, old))
    return row


async def accept(runtime: Runtime, person: Person, snapshot_id: str) -> Snapshot:
    """A second person accepts: from here on it may be agreed on. The record is signed, logged, and registered.

    Raises `Refusal`: same-person, duty-missing, snapshot-changed, not-found, no-permit, expired.
    """
    row = await runtime.store.read(lambda session: found(session, snapshot_id))
    if row.made_by == person.id:
        raise Refusal("same-person", person=person.id, rule="accepted_by", study=row.study)
    if "acceptor" not in person.duties:
        raise Refusal("duty-missing", needed=["acceptor"], seen=sorted(person.duties))
    await asyncio.to_thread(files.demand_unchanged, files.snapshot(runtime.settings.folder, row.id), row.parts)
    return await runtime.store.run(lambda unit: _accept(unit, runtime, person, snapshot_id))


async def recheck(runtime: Runtime, person: Person, snapshot_id: str) -> Json:
    """Cuts it again, compares, and throws the second one away.

    Raises `Refusal("snapshot-changed")` when the digest does not repeat, and what a cut refuses.
    """
    row = await runtime.store.read(lambda session: found(session, snapshot_id))
    folder = runtime.settings.folder
    plan = await runtime.store.read(
        lambda session: _plan(session, runtime, row.study, row.dataset, row.columns, read(row.document["profile"]))
    )
    again = files.snapshot(folder, f"{row.id}.again-{uuid.uuid4()}")
    try:
        made = await asyncio.to_thread(_cut, folder, again, plan, runtime.now())
    finally:
        await asyncio.to_thread(erase, again)
    if made.digest != row.digest:
        raise Refusal("snapshot-changed", what=row.dataset, needed=row.digest, seen=made.digest, study=row.study)
    await runtime.store.run(
        lambda unit: journal.record(
            unit, "snapshot-repeats", now=runtime.now(), study=row.study, by=person.id, dataset=row.dataset
        )
    )
    return {"digest": row.digest, "again": made.digest, "repeats": True}


def found(session: Session, snapshot_id: str) -> Snapshot:
    """The snapshot with this id. Raises `Refusal("not-found")`, also for one that is destroyed."""
    row = session.get(Snapshot, snapshot_id)
    if row is None or row.destroyed_at is not None:
        raise Refusal("not-found", what=snapshot_id)
    return row


def snapshot_for(session: Session, study: str, dataset: str) -> Snapshot | None:
    """The study's snapshot of a dataset: the accepted one, else the one that waits for acceptance."""
    query = select(Snapshot).where(
        Snapshot.study == study, Snapshot.dataset == dataset, col(Snapshot.destroyed_at).is_(None)
    )
    rows = sorted(session.exec(query), key=lambda row: (row.accepted, row.made_at))
    return rows[-1] if rows else None


def _plan(
    session: Session, runtime: Runtime, study: str, dataset: str, columns: Sequence[str] | None, profile: Profile
) -> Plan:
    standing = runtime.get(Rights).demand()
    permit = permitted(session, standing, runtime.did, study, dataset, runtime.now())
    source = session.get(Source, dataset)
    if source is None:
        raise Refusal("source-unknown", dataset=dataset, study=study)
    if session.get(PseudonymKey, study) is None:
        raise Refusal("pseudonym-key-missing", study=study)
    covered = permit.dataset(dataset)
    allowed = covered.columns if covered else ()
    wanted = tuple(columns) if columns is not None else allowed
    return Plan(study, dataset, source.file, profile, wanted, permit, allowed)


def permitted(session: Session, standing: Standing, did: str, study: str, dataset: str, now: int) -> Permit:
    """The permit under which this hospital may cut `dataset` for `study` now."""
    row = permit_for(session, study, dataset)
    if not standing.fresh(now):
        raise Refusal("standing-stale", rule="standing.fresh", needed=True, seen=False, study=study)
    if row is None:
        raise Refusal("no-permit", rule="permit", needed=dataset, study=study)
    permit = Permit.read(row.fields)
    covered, state = permit.dataset(dataset), standing.permit_state(permit.id)
    if covered is None or covered.provider != did:
        raise Refusal("no-permit", rule="permit.datasets", needed=did, seen=covered and covered.provider, study=study)
    if permit.until <= now or state == "ended":
        raise Refusal("expired", rule="permit.until", needed=permit.until, seen=now, study=study)
    if state != "active" or now < permit.begins:
        raise Refusal("no-permit", rule="permit.state", needed="active", seen=state or "unlisted", study=study)
    return permit


def _make(folder: Path, where: Path, plan: Plan, now: int) -> tuple[cutting.Snapshot, Findings]:
    """Cuts into `where` and looks at every file for every identifier of the source. In a thread."""
    made = _cut(folder, where, plan, now)
    try:
        found = leaks.scan_snapshot(files.source(folder, plan.source), [where / part.file for part in made.parts])
        return made, leaks.accepted(found)
    except Refusal as refusal:
        refusal.values.setdefault("study", plan.study)
        raise


def _cut(folder: Path, where: Path, plan: Plan, now: int) -> cutting.Snapshot:
    try:
        return cutting.cut_snapshot(
            files.source(folder, plan.source),
            where,
            study=plan.study,
            profile=plan.profile,
            columns=plan.columns,
            permitted=plan.permitted,
            opt_outs=_OPT_OUTS,
            key=files.pseudonym_key(folder, plan.study),
            now=now,
        )
    except Refusal as refusal:
        refusal.values.setdefault("study", plan.study)
        raise


def _row(snapshot_id: str, plan: Plan, made: cutting.Snapshot, findings: Findings, person: str, now: int) -> Snapshot:
    document = made.document()
    return Snapshot(
        id=snapshot_id,
        study=plan.study,
        permit=plan.permit.id,
        dataset=plan.dataset,
        digest=made.digest,
        parts={part["name"]: part for part in document.pop("parts")},
        columns=list(made.columns),
        rows=made.rows,
        patients=made.patients,
        k=made.k,
        deid_profile=plan.profile.name,
        document=document,
        scan=findings.document(),
        made_by=person,
        made_at=now,
    )


def _keep(unit: Unit, runtime: Runtime, row: Snapshot) -> list[str]:
    """Keeps the new snapshot; returns the ids of those that it replaces."""
    now = runtime.now()
    permit = permitted(unit.session, runtime.get(Rights).demand(), runtime.did, row.study, row.dataset, now)
    earlier = unit.session.exec(
        select(Snapshot).where(
            Snapshot.study == row.study, Snapshot.dataset == row.dataset, col(Snapshot.destroyed_at).is_(None)
        )
    ).all()
    if taken := next((one for one in earlier if one.accepted), None):
        raise Refusal("snapshot-exists", dataset=row.dataset, snapshot=taken.id, study=row.study)
    for one in earlier:
        one.destroyed_at = now
    unit.session.add(Snapshot(**row.model_dump()))
    ends_at = permit.until + DELETED_WITHIN
    outbox.promise(
        unit,
        f"snapshot {row.id}",
        ENDS,
        {"snapshot": row.id},
        now=now,
        study=row.study,
        due_at=ends_at,
        deadline_at=ends_at + LONGEST,  # however long this node was away, the end is not forgotten
    )
    journal.record(
        unit,
        "snapshot-cut",
        now=now,
        study=row.study,
        by=row.made_by,
        dataset=row.dataset,
        patients=row.patients,
        suppressed=row.document["suppressed"],
        k=row.k,
    )
    return [one.id for one in earlier]


def _accept(unit: Unit, runtime: Runtime, person: Person, snapshot_id: str) -> Snapshot:
    row, now = found(unit.session, snapshot_id), runtime.now()
    if row.accepted:
        return row
    standing = runtime.get(Rights).demand()
    permit = permitted(unit.session, standing, runtime.did, row.study, row.dataset, now)
    row.accepted, row.accepted_by, row.accepted_at = True, person.id, now
    body = records.deidentification(row, runtime.did)
    row.record = signed(body, runtime.did, runtime.keys.sign)
    unit.session.merge(
        records.register_row(row, permit, _named(standing, permit.applicant), _named(standing, permit.zone))
    )
    author(
        unit,
        runtime,
        "snapshot",
        about=row.digest,
        subject=records.subject(row, body),
        payload=body,
        counterparty=None,
        study=row.study,
    )
    journal.record(
        unit, "snapshot-accepted", now=now, study=row.study, by=person.id, dataset=row.dataset, digest=row.digest
    )
    return row


def _named(standing: Standing, did: str) -> str:
    member = standing.member(did)
    return f"{member.name.ko} ({did})" if member else did
