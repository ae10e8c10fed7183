"""A company asks that files leave. First the automatic checks over the whole set, then people who did not ask."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select

from compute.egress import judgement, verifications
from compute.egress.checks import Outcome, check
from compute.egress.findings import Finding
from compute.egress.formats import form
from compute.egress.model import Release, Verification
from compute.egress.tables import Cell
from compute.egress.verifications import MODEL
from compute.tasks.model import Result, Task
from compute.tasks.places import content
from compute.tasks.service import owned
from compute.tasks.states import State
from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.policy.decisions import Decision
from connector.policy.service import Policies
from connector.rights.model import PermitRow
from vocab.errors import Refusal

Json = dict[str, Any]
_MODEL_FORM: Final = "onnx"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file as it would leave: a model is the zone's own re-encoding of it, never the bytes that a task wrote."""

    name: str
    result: Result
    raw: bytes
    verification: Verification | None

    def findings(self) -> list[Json]:
        """What the model's verification found."""
        found: list[Json] = list(self.verification.findings) if self.verification else []
        if self.verification is None and form(self.raw, ())[1].startswith(_MODEL_FORM):
            found.append(dict(Finding("not-verified", self.name, "a passed verification", "none").to_json()))
        return [{**one, "file": self.name} for one in found]


async def ask(runtime: Runtime, by: Caller, study: str, task: str, names: Sequence[str], requester: str) -> Release:
    """Checks the files and hands those that pass to the reviewers; the others are listed with their reasons.

    Raises `Refusal`: not-found for a file that the task did not leave, expired.
    """
    row, found = await runtime.store.read(lambda session: _asked(session, by.did, study, task, names))
    candidates = await _candidates(runtime, found)
    files, outcome, decisions = await _checked(runtime, row, candidates, "check", {})
    allowed = [one for one in files if one["state"] == "review"]
    release = str(uuid.uuid4())
    verified = next((one.verification for one in candidates if one.verification), None)

    def enter(unit: Unit) -> Release:
        now = runtime.now()
        spend(unit, by, now)
        cells = [dict(cell.to_json()) for one in allowed for cell in outcome.cells.get(one["name"], ())]
        entered = Release(
            id=release,
            study=row.study,
            consumer=by.did,
            task=row.id,
            requester=requester,
            state="review" if allowed else "refused",
            files=files,
            cells=cells,
            verification=verified.id if verified else None,
            residual_bytes=sum(one["residual_bytes"] for one in allowed),
            decisions=[one.to_json() for one in decisions],
            asked_at=now,
            ended_at=None if allowed else now,
        )
        unit.session.add(entered)
        journal.record(unit, "release-asked", now=now, study=row.study, by=by.did, files=[one["name"] for one in files])
        for one in files:
            _note_refused(unit, row, one, now)
        return entered

    return await runtime.store.run(enter)


@dataclass(frozen=True, slots=True)
class Again:
    """The files still under review, looked at once more: against what the study has released meanwhile."""

    task: Task
    candidates: list[Candidate]
    files: list[Json]
    decisions: list[Decision]


async def checked_again(runtime: Runtime, row: Release, step: judgement.Step, people: Mapping[str, Any]) -> Again:
    """The very bytes that were asked for, whatever was verified since. Raises `Refusal("not-found")` if one is gone."""

    def read(session: Session) -> tuple[Task, list[tuple[str, Result, Verification | None]]]:
        found = []
        for one in row.files:
            source = one["source"]
            result = session.get(Result, (source["task"], source["name"]))
            verified = session.exec(select(Verification).where(Verification.task == source["task"])).first()
            if one["state"] == "review":
                if result is None or result.destroyed_at is not None:
                    raise Refusal("not-found", what=one["name"], study=row.study)
                found.append((one["name"], result, verified))
        return owned(session, row.consumer, row.task), found

    task, found = await runtime.store.read(read)
    candidates = await _candidates(runtime, found)
    files, _, decisions = await _checked(runtime, task, candidates, step, people)
    return Again(task, candidates, files, decisions)


def of_study(session: Session, study: str | None, *, after: str = "", limit: int = 500) -> list[Release]:
    """The requests of a study, or all, by id."""
    query = select(Release).where(Release.id > after).order_by(col(Release.id)).limit(limit)
    return list(session.exec(query if study is None else query.where(Release.study == study)))


