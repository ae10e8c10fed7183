"""A study ends here: its tasks stop, its ciphertext and results are destroyed, the hospitals destroy their keys and say
so under their signature, a scan looks for what is left, and one certificate says all of it.

Each step is a promise of its own that can be begun again; none of them leaves anything that the next start would not
find.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from sqlmodel import Session, col, select

from compute.deletion import certificates, scan
from compute.deletion.states import Event, State, after
from compute.engines.service import Engines
from compute.staging.model import Slot, StagedObject, Study
from compute.staging.service import folder, parts, slots
from compute.tasks import states as task_states
from compute.tasks.model import Result, Task
from compute.tasks.service import end_early, tasks
from connector.evidence import journal
from connector.evidence.service import author
from connector.identity.service import Members, ask, spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.erase import erase
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from connector.rights.relay import relayed
from connector.rights.service import end_grant
from vocab.errors import Refusal
from vocab.records import certificate as records
from vocab.records.envelope import opened

Json = dict[str, Any]
#: The steps, in order; each promises the next.
STEPS: Final = ("closing-wipe", "closing-keys", "closing-certify")
#: The code of a hospital that destroyed other keys than those we know of.
_DIFFER: Final = "keys-differ"
_PATIENCE: Final = 0.2
_MOST: Final = 500


async def close(runtime: Runtime, by: Caller, study: str) -> None:
    """The company closes its study. Closed twice, it is closed once. Raises `Refusal("not-found")`."""

    def begin(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        row = unit.session.get(Study, study)
        if row is None or row.consumer != by.did:
            raise Refusal("not-found", what=study)
        closing(unit, runtime, row, "closed")

    await runtime.store.run(begin)


def closing(unit: Unit, runtime: Runtime, row: Study, why: str) -> None:
    """From this commit on nothing new starts in the study; what runs is stopped."""
    if State(row.state) is not State.OPEN:
        return
    now = runtime.now()
    row.state, row.why, row.closing_at = after(State.OPEN, Event.CLOSE).value, why, now
    for task in tasks(unit.session, row.id):
        end_early(unit, runtime, task, "expired" if why == "expired" else "study-closed")
    end_grant(unit, kind="study", id=row.id, now=now)
    _promise(unit, runtime, row.id, STEPS[0])
    journal.record(unit, "zone-closing", now=now, study=row.id, by=row.consumer, why=why)


async def right_ended(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `stop:study`: the permit has ended. One that is only suspended may come back: then data stay sealed."""
    if promise.payload["why"] != "expired":
        return None
    return lambda unit: _expired(unit, runtime, promise.payload["study"])


