"""One task from the queue to its certificate. Every step commits before the next begins.

The promise `task` is performed at least once. What had walls when the node died is not run again: its job is dead, what
is left of it was looked at, and it ends as SYSTEM_ERROR through SHREDDING, once.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from compute.engines.model import Engine
from compute.engines.service import Engines
from compute.launcher.model import Ended, Input, JobSpec, Limits
from compute.metering.service import metered
from compute.staging.service import folder, parts
from compute.tasks import changes, keys, places
from compute.tasks.judgement import Plan, Verdict, judged
from compute.tasks.leased import attended, held
from compute.tasks.model import Result, Task
from compute.tasks.service import Furniture, Tasks, heard, load
from compute.tasks.states import DEADLINES, UNTOUCHED, Event, Outcome, State, after
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.rights.lease import LeaseState
from connector.rights.service import end_grant, refresh
from vocab.errors import Refusal

_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run leans on."""

    runtime: Runtime
    engine: Engine
    task: str

    async def step(self, event: Event, change: Callable[[Unit, Task], None] | None = None) -> Task:
        """Moves the task and commits. Raises the reason instead if someone wants it to end before it began."""

        def moved(unit: Unit) -> Task:
            row = load(unit.session, self.task)
            if row.stopping and event in (Event.AUTHORIZE, Event.PREPARE, Event.START):
                raise Refusal(row.stopping)
            row.state = after(row.at, event).value
            if change is not None:
                change(unit, row)
            return row

        return await self.runtime.store.run(moved)