def load(session: Session, release: str, consumer: str | None = None) -> Release:
    """The request; of another company's nothing is said. Raises `Refusal("not-found")`."""
    row = session.get(Release, release)
    if row is None or consumer not in (None, row.consumer):
        raise Refusal("not-found", what=release)
    return row


def ledger(session: Session, study: str) -> list[Cell]:
    """Every cell that this study has released."""
    query = select(Release).where(Release.study == study, Release.state == "released").order_by(col(Release.ended_at))
    return [Cell.from_json(one) for row in session.exec(query) for one in row.cells]


async def _candidates(runtime: Runtime, found: Sequence[tuple[str, Result, Verification | None]]) -> list[Candidate]:
    def opened() -> list[Candidate]:
        return [Candidate(name, result, content(runtime, result), verified) for name, result, verified in found]

    return await asyncio.to_thread(opened)


async def _checked(
    runtime: Runtime, task: Task, candidates: Sequence[Candidate], step: judgement.Step, people: Mapping[str, Any]
) -> tuple[list[Json], Outcome, list[Decision]]:
    """Each file with its state, findings and what the gate said; the findings of the checks stand first."""

    def facts(session: Session) -> tuple[list[Cell], set[str]]:
        permit = session.get(PermitRow, task.permit)
        covered = permit.fields["datasets"] if permit else []
        return ledger(session, task.study), {column for one in covered for column in one["columns"]}

    released, columns = await runtime.store.read(facts)
    smallest = int(runtime.get(Policies).board["min_cell"])
    reencoded = {str(one.verification.sha256) for one in candidates if one.verification}
    outcome = await asyncio.to_thread(
        check,
        {one.name: one.raw for one in candidates},
        smallest=smallest,
        columns=columns,
        ledger=released,
        reencoded=reencoded,
    )
    told = [_told(seen.facts(), one) for seen, one in zip(outcome.files, candidates, strict=True)]
    decisions = await judgement.judged(runtime, task, told, step, people)
    files = []
    for seen, one, fact in zip(outcome.files, candidates, told, strict=True):
        answers = decisions[seen.name]
        files.append(
            {
                "name": seen.name,
                "kind": seen.kind,
                "format": seen.form,
                "bytes": seen.bytes,
                "sha256": seen.sha256,
                "state": "review" if all(answer.allow for answer in answers) else "refused",
                "findings": _findings(seen.name, fact["findings"], answers),
                "residual_bytes": fact.get("residual_bytes") or 0,
                "source": {"task": one.result.task, "name": one.result.name},
            }
        )
    return files, outcome, [answer for answers in decisions.values() for answer in answers]


def _told(facts: Mapping[str, Any], one: Candidate) -> Json:
    """What the gate is told of a file."""
    findings = [*facts["findings"], *one.findings()]
    return {**facts, **(one.verification.facts if one.verification else {}), "findings": findings}


def _findings(name: str, found: Sequence[Json], answers: Sequence[Decision]) -> list[Json]:
    """The checks' findings, then what only the gate knew."""
    codes = {one["code"] for one in found}
    more = [{**one, "file": name} for one in judgement.reasons(answers) if one["code"] not in codes]
    return [*found, *more]


def _asked(
    session: Session, consumer: str, study: str, task: str, names: Sequence[str]
) -> tuple[Task, list[tuple[str, Result, Verification | None]]]:
    """The files of an ended task of the company's own; a verified model is the verification's."""
    row = owned(session, consumer, task)
    if row.study != study or row.kind != "train" or row.at is not State.ENDED:
        raise Refusal("not-found", what=task, study=study)
    found = []
    for name in dict.fromkeys(names):
        own = session.get(Result, (task, name))
        verified = verifications.newest(session, task, name)
        held = session.get(Result, (verified.task, MODEL)) if verified else own
        if own is None or held is None or held.destroyed_at is not None:
            raise Refusal("not-found", what=name, study=study)
        found.append((name, held, verified))
    return row, found


def _note_refused(unit: Unit, task: Task, file: Mapping[str, Any], now: int) -> None:
    """Each refused file is a refusal of its own: stored, linkable, explained by its first reason."""
    if file["state"] != "refused":
        return
    first = file["findings"][0]
    refusal = Refusal(
        first["code"],
        rule=first.get("rule") or file["name"],
        needed=first["needed"],
        seen=first["seen"],
        file=file["name"],
    )
    journal.refused(unit, refusal, now=now, kind="file-refused", study=task.study, by=task.consumer)