async def permit_over(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `study-ends`: the permit's own end, whether or not the operator can be heard."""
    return lambda unit: _expired(unit, runtime, promise.payload["study"])


def _expired(unit: Unit, runtime: Runtime, study: str) -> None:
    row = unit.session.get(Study, study)
    if row is not None:
        closing(unit, runtime, row, "expired")


async def wipe(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `closing-wipe`: once no task lives, ciphertext and unreleased results are overwritten and removed."""
    study = promise.payload["study"]

    def left(session: Session) -> tuple[str, list[Task], list[tuple[Slot, list[StagedObject]]], list[Result]]:
        row = session.get(Study, study)
        mine = tasks(session, study)
        held = session.exec(select(Result).where(col(Result.task).in_([one.id for one in mine]))).all()
        staged = [(slot, parts(session, slot.id)) for slot in slots(session, study, limit=_MOST)]
        return row.state if row else "", mine, staged, list(held)

    state, mine, staged, held = await runtime.store.read(left)
    if state != State.CLOSING:
        return None
    if any(one.at is not task_states.State.ENDED for one in mine):
        raise TryLater("a task still lives", _PATIENCE)
    gone = await asyncio.to_thread(_erased, runtime, staged, [one.id for one in mine])

    def wiped(unit: Unit) -> None:
        row, now = unit.session.get(Study, study), runtime.now()
        if row is None or State(row.state) is not State.CLOSING:
            return
        objects = [one for _, found in staged for one in found]
        for one in objects:
            current = unit.session.get(StagedObject, (one.slot, one.part))
            if current is not None and current.state == "staged":
                current.state, current.destroyed_at = "destroyed", now
                current.overwritten = current.unlinked = current.synced = gone
        for result in held:
            current_result = unit.session.get(Result, (result.task, result.name))
            if current_result is not None and current_result.destroyed_at is None:
                current_result.destroyed_at = now
        row.state, row.results_destroyed = after(State.CLOSING, Event.WIPE).value, len(held)
        _promise(unit, runtime, study, STEPS[1])
        journal.record(unit, "ciphertext-destroyed", now=now, study=study, objects=len(objects), results=len(held))

    return wiped


def _erased(runtime: Runtime, staged: list[tuple[Slot, list[StagedObject]]], ids: list[str]) -> bool:
    """Overwrites, removes and syncs; true if an outsider finds nothing there."""
    places = [folder(runtime, slot.id) for slot, _ in staged]
    places += [runtime.settings.folder / "results" / task for task in ids]
    for place in places:
        if place.exists():
            erase(place)
    return not any(place.exists() for place in places)


async def keys(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `closing-keys`: each hospital destroys its keys and signs that it did."""
    study = promise.payload["study"]
    row, mine = await runtime.store.read(
        lambda session: (session.get(Study, study), slots(session, study, limit=_MOST))
    )
    if row is None or State(row.state) is not State.WIPED:
        return None
    said = {envelope["body"]["hospital"] for envelope in row.keys_destroyed}
    for provider in sorted({slot.provider for slot in mine} - said):
        envelope = await _confirmed(runtime, study, provider, [one for one in mine if one.provider == provider])
        await runtime.store.run(partial(_confirm, runtime, study, provider, envelope))

    def done(unit: Unit) -> None:
        found = unit.session.get(Study, study)
        if found is not None and State(found.state) is State.WIPED:
            found.state = after(State.WIPED, Event.CONFIRM).value
            _promise(unit, runtime, study, STEPS[2])

    return done


async def _confirmed(runtime: Runtime, study: str, provider: str, mine: list[Slot]) -> Json:
    """The hospital's envelope, if it names the keys that we know of. Raises `TryLater`: we wait for a hospital."""
    known = runtime.get(Members)
    url = known.urls.get(provider)
    if url is None:
        raise TryLater(f"{provider} is not in the standing list")
    path = f"{url}/studies/{quote(study, safe=':')}/destroy-keys"
    answer = await ask(runtime, "POST", path, provider, json={"agreements": sorted(one.agreement for one in mine)})
    if not answer.ok or not isinstance(answer.body, dict):
        raise TryLater(str(relayed(answer)))
    try:
        body = opened(answer.body, "keys-destroyed", known.receipts, provider)
        named = {str(one["key_id"]) for one in body["keys"]}
        if body["study"] != study or body["hospital"] != provider or named != {one.key_id for one in mine}:
            raise TryLater(f"{provider} – {_DIFFER}")
    except (Refusal, KeyError, TypeError) as error:
        raise TryLater(str(error)) from None
    return answer.body


def _confirm(runtime: Runtime, study: str, provider: str, envelope: Json, unit: Unit) -> None:
    row = unit.session.get(Study, study)
    if row is None or provider in {one["body"]["hospital"] for one in row.keys_destroyed}:
        return
    row.keys_destroyed = [*row.keys_destroyed, envelope]
    journal.record(unit, "zone-keys-destroyed", now=runtime.now(), study=study, by=provider)


async def certify(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `closing-certify`: the scan, then the certificate, one receipt for each hospital."""
    study = promise.payload["study"]
    row = await runtime.store.read(lambda session: session.get(Study, study))
    if row is None or State(row.state) is not State.KEYS_DESTROYED:
        return None
    found = await asyncio.to_thread(scan.scanned, runtime.settings.folder)
    engine = runtime.get(Engines).engine
    walls = engine.capabilities.level if engine else "thin"
    return lambda unit: _certified(unit, runtime, study, found, walls)


def _certified(unit: Unit, runtime: Runtime, study: str, found: Mapping[str, Any], walls: str) -> None:
    row, now = unit.session.get(Study, study), runtime.now()
    if row is None or State(row.state) is not State.KEYS_DESTROYED:
        return
    body = _body(unit.session, runtime.did, row, found, walls, now)
    records.check_closing(body)
    kept = certificates.store(unit, body, study, study, now)
    row.state, row.closed_at, row.scan = after(State.KEYS_DESTROYED, Event.CERTIFY).value, now, dict(found)
    row.certificate = body
    subject = {
        "study": study,
        "certificate": kept.digest,
        "result": kept.result,
        "objects": len(body["objects"]),
        "tasks": len(body["tasks"]),
    }
    for provider in sorted({one["provider"] for one in body["objects"]}):
        author(
            unit,
            runtime,
            records.CLOSING,
            about=study,
            subject=subject,
            payload=body,
            counterparty=provider,
            study=study,
        )
    said = {"result": kept.result, "exceptions": body["exceptions"]}
    journal.record(unit, "zone-closed", now=now, study=study, by=row.consumer, **said)


def _body(session: Session, zone: str, row: Study, found: Mapping[str, Any], walls: str, now: int) -> Json:
    objects = [
        {
            **certificates.about_part(slot, part),
            "staged": part.staged_at is not None,
            "overwritten": part.overwritten,
            "unlinked": part.unlinked,
            "synced": part.synced,
            "at": part.destroyed_at or now,
        }
        for slot in slots(session, row.id, limit=_MOST)
        for part in parts(session, slot.id)
    ]
    issued = [one for one in certificates.certificates(session, row.id) if one.type == records.TASK]
    body: Json = {
        "type": records.CLOSING,
        "version": 1,
        "zone": zone,
        "study": row.id,
        "permit": row.permit,
        "consumer": row.consumer,
        "method": dict(records.METHOD),
        "limits": records.limits(records.CLOSING_LIMITS),
        "why": row.why,
        "walls": walls,
        "at": now,
        "objects": objects,
        "tasks": [
            {
                "task": one.about,
                "certificate": one.digest,
                "result": one.result,
                "exceptions": one.body["exceptions"],
            }
            for one in issued
        ],
        "keys_destroyed": row.keys_destroyed,
        "results_destroyed": row.results_destroyed,
        "scan": dict(found),
    }
    body["result"], body["exceptions"] = records.closing_result(body)
    return body


def _promise(unit: Unit, runtime: Runtime, study: str, step: str) -> None:
    outbox.promise(unit, f"closing {study}", step, {"study": study}, now=runtime.now(), study=study)
