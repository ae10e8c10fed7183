"""How it ends: the Stop button, and the destruction of a study's keys when the zone closes it."""

import asyncio
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from sqlmodel import Session, select

from connector.evidence import journal
from connector.identity.service import ask, spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.erase import erase
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from connector.negotiation.model import Agreement
from connector.negotiation.service import agreements
from connector.rights.relay import relayed
from connector.rights.service import Rights, permit_for, right_ended
from connector.sources import files
from connector.sources import service as sources
from connector.transfer import core, keys
from connector.transfer.model import DataKey, KeyRelease, Transfer
from connector.transfer.states import TERMINAL
from connector.web.people import Person
from vocab.errors import Refusal
from vocab.records.envelope import Envelope, signed

Json = dict[str, Any]

TELL: Final = "stop-zone"
WHY: Final = "provider-stopped"


async def stop(runtime: Runtime, person: Person, study: str, reason: str) -> Json:
    """Stop: from this commit on no key leaves, and the zone is told. Pressed again, nothing more happens.

    The agreements stay: what was done under them is still to be accounted for.
    Raises `Refusal("not-found")` when there is nothing of this study here.
    """

    def press(unit: Unit) -> Json:
        now = runtime.now()
        stopped = sources.stop(unit, runtime, person, study)
        own = agreements(unit.session, study, limit=500)
        for row in stopped:
            go_on = [("agreement", one.id) for one in own]
            right_ended(unit, runtime, why=WHY, snapshot=row.digest, go_on=go_on)
        told = [one for one in own if one.snapshot in {row.digest for row in stopped}]
        for one in told:
            payload = {"agreement": one.id, "snapshot": one.snapshot, "reason": reason, "pressed_at": now}
            outbox.promise(unit, f"stop {one.id}", TELL, payload, now=now, study=study)
        if stopped:
            journal.record(unit, "stop-pressed", now=now, study=study, by=person.id, reason=reason)
        return {"study": study, "stopped": [row.dataset for row in stopped], "agreements": [one.id for one in told]}

    return await runtime.store.run(press)


async def tell(runtime: Runtime, row: Promise) -> Performed:
    """Effect `stop-zone`. A zone that never had anything of the agreement has nothing to stop."""
    study, agreement = row.study or "", row.payload["agreement"]
    permit = await runtime.store.read(lambda session: permit_for(session, study))
    member = runtime.get(Rights).demand().member(permit.fields["zone"]) if permit else None
    if member is None:
        raise TryLater("the zone is not in the standing list")
    message = {name: row.payload[name] for name in ("agreement", "snapshot", "reason")}
    url = f"{member.url.rstrip('/')}/studies/{quote(study, safe=':')}/stop"
    answer = await ask(runtime, "POST", url, member.did, json=message)
    nothing_there = answer.status == 404 and isinstance(answer.body, dict) and answer.body.get("code") == "not-found"
    if answer.status != 202 and not nothing_there:
        raise TryLater(relayed(answer).code)

    def told(unit: Unit) -> None:
        now = runtime.now()
        journal.record(
            unit,
            "stop-told",
            now=now,
            study=study,
            by=member.did,
            agreement=agreement,
            ms=now - row.payload["pressed_at"],
        )

    return told


async def key_stopped(runtime: Runtime, row: Promise) -> Performed:
    """Performs `stop:key`: the zone hears of the same end itself, or by `stop-zone`; here the release is closed."""

    def closed(unit: Unit) -> None:
        journal.record(
            unit,
            "key-stopped",
            now=runtime.now(),
            study=row.payload["study"],
            task=row.payload["id"],
            why=row.payload["why"],
        )

    return closed


async def transfer_stopped(runtime: Runtime, row: Promise) -> Performed:
    """Performs `stop:transfer`: the right that it leaned on has ended."""
    refusal = Refusal("right-ended", why=row.payload["why"])

    def end(unit: Unit) -> None:
        transfer = unit.session.get(Transfer, row.payload["id"])
        if transfer is not None and transfer.state not in TERMINAL:
            core.terminate(unit, runtime, transfer, refusal)

    return end


async def destroy(runtime: Runtime, by: Caller, study: str, wanted: list[str]) -> Envelope:
    """The zone closes the study: its data keys and plain snapshots are destroyed here, and we sign that they are.

    Asked again, the same words with the same times. Raises `Refusal`: no-agreement, zone-only.
    """
    closing = await runtime.store.run(partial(_begin, runtime=runtime, by=by, study=study, wanted=wanted))
    folder = runtime.settings.folder
    for row in closing:
        await asyncio.to_thread(keys.destroy, folder, row.id)
        await asyncio.to_thread(erase, files.snapshot(folder, row.snapshot))
    rows = await runtime.store.run(lambda unit: _finish(unit, runtime, study, [row.id for row in closing], by.did))
    said = [{"key_id": row.id, "agreement": row.agreement, "destroyed_at": row.destroyed_at} for row in rows]
    body = {"type": "keys-destroyed", "study": study, "hospital": runtime.did, "keys": said}
    return signed(body, runtime.did, runtime.keys.sign)


def _begin(unit: Unit, *, runtime: Runtime, by: Caller, study: str, wanted: list[str]) -> list[DataKey]:
    """From here on no key of these agreements is released."""
    spend(unit, by, runtime.now())
    permit = permit_for(unit.session, study)
    if permit is None or permit.fields["zone"] != by.did:
        raise Refusal("zone-only", rule="permit.zone", seen=by.did, study=study)
    for agreement in wanted:
        own = unit.session.get(Agreement, agreement)
        if own is None or own.study != study or own.side != "provider":
            raise Refusal("no-agreement", rule="agreement.study", seen=agreement, study=study)
    closing = [row for row in data_keys(unit.session, study) if row.agreement in wanted]
    for row in closing:
        row.state = "destroyed" if row.destroyed_at else "closing"
        for transfer in unit.session.exec(select(Transfer).where(Transfer.agreement == row.agreement)).all():
            if transfer.state not in TERMINAL:
                core.terminate(unit, runtime, transfer, Refusal("key-destroyed", key=row.id))
    return closing


def _finish(unit: Unit, runtime: Runtime, study: str, ids: list[str], zone: str) -> list[DataKey]:
    now, fresh = runtime.now(), 0
    rows = [row for row in data_keys(unit.session, study) if row.id in ids]
    for row in rows:
        if row.destroyed_at is None:
            row.state, row.destroyed_at, fresh = "destroyed", now, fresh + 1
            sources.destroyed(unit, runtime, row.snapshot)
    if fresh:
        journal.record(unit, "keys-destroyed", now=now, study=study, by=zone, keys=fresh)
    return rows


def data_keys(session: Session, study: str) -> list[DataKey]:
    """The data keys of a study, by agreement, also those that are destroyed."""
    rows = session.exec(select(DataKey).where(DataKey.study == study))
    return sorted(rows, key=lambda row: row.agreement)


def releases(session: Session, study: str) -> list[KeyRelease]:
    """The keys that were released for a study, oldest first."""
    rows = session.exec(select(KeyRelease).where(KeyRelease.study == study))
    return sorted(rows, key=lambda row: (row.at, row.task, row.part))
