"""The sources room's door: sources, trials, pseudonym keys, snapshots and the register of one hospital."""

import asyncio
import uuid
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.erase import erase
from connector.kit.outbox import Handler, Performed, Promise
from connector.kit.runtime import Runtime
from connector.rights.service import permit_for
from connector.sources import files
from connector.sources.cohort import HOSPITALS
from connector.sources.eligible import read_cohort
from connector.sources.model import PseudonymKey, RegisterRow, Snapshot, Source, TrialRow
from connector.sources.profile import KR_MED_1, read
from connector.sources.sample import Sample, sample
from connector.sources.snapshots import ENDS, accept, cut, found, recheck, snapshot_for
from connector.sources.trial import run_trial
from connector.web.people import Person
from vocab.errors import Refusal

__all__ = [
    "accept",
    "add_source",
    "cut",
    "destroyed",
    "example",
    "found",
    "install",
    "new_pseudonym_key",
    "recheck",
    "register",
    "snapshot_for",
    "snapshots",
    "stop",
    "trial",
    "trials",
]

Json = dict[str, Any]


async def add_source(runtime: Runtime, person: Person, dataset: str, file: str) -> Source:
    """Says where the rows of `dataset` lie, if they can be read. Raises `Refusal("source-unreadable")`."""
    path = files.source(runtime.settings.folder, file)
    await asyncio.to_thread(read_cohort, path)

    def keep(unit: Unit) -> Source:
        now = runtime.now()
        row = unit.session.merge(Source(dataset=dataset, file=file, by=person.id, at=now))
        journal.record(unit, "source-added", now=now, by=person.id, dataset=dataset)
        return row

    return await runtime.store.run(keep)


async def trial(runtime: Runtime, person: Person, dataset: str, profile: Json | None = None) -> TrialRow:
    """Tries `profile` (by default `kr-med-1`) on the dataset's source; only the figures are kept.

    Raises `Refusal`: source-unknown, source-unreadable, and what a profile may not say.
    """
    chosen = KR_MED_1 if profile is None else read(profile)
    source = await runtime.store.read(lambda session: session.get(Source, dataset))
    if source is None:
        raise Refusal("source-unknown", dataset=dataset)
    path = files.source(runtime.settings.folder, source.file)
    result = await asyncio.to_thread(run_trial, path, chosen)

    def keep(unit: Unit) -> TrialRow:
        now = runtime.now()
        row = TrialRow(
            id=str(uuid.uuid4()),
            dataset=dataset,
            digest=result.digest,
            result=result.document(),
            by=person.id,
            at=now,
        )
        unit.session.add(row)
        journal.record(
            unit,
            "trial-run",
            now=now,
            by=person.id,
            dataset=dataset,
            k=result.k,
            suppressed=result.suppressed_percent,
            refused=len(result.refused),
        )
        return row

    return await runtime.store.run(keep)


async def new_pseudonym_key(runtime: Runtime, person: Person, study: str) -> PseudonymKey:
    """The key keeper makes the study's pseudonym key; asked again, the same key stands.

    Raises `Refusal("no-permit")` for a study that no permit names.
    """
    if await runtime.store.read(lambda session: permit_for(session, study)) is None:
        raise Refusal("no-permit", rule="permit", study=study)
    await asyncio.to_thread(files.new_pseudonym_key, runtime.settings.folder, study)

    def keep(unit: Unit) -> PseudonymKey:
        kept = unit.session.get(PseudonymKey, study)
        if kept is not None:
            return kept
        now = runtime.now()
        row = PseudonymKey(study=study, by=person.id, at=now)
        unit.session.add(row)
        journal.record(unit, "pseudonym-key-made", now=now, study=study, by=person.id)
        return row

    return await runtime.store.run(keep)


def trials(session: Session, dataset: str | None = None, *, after: int = 0, limit: int = 100) -> list[TrialRow]:
    """The trials that were run here after `after` (UTC ms), oldest first."""
    query = select(TrialRow).where(TrialRow.at > after).order_by(col(TrialRow.at), col(TrialRow.id)).limit(limit)
    return list(session.exec(query if dataset is None else query.where(TrialRow.dataset == dataset)))


def snapshots(session: Session, study: str | None = None, *, after: str = "", limit: int = 100) -> list[Snapshot]:
    """The snapshots that were cut here, by id, also those that are destroyed."""
    query = select(Snapshot).where(Snapshot.id > after).order_by(col(Snapshot.id)).limit(limit)
    return list(session.exec(query if study is None else query.where(Snapshot.study == study)))


def register(session: Session, study: str | None = None) -> list[RegisterRow]:
    """The register under PIPA 28-4(3), oldest first."""
    query = select(RegisterRow).order_by(col(RegisterRow.processed_at), col(RegisterRow.snapshot))
    return list(session.exec(query if study is None else query.where(RegisterRow.study == study)))


def stop(unit: Unit, runtime: Runtime, person: Person, study: str) -> list[Snapshot]:
    """Nothing more may be done with this study's snapshots. Returns those that this stops.

    Raises `Refusal("not-found")` when the study has none here.
    """
    query = select(Snapshot).where(Snapshot.study == study, col(Snapshot.destroyed_at).is_(None))
    rows, now = unit.session.exec(query).all(), runtime.now()
    if not rows:
        raise Refusal("not-found", what=study)
    fresh = [row for row in rows if not row.stopped]
    for row in fresh:
        row.stopped, row.stopped_by, row.stopped_at = True, person.id, now
    return fresh


def destroyed(unit: Unit, runtime: Runtime, snapshot_id: str) -> None:
    """The snapshot's files are gone: its register row says when, and is kept."""
    row, now = unit.session.get(Snapshot, snapshot_id), runtime.now()
    if row is None or row.destroyed_at is not None:
        return
    row.destroyed_at = now
    entry = unit.session.get(RegisterRow, snapshot_id)
    if entry is not None:
        entry.destroyed_at = now
    journal.record(unit, "snapshot-destroyed", now=now, study=row.study, dataset=row.dataset)


def example(runtime: Runtime) -> Sample | None:
    """An invented patient before and after the default profile, where this hospital is one of the demonstration's."""
    code = runtime.settings.name.upper()
    return sample(code, KR_MED_1) if code in HOSPITALS else None


async def _ends(runtime: Runtime, row: Promise) -> Performed:
    """Effect `snapshot-ends`: the permit is over and nobody closed the study; the plain files go all the same."""
    snapshot_id = row.payload["snapshot"]
    await asyncio.to_thread(erase, files.snapshot(runtime.settings.folder, snapshot_id))
    return lambda unit: destroyed(unit, runtime, snapshot_id)


async def _sweep(runtime: Runtime) -> None:
    """On start: what a crash left half cut or half erased goes."""

    def known(session: Session) -> set[str]:
        return {row.id for row in session.exec(select(Snapshot).where(col(Snapshot.destroyed_at).is_(None)))}

    rows = await runtime.store.read(known)
    await asyncio.to_thread(files.sweep, runtime.settings.folder, rows)


def install(runtime: Runtime) -> None:
    """Registers the sweep, and the end that needs nobody."""
    runtime.outbox.handlers[ENDS] = Handler(partial(_ends, runtime))
    runtime.on_start.append(partial(_sweep, runtime))
