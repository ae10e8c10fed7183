"""The staging room: who may put what here, and the ciphertext that lies here. The zone has no key to any of it."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, col, select

from compute.engines.model import LOWEST_FIRST
from compute.engines.service import Engines
from compute.staging.evidence import Agreed, agreed
from compute.staging.model import Slot, StagedObject, Study
from compute.staging.wanted import Wanted
from connector.evidence import journal
from connector.evidence.service import Receipts
from connector.identity.service import Members, spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.policy.service import Policies
from connector.rights.model import PermitRow
from connector.rights.service import Rights, grant, right_ended
from connector.rights.standing import Standing
from vocab.errors import Refusal
from vocab.records.application import LONGEST
from vocab.records.envelope import digest

#: A slot's parts: a training task mounts the first alone.
PARTS: Final = ("train", "holdout")

Json = dict[str, Any]


async def open_slot(runtime: Runtime, by: Caller, wanted: Wanted) -> Json:
    """A slot for the provider's ciphertext; the same again gives a fresh token for what is still missing.

    Raises `Refusal`: no-permit, no-agreement, receipt-incomplete, not-a-provider, zone-below-level, study-closed,
    slot-exists, slot-site-taken.
    """
    try:
        standing = runtime.get(Rights).demand()
        row = await runtime.store.read(lambda session: session.get(PermitRow, wanted.permit))
        permit = _permitted(runtime, standing, row, by.did, wanted)
        evidence = wanted.receipt
        found = agreed(runtime.get(Members), evidence.envelope, evidence.payload, evidence.salt, evidence.proof)
        _same(found, by.did, wanted)
        _high_enough(runtime.get(Engines).demand().capabilities.level, wanted)
        token = secrets.token_urlsafe(32)
        slot = await runtime.store.run(partial(_open, runtime, by, wanted, permit, found, token))
    except Refusal as refusal:
        refusal.values.setdefault("study", wanted.study)
        raise
    staged = [one.part for one in await runtime.store.read(partial(parts, slot=slot)) if one.state == "staged"]
    return {"slot": slot, "token": token, "url": f"{runtime.settings.url}/slots/{slot}", "staged": staged}


def folder(runtime: Runtime, slot: str) -> Path:
    """Where a slot's ciphertext lies."""
    return runtime.settings.folder / "staging" / slot


def parts(session: Session, slot: str) -> list[StagedObject]:
    """The parts of a slot."""
    return list(session.exec(select(StagedObject).where(StagedObject.slot == slot).order_by(col(StagedObject.part))))


def slots(session: Session, study: str | None = None, *, after: str = "", limit: int = 100) -> list[Slot]:
    """The slots given out, by id; of one study, or all."""
    query = select(Slot).where(Slot.id > after).order_by(col(Slot.id)).limit(limit)
    return list(session.exec(query if study is None else query.where(Slot.study == study)))


def study_open(session: Session, study: str) -> Study:
    """The study, if something may still start in it. Raises `Refusal("expired" | "not-staged")`."""
    row = session.get(Study, study)
    if row is None:
        raise Refusal("not-staged", seen=study, study=study)
    if row.state != "open":
        raise Refusal("expired", rule="study.state", needed="open", seen=row.state, study=study)
    return row


def gate_facts(slot: Slot) -> Json:
    """What the gates are told of a slot: its agreement, dataset and snapshot, all from signed evidence."""
    return {
        "dataset": {
            "id": slot.dataset,
            "non_public": True,
            "synthetic": slot.synthetic,
            "min_walls": slot.min_walls,
        },
        "agreement": {
            "id": slot.agreement,
            "provider": slot.provider,
            "consumer": slot.consumer,
            "dataset": slot.dataset,
            "study": slot.study,
            "state": "FINALIZED",
            "receipt_complete": True,
            "snapshot": slot.snapshot,
            "permit": slot.permit,
            "until": slot.until,
        },
        "snapshot": {"digest": slot.snapshot, "k": slot.k, "accepted": True, "stopped": slot.stopped},
    }


