"""The tasks room's door for other rooms and for its API: submit, look, cancel; and who hears of a task's end."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session, col, select

from compute.engines.service import Engines
from compute.launcher.model import Limits
from compute.tasks.judgement import Plan, judged
from compute.tasks.model import Result, Task
from compute.tasks.profile import read
from compute.tasks.states import Event, Outcome, State, after
from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Furniture:
    """What a task has beside its staged parts: code below /code, and files below /in that hold no patient's row."""

    code: Mapping[str, bytes]
    plain: Mapping[str, bytes]


#: Runs in the unit in which a task ends.
OnEnd = Callable[[Unit, Task], None]
Furnish = Callable[[Task], Awaitable[Furniture]]


class Tasks:
    """The tasks of this process, and what other rooms do with theirs."""

    def __init__(self) -> None:
        #: Jobs that this process runs right now; the engine may end every other one.
        self.live: set[str] = set()
        self.on_end: list[OnEnd] = []
        #: How a kind of task gets its code and plain files.
        self.furnish: dict[str, Furnish] = {}


async def submit(runtime: Runtime, by: Caller, document: Json) -> str:
    """A company's task is queued; its id. Raises `Refusal`: task-outside-profile, or the gate's code."""
    asked = read(document, runtime.get(Engines).demand().capabilities)
    plan = Plan("train", asked.study, asked.permit, by.did, asked.code_digest, asked.image_digest, asked.inputs)
    await judged(runtime, plan)
    task = str(uuid.uuid4())

    def enqueue(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        row = planned(task, plan, document, asked.outputs, asked.executors, asked.limits, runtime.now())
        row.env = dict(asked.env)
        enter(unit, runtime, row)

    await runtime.store.run(enqueue)
    return task


def planned(
    task: str,
    plan: Plan,
    document: Json,
    outputs: Sequence[str],
    executors: Sequence[Sequence[str]],
    limits: Limits,
    now: int,
) -> Task:
    """A task that follows `plan`, not yet entered."""
    return Task(
        id=task,
        kind=plan.kind,
        study=plan.study,
        permit=plan.permit,
        consumer=plan.consumer,
        document=document,
        code_digest=plan.code_digest,
        image_digest=plan.image_digest,
        inputs=[asdict(one) for one in plan.inputs],
        outputs=list(outputs),
        executors=[list(one) for one in executors],
        env={},
        limits=asdict(limits),
        submitted_at=now,
    )


def enter(unit: Unit, runtime: Runtime, row: Task) -> None:
    """Puts a task into the queue, and promises to run it."""
    now = runtime.now()
    unit.session.add(row)
    unit.session.flush()
    outbox.promise(unit, f"task {row.id}", "task", {"task": row.id}, now=now, study=row.study)
    journal.record(unit, "task-submitted", now=now, study=row.study, by=row.consumer, task=row.id, what=row.kind)


async def cancel(runtime: Runtime, by: Caller, task: str) -> None:
    """Its owner wants it to end. A task that has ended stays as it is."""

    def wish(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        row = owned(unit.session, by.did, task)
        end_early(unit, runtime, row, "task-canceled")

    await runtime.store.run(wish)


def end_early(unit: Unit, runtime: Runtime, row: Task, why: str) -> None:
    """What only waits ends now; what has begun is stopped by the promise made here."""
    now = runtime.now()
    if row.at is State.ENDED:
        return
    if row.at is State.QUEUED:
        row.state = after(row.at, Event.REFUSE).value
        row.outcome, row.code, row.ended_at = Outcome.CANCELED.value, why, now
        heard(unit, runtime, row)
        return
    row.stopping = row.stopping or why
    payload = {"kind": "task", "id": row.id, "study": row.study, "why": why}
    outbox.promise(unit, f"stop task {row.id}", "stop:task", payload, now=now, study=row.study)


def heard(unit: Unit, runtime: Runtime, row: Task) -> None:
    """Tells the rooms that wait for a task's end, in the unit in which it ends."""
    for call in runtime.get(Tasks).on_end:
        call(unit, row)


def load(session: Session, task: str) -> Task:
    """The task. Raises `Refusal("not-found")`."""
    row = session.exec(select(Task).where(Task.id == task)).first()
    if row is None:
        raise Refusal("not-found", what=task)
    return row


def owned(session: Session, consumer: str, task: str) -> Task:
    """The task, if it is the consumer's own: of another's nothing is said, not even that it exists."""
    row = load(session, task)
    if row.consumer != consumer:
        raise Refusal("not-found", what=task)
    return row


def tasks(session: Session, study: str, *kinds: str) -> list[Task]:
    """The tasks of a study, oldest first."""
    query = select(Task).where(Task.study == study).order_by(col(Task.number))
    return list(session.exec(query.where(col(Task.kind).in_(kinds)) if kinds else query))


def results(session: Session, task: str) -> list[Result]:
    """What a task left and still lies here."""
    query = select(Result).where(Result.task == task, col(Result.destroyed_at).is_(None)).order_by(col(Result.name))
    return list(session.exec(query))
