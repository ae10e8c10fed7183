"""May this leave? The gate `egress`, for every file and every agreement that its task leaned on."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sqlmodel import Session

from compute.engines.service import Engines
from compute.staging.model import Slot
from compute.staging.service import gate_facts, slots, study_open
from compute.tasks.judgement import started
from compute.tasks.model import Task
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
Step = Literal["check", "review", "release"]
_RELEASE: Final = terms.iri("med:release")


async def judged(
    runtime: Runtime,
    task: Task,
    files: Sequence[Mapping[str, Any]],
    step: Step,
    people: Mapping[str, Any],
) -> dict[str, list[Decision]]:
    """The gate's answers by file: one for each agreement. `files`: what the checks say of each (`Checked.facts`).

    Raises `Refusal("expired")` for a study that is over.
    """
    rights, policies, now = runtime.get(Rights).demand(), runtime.get(Policies), runtime.now()
    level = runtime.get(Engines).demand().capabilities.level

    def gather(session: Session) -> list[tuple[Slot, Json]]:
        study_open(session, task.study)
        permit = session.get(PermitRow, task.permit)
        known = {
            "party": facts.party(rights, task.consumer),
            "standing": facts.standing(rights, now),
            "revision": facts.revision(rights, policies.revision),
            "zone": facts.zone(rights, runtime.did, level),
            "permit": facts.permit(permit, rights),
            "task": {"kind": task.kind, "jobs_done": started(session, task.study, "train")},
            **people,
        }
        used = {one["agreement"] for one in task.inputs}
        mine = [one for one in slots(session, task.study, limit=500) if one.agreement in used]
        return [(slot, {**known, **gate_facts(slot)}) for slot in mine]

    gathered = await runtime.store.read(gather)
    if not gathered:
        raise Refusal("no-agreement", rule="agreement", study=task.study)

    def ask() -> dict[str, list[Decision]]:
        found: dict[str, list[Decision]] = {}
        for one in files:
            action = terms.EXPORT_RECORDS if one["kind"] == "record" else _RELEASE
            request = {"action": action, "step": step}
            found[one["name"]] = [
                policies.decide(
                    Gate.EGRESS,
                    policy=Policy.from_json(slot.policy),
                    request=request,
                    facts={**given, "output": dict(one)},
                    now=now,
                )
                for slot, given in gathered
            ]
        return found

    return await asyncio.to_thread(ask)


def reasons(decisions: Sequence[Decision]) -> list[Json]:
    """Why not, each reason once."""
    found: list[Json] = []
    for decision in decisions:
        for one in decision.reasons:
            if not any(kept["code"] == one.code and kept["rule"] == one.rule for kept in found):
                found.append(one.to_json())
    return found