async def stop(runtime: Runtime, by: Caller, study: str, agreement: str, snapshot: str, reason: str) -> None:
    """The hospital's Stop: nothing new starts on its data, and what runs on them is killed."""

    def stopped(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        query = select(Slot).where(Slot.study == study, Slot.provider == by.did, Slot.agreement == agreement)
        row = unit.session.exec(query).first()
        if row is None or row.snapshot != snapshot:
            raise Refusal("not-found", what=agreement, study=study)
        if row.stopped:
            return
        row.stopped = True
        now = runtime.now()
        journal.record(unit, "provider-stop", now=now, study=study, by=by.did, agreement=agreement, reason=reason)
        right_ended(unit, runtime, why="provider-stopped", agreement=agreement, snapshot=snapshot)

    await runtime.store.run(stopped)


def install(runtime: Runtime) -> None:
    """The zone countersigns what hospitals say they staged, when its own objects say the same."""
    runtime.get(Receipts).checks["staging"] = _staging_receipt


def _permitted(runtime: Runtime, standing: Standing, row: PermitRow | None, provider: str, wanted: Wanted) -> PermitRow:
    """The permit, if it says: this provider's dataset, for this consumer's study, in this zone, now."""
    if row is None or row.study != wanted.study or standing.permit_state(row.id) != "active":
        seen = None if row is None else standing.permit_state(row.id)
        raise Refusal("expired" if seen == "ended" else "no-permit", rule="permit.state", needed="active", seen=seen)
    now, fields = runtime.now(), row.fields
    if fields["until"] <= now:
        raise Refusal("expired", rule="permit.until", needed=fields["until"], seen=now)
    covered = next((one for one in fields["datasets"] if one["id"] == wanted.dataset), None)
    if covered is None or fields["applicant"] != wanted.consumer or fields["from"] > now:
        raise Refusal("no-permit", rule="permit.datasets", needed=[one["id"] for one in fields["datasets"]])
    if covered["provider"] != provider or not standing.active(provider):
        raise Refusal("not-a-provider", needed=covered["provider"], by=provider)
    if fields["zone"] != runtime.did:
        raise Refusal("zone-only", rule="permit.zone", needed=fields["zone"], seen=runtime.did)
    return row


def _same(found: Agreed, provider: str, wanted: Wanted) -> None:
    """The receipt is of this very agreement."""
    says = {**found.subject, "provider": found.provider, "consumer": found.consumer}
    asks = {"provider": provider, **wanted.model_dump(include=set(_AGREED))}
    for name, needed in asks.items():
        if says.get(name) != needed:
            raise Refusal("no-agreement", rule=f"agreement.{name}", needed=needed, seen=says.get(name))


_AGREED: Final = ("consumer", "agreement", "dataset", "study", "permit", "snapshot")


def _high_enough(level: str, wanted: Wanted) -> None:
    """Raises `Refusal("zone-below-level")`. The lowest walls take synthetic data only."""
    if LOWEST_FIRST.index(level) < LOWEST_FIRST.index(wanted.min_walls):
        raise Refusal("zone-below-level", rule="zone.walls", needed=wanted.min_walls, seen=level)
    if level == "thin" and not wanted.synthetic:
        raise Refusal("zone-below-level", rule="dataset.synthetic", needed=True, seen=False)


def _open(
    runtime: Runtime,
    by: Caller,
    wanted: Wanted,
    permit: PermitRow,
    found: Agreed,
    token: str,
    unit: Unit,
) -> str:
    now = runtime.now()
    spend(unit, by, now)
    asked, token = digest(wanted.model_dump(exclude={"receipt"})), hashlib.sha256(token.encode()).hexdigest()
    study = unit.session.get(Study, wanted.study)
    if study is not None and study.state != "open":
        raise Refusal("study-closed", seen=study.state)
    kept = unit.session.exec(select(Slot).where(Slot.agreement == wanted.agreement)).first()
    if kept is not None:
        if kept.digest != asked or kept.provider != by.did:
            raise Refusal("slot-exists", what=wanted.agreement)
        kept.token = token
        return kept.id
    query = select(Slot).where(Slot.study == wanted.study, Slot.site == wanted.site)
    if unit.session.exec(query).first() is not None:
        raise Refusal("slot-site-taken", site=wanted.site)
    if study is None:
        study = Study(
            id=wanted.study, permit=permit.id, consumer=wanted.consumer, until=permit.fields["until"], opened_at=now
        )
        unit.session.add(study)
        unit.session.flush()
        _until_permit_ends(unit, study, runtime.get(Policies).revision, now)
    row = Slot(
        id=str(uuid.uuid4()),
        **wanted.model_dump(exclude={"parts", "receipt"}),
        provider=by.did,
        k=found.k,
        until=min(permit.fields["until"], found.subject["until"]),
        policy=found.policy.to_json(),
        receipt=found.receipt,
        digest=asked,
        token=token,
        made_at=now,
    )
    unit.session.add(row)
    unit.session.flush()
    for one in wanted.parts:
        unit.session.add(
            StagedObject(slot=row.id, part=one.name, object=one.object, bytes=one.bytes, sha256=one.sha256)
        )
    journal.record(unit, "slot-opened", now=now, study=row.study, by=by.did, dataset=row.dataset)
    return row.id


def _until_permit_ends(unit: Unit, study: Study, revision: str, now: int) -> None:
    """What lies here leans on the permit: when it ends, the deletion room hears of it, even without the operator."""
    grant(
        unit,
        kind="study",
        id=study.id,
        study=study.id,
        parties=(),
        revision=revision,
        valid_until=study.until,
        now=now,
        permit=study.permit,
    )
    outbox.promise(
        unit,
        f"study-ends {study.id}",
        "study-ends",
        {"study": study.id},
        now=now,
        study=study.id,
        due_at=study.until,
        deadline_at=study.until + LONGEST,
    )


def _staging_receipt(unit: Unit, body: Json, payload: Json) -> None:
    """Compares a hospital's `staging` receipt with what lies here."""
    subject = body["subject"]
    row = unit.session.get(Slot, str(subject.get("slot")))
    if row is None:
        raise Refusal("receipt-disputed", what="slot", seen=subject.get("slot"))
    ours = {name: getattr(row, name) for name in ("agreement", "snapshot", "study", "dataset")}
    here: Sequence[StagedObject] = parts(unit.session, row.id)
    ours["slot"] = row.id
    ours["parts"] = _listed([(one.part, one.object, one.bytes, one.sha256) for one in here])
    said = {**subject, "parts": sorted(subject.get("parts", []), key=lambda one: str(one.get("name")))}
    ours_payload = {name: getattr(row, name) for name in ("site", "key_id", "synthetic", "min_walls")}
    for what, needed, seen in (
        ("author", row.provider, body["author"]),
        ("subject", ours, said),
        ("payload", ours_payload, payload),
        ("parts", True, all(one.state != "announced" for one in here)),
    ):
        if needed != seen:
            raise Refusal("receipt-disputed", what=what, needed=needed, seen=seen)


def _listed(rows: Sequence[tuple[str, str, int, str]]) -> list[Json]:
    return [{"name": part, "object": name, "bytes": size, "sha256": seen} for part, name, size, seen in sorted(rows)]