async def perform(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `task`."""
    task = promise.payload["task"]
    row = await runtime.store.read(lambda session: load(session, task))
    if row.at is State.ENDED:
        return None
    engines = runtime.get(Engines)
    if engines.engine is None:
        raise TryLater("no engine", _PATIENCE)
    run = _Run(runtime, engines.demand(), task)
    if row.at not in UNTOUCHED:
        await _recover(run, row)
        return None
    async with engines.places:
        live = runtime.get(Tasks).live
        live.add(task)
        try:
            await _run(run)
        finally:
            live.discard(task)
    return None


async def _run(run: _Run) -> None:
    row = await run.runtime.store.read(lambda session: load(session, run.task))
    if row.at is State.ENDED:  # cancelled while it waited for its place
        return
    try:
        if row.at is State.QUEUED:
            row = await run.step(Event.ADMIT)
        verdicts = await _authorized(run, row)
        row = await run.step(Event.AUTHORIZE, partial(changes.granted, run.runtime, verdicts))
    except (Refusal, Unreachable) as error:
        refusal = error if isinstance(error, Refusal) else Refusal("operator-unreachable", why=error.why)
        await run.step(Event.REFUSE, partial(changes.refused, run.runtime, refusal))
        return
    try:
        ended = await _behind_walls(run, row, verdicts)
        row = await run.step(Event.FINISH, partial(changes.finished, run.runtime, ended))
        results = await asyncio.to_thread(_results, run.runtime, row, ended)
        row = await run.step(Event.COLLECT, partial(changes.collected, results, ended))
    except (Refusal, TimeoutError) as error:
        refusal = error if isinstance(error, Refusal) else Refusal("task-died", why="deadline")
        row = await _failed(run, refusal)
    await _shredded(run, row)


async def _authorized(run: _Run, row: Task) -> list[Verdict]:
    """The gate's yes at the start. The lease must hold: without it the operator is asked first."""
    if held(run.runtime).state is not LeaseState.RUNNING:
        await refresh(run.runtime)
    async with asyncio.timeout(DEADLINES[State.AUTHORIZING]):
        return await judged(run.runtime, Plan.of(row))


async def _behind_walls(run: _Run, row: Task, verdicts: list[Verdict]) -> Ended:
    """Walls, keys, run: until the job has ended and what is left of it was looked at."""
    engine, runtime = run.engine, run.runtime
    async with asyncio.timeout(DEADLINES[State.PREPARING]):
        furniture = await runtime.get(Tasks).furnish[row.kind](row)
        spec = await asyncio.to_thread(_spec, run, row, verdicts, furniture)
        prepared = await engine.submit(spec)
    row = await run.step(Event.PREPARE, partial(changes.prepared, runtime, prepared))
    try:
        async with asyncio.timeout(DEADLINES[State.KEYS]):
            given = await keys.released(runtime, Plan.of(row), prepared, [one.slot for one in verdicts])
    except TimeoutError:
        raise Refusal("keys-unavailable", by="–", why="deadline") from None
    await runtime.store.run(partial(changes.keys_here, runtime, row.id))
    await engine.start(row.id, given)
    began = runtime.clock.monotonic()
    row = await run.step(Event.START, partial(changes.started, runtime))
    ended = await attended(runtime, engine, row)
    wall_ms = round((runtime.clock.monotonic() - began) * 1000)
    return Ended.from_json({**ended.to_json(), "durations_ms": {**ended.durations_ms, "wall": wall_ms}})


def _spec(run: _Run, row: Task, verdicts: list[Verdict], furniture: Furniture) -> JobSpec:
    runtime, slots = run.runtime, {one.slot.agreement: one.slot for one in verdicts}
    place = places.fresh(runtime, row.id)
    staged = {
        (slot.agreement, one.part): one
        for slot in slots.values()
        for one in runtime.store.read_now(lambda session, slot=slot: parts(session, slot.id))  # type: ignore[misc]
    }
    inputs = [
        Input(
            name=one["name"],
            path=str(folder(runtime, slots[one["agreement"]].id) / one["part"]),
            sha256=staged[one["agreement"], one["part"]].sha256,
            bytes=staged[one["agreement"], one["part"]].bytes,
            aad=keys.aad(one["agreement"], one["part"]),
        )
        for one in row.inputs
    ]
    return JobSpec(
        job=row.id,
        image=str(run.engine.image.path),
        image_digest=run.engine.image.digest.removeprefix("sha256:"),
        executors=row.executors,
        outputs=str(place / "out"),
        code=places.put(place / "code", furniture.code),
        inputs=inputs,
        plain=places.put(place / "in", furniture.plain),
        env=row.env,
        limits=Limits(**row.limits),
        synthetic=all(slot.synthetic for slot in slots.values()),
        trusted=row.kind == "verify",
        at_most=run.engine.capabilities.level,
    )


def _results(runtime: Runtime, row: Task, ended: Ended) -> list[Result]:
    declared = [one for one in ended.outputs if one.name in row.outputs]
    return places.sealed(runtime, row.id, places.yard(runtime) / row.id, declared)


async def _failed(run: _Run, refusal: Refusal) -> Task:
    """What has walls is taken down, and looked at, before anything else is said of it."""
    end = await _last_look(run)

    def failed(unit: Unit, row: Task) -> None:
        row.code, row.end = row.stopping or refusal.code, row.end or end
        row.outcome = (Outcome.CANCELED if row.code == "task-canceled" else Outcome.SYSTEM_ERROR).value
        row.finished_at = run.runtime.now()
        journal.refused(unit, refusal, now=run.runtime.now(), kind="task-refused", study=row.study, by=row.consumer)

    return await run.step(Event.FAIL, failed)


async def _last_look(run: _Run) -> dict[str, object]:
    with contextlib.suppress(Refusal):
        return dict((await run.engine.cancel(run.task, "failed")).evidence.get("end", {}))
    with contextlib.suppress(Refusal):  # the launcher died, or never had it
        others = run.runtime.get(Tasks).live - {run.task}
        return dict((await run.engine.reconcile(others)).get(run.task, {}))
    return {}


async def _recover(run: _Run, row: Task) -> None:
    """The node died while this task had walls. Its evidence was stored when the node started (`reconciled`)."""
    if row.at is not State.SHREDDING:
        end = row.end or await _last_look(run)

        def lost(unit: Unit, found: Task) -> None:
            _ = unit
            found.recovered, found.end = True, found.end or end
            found.outcome, found.code = Outcome.SYSTEM_ERROR.value, found.stopping or "task-lost"
            found.finished_at = run.runtime.now()

        row = await run.step(Event.FAIL, lost)
    await _shredded(run, row)


async def _shredded(run: _Run, row: Task) -> None:
    """Nothing of it is left outside the walls either; the task ends, and every room that waits for that hears of it."""
    runtime = run.runtime
    await asyncio.to_thread(places.wipe, places.yard(runtime) / row.id)

    def ended(unit: Unit, found: Task) -> None:
        now = runtime.now()
        found.ended_at = now
        end_grant(unit, kind="task", id=found.id, now=now)
        journal.record(
            unit,
            "task-ended",
            now=now,
            study=found.study,
            by=found.consumer,
            task=found.id,
            result=found.outcome,
            cpu_ms=found.cpu_ms,
            peak_mb=found.peak_mb,
        )
        if found.prepared_at is not None:
            metered(unit, runtime, changes.used(found, now))
        heard(unit, runtime, found)

    await run.step(Event.SHRED, ended)
    with contextlib.suppress(Refusal):
        await run.engine.forget(row.id)


async def reconciled(runtime: Runtime) -> None:
    """At the node's start: whatever the engine still has of an earlier run ends now, and its evidence is stored."""
    await asyncio.to_thread(places.wipe, places.yard(runtime))
    engine = runtime.get(Engines).engine
    if engine is None:
        return
    for job, evidence in (await engine.reconcile(set())).items():

        def store(unit: Unit, job: str = job, evidence: Mapping[str, object] = evidence) -> bool:
            with contextlib.suppress(Refusal):
                row = load(unit.session, job)
                if row.at is not State.ENDED:
                    row.end = row.end or dict(evidence)
                    return True
            return False

        if not await runtime.store.run(store):
            await engine.forget(job)
