"""The zone validates a model itself, on rows that no training task could mount; at most three times a study."""

import asyncio
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select

from compute.egress import card as cards
from compute.egress import report
from compute.egress.findings import Finding
from compute.egress.model import Verification
from compute.engines.service import Engines, verify_code
from compute.launcher.model import Limits
from compute.staging.model import Slot
from compute.staging.service import slots
from compute.tasks.judgement import Plan, judged
from compute.tasks.model import Result, Task
from compute.tasks.places import content
from compute.tasks.profile import Mounted
from compute.tasks.service import Furniture, enter, owned, planned, results
from compute.tasks.states import Outcome
from compute.verification import code
from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise
from connector.kit.runtime import Runtime
from connector.policy.service import Policies
from vocab.errors import Refusal
from vocab.records.envelope import signed

Json = dict[str, Any]
KIND: Final = "verify"
MODEL: Final = "model.onnx"
LIMITS: Final = Limits(memory_mb=2048)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which file of which task, with its controls (another task's file), and what the model is for."""

    study: str
    task: str
    model: str
    control: tuple[str, str] | None
    threshold: float
    intended_use: str


async def ask(runtime: Runtime, by: Caller, wanted: Wanted) -> Verification:
    """Queues the zone's own code on that model. Raises `Refusal`: not-found, verify-limit, the gate's other codes."""
    verification, task = str(uuid.uuid4()), str(uuid.uuid4())
    trained, mounted = await runtime.store.read(lambda session: _facts(session, by.did, wanted))
    image = runtime.get(Engines).demand().image.digest
    plan = Plan(KIND, trained.study, trained.permit, by.did, verify_code(), image, tuple(mounted))
    verdicts = await judged(runtime, plan)

    def enqueue(unit: Unit) -> Verification:
        now = runtime.now()
        spend(unit, by, now)
        row = Verification(
            id=verification,
            study=trained.study,
            consumer=by.did,
            task=task,
            trained=trained.id,
            model=wanted.model,
            control={"task": wanted.control[0], "file": wanted.control[1]} if wanted.control else None,
            threshold=wanted.threshold,
            intended_use=wanted.intended_use,
            synthetic=all(one.slot.synthetic for one in verdicts),
            asked_at=now,
        )
        unit.session.add(row)
        document = {"name": "verify", "tags": {"study": plan.study, "permit": plan.permit}}
        outputs = (report.FILE, MODEL)
        enter(unit, runtime, planned(task, plan, document, outputs, [(*code.COMMAND, *_PLACES)], LIMITS, now))
        number = len(of_study(unit.session, trained.study))
        journal.record(
            unit, "verification-asked", now=now, study=trained.study, by=by.did, model=wanted.model, number=number
        )
        return row

    return await runtime.store.run(enqueue)


def of_study(session: Session, study: str) -> list[Verification]:
    """The study's verifications, oldest first."""
    query = select(Verification).where(Verification.study == study).order_by(col(Verification.number))
    return list(session.exec(query))


def load(session: Session, verification: str, consumer: str | None = None) -> Verification:
    """The verification; of another company's nothing is said. Raises `Refusal("not-found")`."""
    row = session.exec(select(Verification).where(Verification.id == verification)).first()
    if row is None or consumer not in (None, row.consumer):
        raise Refusal("not-found", what=verification)
    return row


def newest(session: Session, trained: str, model: str) -> Verification | None:
    """The newest verification of this model that measured it."""
    query = select(Verification).where(Verification.trained == trained, Verification.model == model)
    query = query.where(col(Verification.sha256).is_not(None)).order_by(col(Verification.number).desc())
    return session.exec(query).first()


async def furnish(runtime: Runtime, row: Task) -> Furniture:
    """The zone's code, the model's bytes, its controls, and a secret that is made now and kept nowhere."""

    def files(session: Session) -> tuple[Verification, Result, Result | None]:
        found = session.exec(select(Verification).where(Verification.task == row.id)).one()
        control = _held(session, found.control["task"], found.control["file"]) if found.control else None
        return found, _held(session, found.trained, found.model), control

    found, model, control = await runtime.store.read(files)
    plain = {
        MODEL: await asyncio.to_thread(content, runtime, model),
        "plan.json": code.plan(secrets.token_bytes(32), found.threshold),
    }
    if control is not None:
        plain["controls.zip"] = await asyncio.to_thread(content, runtime, control)
    return Furniture({code.NAME: code.bundle()}, plain)


def on_end(unit: Unit, row: Task) -> None:
    """The zone's code has ended: its report is read afterwards."""
    if row.kind == KIND:
        now = row.ended_at or row.submitted_at
        outbox.promise(unit, f"task {row.id}", "verification-read", {"task": row.id}, now=now, study=row.study)


async def read(runtime: Runtime, promise: Promise) -> Performed:
    """Effect `verification-read`: the report, strictly, and what follows from it."""

    def found(session: Session) -> tuple[Verification, Task, dict[str, Result]]:
        row = session.exec(select(Verification).where(Verification.task == promise.payload["task"])).one()
        task = owned(session, row.consumer, row.task)
        return row, task, {one.name: one for one in results(session, row.task)}

    row, task, left = await runtime.store.read(found)
    if row.state != "running":
        return None
    if task.outcome != Outcome.COMPLETE.value or report.FILE not in left:
        return lambda unit: _ended(unit, runtime, row.id, "failed", {"code": task.code or "report-broken"})
    try:
        parsed = report.read(await asyncio.to_thread(content, runtime, left[report.FILE]))
    except Refusal as refusal:
        broken = refusal.code
        return lambda unit: _ended(unit, runtime, row.id, "failed", {"code": broken})
    limits = report.Limits.of(runtime.get(Policies).board)
    wrong = [{**one.to_json(), "file": row.model} for one in report.findings(parsed, limits)]
    said: Json = {
        "report": {"parts": dict(parsed.parts), "refused": parsed.refused, "model": parsed.model},
        "facts": dict(parsed.facts()),
        "findings": wrong,
    }
    if parsed.model is not None and MODEL in left:
        said["sha256"] = left[MODEL].sha256
        said["card"] = _card(runtime, row, parsed, left[MODEL].sha256)
    elif not wrong:
        wrong.append(dict(Finding("model-refused", row.model, "onnx", "no model").to_json()))
    return lambda unit: _ended(unit, runtime, row.id, "failed" if wrong else "passed", said)


def _card(runtime: Runtime, row: Verification, parsed: report.Report, sha256: str) -> Json:
    """The model card, signed by the zone."""
    body = cards.card(
        parsed,
        study=row.study,
        model_sha256=sha256,
        code_digest=verify_code(),
        intended_use=row.intended_use,
        synthetic=row.synthetic,
        now=runtime.now(),
    )
    return signed({"type": "model-card", **body}, runtime.did, runtime.keys.sign)


def _ended(unit: Unit, runtime: Runtime, verification: str, state: str, said: Json) -> None:
    row = load(unit.session, verification)
    if row.state != "running":
        return
    row.state, row.ended_at = state, runtime.now()
    for name, value in said.items():
        setattr(row, name, value)
    codes = sorted({str(one["code"]) for one in row.findings}) or ([row.code] if row.code else [])
    journal.record(
        unit, "verification-ended", now=runtime.now(), study=row.study, by=row.consumer, state=state, findings=codes
    )


def _facts(session: Session, consumer: str, wanted: Wanted) -> tuple[Task, list[Mounted]]:
    """The training task, if it is the company's own and left that model, and what its verification mounts."""
    trained = owned(session, consumer, wanted.task)
    if trained.study != wanted.study or trained.kind != "train":
        raise Refusal("not-found", what=wanted.task, study=wanted.study)
    _held(session, trained.id, wanted.model)
    if wanted.control:
        controls = owned(session, consumer, wanted.control[0])
        if controls.study != wanted.study:
            raise Refusal("not-found", what=wanted.control[0], study=wanted.study)
        _held(session, controls.id, wanted.control[1])
    used = {one["agreement"] for one in trained.inputs}
    mine: list[Slot] = [one for one in slots(session, trained.study, limit=500) if one.agreement in used]
    return trained, [Mounted(one.agreement, part, f"{one.site}.{part}.parquet") for one in mine for part in _PARTS]


_PARTS: Final = ("holdout", "train")
#: Given as arguments: behind thin walls the folders lie elsewhere, and the launcher puts their places in.
_PLACES: Final = ("/in", "/out")


def _held(session: Session, task: str, name: str) -> Result:
    row = session.get(Result, (task, name))
    if row is None or row.destroyed_at is not None:
        raise Refusal("not-found", what=f"{task}/{name}")
    return row
