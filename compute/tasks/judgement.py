"""May this task start? Gathers the facts of the gate `submit`, once for each agreement that the task leans on.

Asked when it is submitted and again when it starts; each hospital asks its own gate before it releases a key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, func, select

from compute.engines.service import Engines, verify_code
from compute.staging.model import Slot, StagedObject
from compute.staging.service import gate_facts, slots, study_open
from compute.tasks.model import Task
from compute.tasks.profile import Mounted
from compute.tasks.states import State
from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.policy.service import Policies
from connector.rights import facts
from connector.rights.model import PermitRow
from connector.rights.service import Rights
from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.profile import Gate

Json = dict[str, Any]
ACTIONS: Final[Mapping[str, str]] = {"train": terms.iri("med:train"), "verify": terms.iri("med:verify")}
_MOST_SLOTS: Final = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, on what, for whom."""

    kind: str
    study: str
    permit: str
    consumer: str
    code_digest: str
    image_digest: str
    inputs: tuple[Mounted, ...]
    task: str | None = None  # once it is one: it does not count itself

    @classmethod
    def of(cls, row: Task) -> "Plan":
        """The plan of a task that was submitted."""
        inputs = tuple(Mounted(one["agreement"], one["part"], one["name"]) for one in row.inputs)
        return cls(
            row.kind, row.study, row.permit, row.consumer, row.code_digest, row.image_digest, inputs, task=row.id
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One agreement's yes or no, with what it leaned on as a grant keeps it."""

    slot: Slot
    decision: Decision
    leans: Json


async def judged(runtime: Runtime, plan: Plan) -> list[Verdict]:
    """The gate's yes for every agreement of the plan. Raises its `Refusal`; before that `expired`, `not-staged`,
    `no-agreement` for what the gate cannot know."""
    rights, policies, now = runtime.get(Rights).demand(), runtime.get(Policies), runtime.now()
    level = runtime.get(Engines).demand().capabilities.level
    zone = facts.zone(rights, runtime.did, level)
    known = {
        "party": facts.party(rights, plan.consumer),
        "standing": facts.standing(rights, now),
        "revision": facts.revision(rights, policies.revision),
        "zone": {**zone, "verify_code": [verify_code()]} if zone else None,
    }

    def gather(session: Session) -> list[tuple[Slot, Json]]:
        permit = session.get(PermitRow, plan.permit)
        about = {
            **known,
            "permit": facts.permit(permit, rights) if permit is not None and permit.study == plan.study else None,
        }
        if about["permit"] is None:
            raise Refusal("no-permit", rule="permit", needed="given", study=plan.study)
        _applicant_alone(plan, about["permit"])
        _not_over(about["permit"], now)
        study_open(session, plan.study)
        counts = {
            "jobs_done": started(session, plan.study, "train", plan.task),
            "verify_runs_done": started(session, plan.study, "verify", plan.task),
        }
        return [
            (slot, {**about, **gate_facts(slot), "task": _task(plan, slot, counts)}) for slot in _used(session, plan)
        ]

    try:
        gathered = await runtime.store.read(gather)
        found = await asyncio.to_thread(_asked, policies, plan, gathered, now)
    except Refusal as refusal:
        refusal.values.setdefault("study", plan.study)
        raise
    for one in found:
        if not one.decision.allow:
            answer = one.decision.refusal()
            answer.values.update(study=plan.study, dataset=one.slot.dataset)
            raise answer
    return found


def _not_over(permit: Json, now: int) -> None:
    """Raises `Refusal("expired")`: said even when nothing of the study is left here for the gate to be asked about."""
    if permit["state"] == "ended" or now >= permit["until"]:
        raise Refusal("expired", rule="permit.until", needed=permit["until"], seen=now)


def _asked(policies: Policies, plan: Plan, gathered: Sequence[tuple[Slot, Json]], now: int) -> list[Verdict]:
    request = {"action": ACTIONS[plan.kind]}
    found = []
    for slot, given in gathered:
        policy = Policy.from_json(slot.policy)
        decision = policies.decide(Gate.SUBMIT, policy=policy, request=request, facts=given, now=now)
        leans = {"gate": Gate.SUBMIT.value, "policy": slot.policy, "request": request, "facts": given}
        found.append(Verdict(slot, decision, leans))
    return found


def _applicant_alone(plan: Plan, permit: Json) -> None:
    """A stranger's permit is none: nothing is said of it."""
    if permit["applicant"] != plan.consumer:
        raise Refusal("no-permit", rule="permit.applicant", needed=plan.consumer)


def _used(session: Session, plan: Plan) -> list[Slot]:
    """The slots of the plan's agreements, each with all its parts staged."""
    mine = {one.agreement: one for one in slots(session, plan.study, limit=_MOST_SLOTS) if one.permit == plan.permit}
    for agreement in sorted({one.agreement for one in plan.inputs}):
        if agreement not in mine:
            raise Refusal("no-agreement", rule="agreement.id", needed=sorted(mine), seen=agreement)
    for one in plan.inputs:
        staged = session.get(StagedObject, (mine[one.agreement].id, one.part))
        if staged is None or staged.state != "staged":
            raise Refusal("not-staged", seen=f"{one.agreement}/{one.part}")
    return [mine[agreement] for agreement in sorted({one.agreement for one in plan.inputs})]


def started(session: Session, study: str, kind: str, before: str | None = None) -> int:
    """How many tasks of this kind the study has started or queued; `before`: only those older than this task."""
    query = select(func.count()).select_from(Task).where(Task.study == study, Task.kind == kind)
    query = query.where((col(Task.prepared_at).is_not(None)) | (Task.state != State.ENDED.value))
    if before is not None:
        own = select(Task.number).where(Task.id == before).scalar_subquery()
        query = query.where(col(Task.number) < own)
    return session.exec(query).one()


def _task(plan: Plan, slot: Slot, counts: Json) -> Json:
    parts = sorted({one.part for one in plan.inputs if one.agreement == slot.agreement})
    digests = {"code_digest": plan.code_digest, "image_digest": plan.image_digest}
    return {"kind": plan.kind, **digests, "parts": parts, **counts}
