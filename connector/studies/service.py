"""A study's story on the company's side: draft, application, permit, agreements with every hospital or none, end."""

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlmodel import Session, select

from connector.evidence import journal
from connector.identity.service import ask
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Performed, Promise, TryLater
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.service import IN_FORCE, agreement_facts, agreements, begin, look, negotiations
from connector.negotiation.states import TERMINAL
from connector.rights.model import PermitRow
from connector.rights.relay import demand, relayed
from connector.rights.service import Rights
from connector.studies.model import Study
from connector.studies.states import State, Step, after
from vocab.errors import Refusal
from vocab.records.envelope import canonical, signed

Json = dict[str, Any]

CLOSE: Final = "study-close"
#: A plan is text and lists, not data.
LARGEST_PLAN: Final = 200_000


@dataclass(frozen=True, slots=True)
class StudyAgreements:
    """The agreements of a study. Only when `complete` may any of them be used: all hospitals, or none."""

    agreements: tuple[Agreement, ...]
    missing: tuple[str, ...]
    waiting: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Every dataset of the permit has an agreement whose receipt both signed and the log holds."""
        return bool(self.agreements) and not self.missing and not self.waiting


async def draft(runtime: Runtime, person: str, title: str, plan: Json) -> Study:
    """A new study. A draft always saves: what it lacks is told when it is applied for."""
    _demand_small(plan)
    now = runtime.now()

    def begin(unit: Unit) -> Study:
        row = Study(id=uuid.uuid4().urn, title=title, plan=plan, by=person, begun_at=now, changed_at=now)
        unit.session.add(row)
        journal.record(unit, "study-drafted", now=now, study=row.id, by=person, title=title)
        return row

    return await runtime.store.run(begin)


async def save(runtime: Runtime, study: str, title: str | None, plan: Json | None) -> Study:
    """Changes title or plan. Raises `Refusal("study-state")` once there is a permit: it covers what was applied for."""
    _demand_small(plan or {})

    def change(unit: Unit) -> Study:
        row = _moved(unit.session, study, Step.SAVE, runtime.now())
        row.title, row.plan = title or row.title, row.plan if plan is None else plan
        return row

    return await runtime.store.run(change)


async def apply(runtime: Runtime, study: str, person: str) -> Study:
    """Applies to the shared board with a signed application; the board's refusal is raised, the study stays a draft.

    Sent twice, the board takes it once: after an answer that was lost, applying again is the remedy.
    """
    row = await runtime.store.read(lambda session: studied(session, study))
    after(State(row.state), Step.APPLY)
    body = {**row.plan, "type": "application", "id": row.id, "title": row.title, "applicant": runtime.did}
    envelope = signed(body, runtime.did, runtime.keys.sign)
    operator = runtime.settings.authority
    try:
        answer = await ask(runtime, "POST", f"{operator.url}/applications", operator.did, json=envelope)
    except Unreachable as error:
        raise Refusal("operator-unreachable", why=error.why, study=study) from None
    if not answer.ok:
        refusal = relayed(answer)
        refusal.values.setdefault("study", study)
        raise refusal

    def applied(unit: Unit) -> Study:
        now = runtime.now()
        kept = studied(unit.session, study)
        if kept.plan != row.plan or kept.title != row.title:
            raise Refusal("changed-meanwhile", what="plan", study=study)
        if kept.state != State.PERMITTED:  # the permit may overtake the answer
            kept = _moved(unit.session, study, Step.APPLY, now)
        kept.application = envelope
        journal.record(unit, "application-sent", now=now, study=study, by=person)
        return kept

    return await runtime.store.run(applied)


async def negotiate(runtime: Runtime, study: str, person: str) -> list[Negotiation]:
    """Starts a negotiation for each dataset of the permit that has neither an agreement nor a negotiation under way.

    All are started in one unit, or none. Raises `Refusal`: study-state without a permit; whatever keeps one from being
    asked for.
    """
    wanted = await runtime.store.read(lambda session: _unasked(session, study))
    asked = [await look(runtime, provider, dataset, study) for dataset, provider in wanted.items()]

    def start(unit: Unit) -> list[Negotiation]:
        still = _unasked(unit.session, study)
        running = (one.together for one in _running(unit.session, study))
        together = next((one for one in running if one), str(uuid.uuid4()))
        return [begin(unit, runtime, one, study, person, together) for one in asked if one.dataset in still]

    return await runtime.store.run(start)


async def close(runtime: Runtime, study: str, person: str) -> Study:
    """Ends a study: the zone deletes and certifies, then the permit ends. Promised, and carried on after a crash."""

    def end(unit: Unit) -> Study:
        now = runtime.now()
        before = studied(unit.session, study).state
        row = _moved(unit.session, study, Step.CLOSE, now)
        if row.state == State.CLOSING and before != State.CLOSING:
            outbox.promise(unit, f"study {study}", CLOSE, {"study": study}, now=now, study=study)
        journal.record(unit, "study-ending", now=now, study=study, by=person)
        return row

    return await runtime.store.run(end)


def study_agreements(session: Session, study: str) -> StudyAgreements:
    """The study's agreements in force, the datasets without one, and those whose receipt is not complete."""
    row = studied(session, study)
    permit = session.get(PermitRow, row.permit) if row.permit else None
    wanted = [one["id"] for one in permit.fields["datasets"]] if permit else []
    found = {one.dataset: one for one in agreements(session, study) if one.state == "FINALIZED"}
    facts = {dataset: agreement_facts(session, one.id) for dataset, one in found.items()}
    return StudyAgreements(
        agreements=tuple(found[dataset] for dataset in wanted if dataset in found),
        missing=tuple(dataset for dataset in wanted if dataset not in found),
        waiting=tuple(dataset for dataset, known in facts.items() if not known or not known["receipt_complete"]),
    )


def studied(session: Session, study: str) -> Study:
    """The study with this id. Raises `Refusal("study-unknown")`."""
    row = session.get(Study, study)
    if row is None:
        raise Refusal("study-unknown", study=study)
    return row


def studies(session: Session, *, after_id: str = "", limit: int = 100) -> list[Study]:
    """This company's studies, by id."""
    return list(session.exec(select(Study).where(Study.id > after_id).order_by(Study.id).limit(limit)))


def shown(session: Session, row: Study) -> Json:
    """A study as its people see it: with its negotiations and what still keeps its agreements from use."""
    found = study_agreements(session, row.id)
    running = _running(session, row.id)
    return {
        **row.model_dump(exclude={"application"}),
        "state": "agreed" if row.state == State.PERMITTED and found.complete else row.state,
        "agreements": [{"id": one.id, "dataset": one.dataset, "provider": one.provider} for one in found.agreements],
        "complete": found.complete,
        "missing": list(found.missing),
        "waiting": list(found.waiting),
        "negotiating": [{"id": one.id, "dataset": one.dataset, "state": one.state} for one in running],
    }


async def _close(runtime: Runtime, row: Promise) -> Performed:
    """Performs `study-close`: first the zone, while the permit still stands, then the board. Each may hear it twice."""
    study = row.payload["study"]
    zone = await runtime.store.read(lambda session: _zone(session, study))
    member = runtime.get(Rights).demand().member(zone) if zone else None
    if member is not None:
        answer = await ask(runtime, "POST", f"{member.url}/studies/{study}/close", member.did, json={})
        if answer.status != 404:  # 404: nothing of this study was ever there
            demand(answer, 202)
    operator = runtime.settings.authority
    answer = await ask(runtime, "POST", f"{operator.url}/applications/{study}/close", operator.did)
    demand(answer, 200)
    if not isinstance(answer.body, dict) or answer.body.get("id") != study:
        raise TryLater("the answer speaks of no application of ours")

    def closed(unit: Unit) -> None:
        _moved(unit.session, study, Step.CLOSED, runtime.now())
        journal.record(unit, "study-closed", now=runtime.now(), study=study)

    return closed


def _close_given_up(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """Somebody said no: the person sees it, and may close again."""
    journal.refused(unit, refusal, now=runtime.now(), kind="study-ending", study=row.study)
    kept = studied(unit.session, row.payload["study"])
    if kept.state == State.CLOSING:
        kept.state = State.PERMITTED if kept.permit else State.APPLIED


def _permitted(unit: Unit, row: PermitRow) -> None:
    """A permit of one of our studies arrived."""
    kept = unit.session.get(Study, row.study)
    if kept is not None and (State(kept.state), Step.PERMIT) in _ARRIVES:
        kept.state, kept.permit = State.PERMITTED, row.id
        kept.changed_at = row.received_at


#: A permit that arrives for a study that is over changes nothing.
_ARRIVES: Final = frozenset({(state, Step.PERMIT) for state in (State.DRAFT, State.APPLIED, State.PERMITTED)})


def _moved(session: Session, study: str, step: Step, now: int) -> Study:
    row = studied(session, study)
    try:
        row.state = after(State(row.state), step)
    except Refusal as refusal:
        refusal.values.update(study=study)
        raise
    row.changed_at = now
    return row


def _unasked(session: Session, study: str) -> dict[str, str]:
    """Datasets of the permit without an agreement and without a negotiation under way, each with its provider."""
    row = studied(session, study)
    after(State(row.state), Step.NEGOTIATE)
    permit = session.get(PermitRow, row.permit)
    taken = {one.dataset for one in agreements(session, study) if one.state in IN_FORCE}
    taken |= {one.dataset for one in _running(session, study)}
    return {one["id"]: one["provider"] for one in permit.fields["datasets"] if one["id"] not in taken} if permit else {}


def _running(session: Session, study: str) -> list[Negotiation]:
    return [one for one in negotiations(session, study, limit=500) if one.state not in TERMINAL]


def _zone(session: Session, study: str) -> str | None:
    row = session.get(Study, study)
    permit = session.get(PermitRow, row.permit) if row and row.permit else None
    return str(permit.fields["zone"]) if permit else None


def _demand_small(plan: Json) -> None:
    size = len(canonical(plan))
    if size > LARGEST_PLAN:
        raise Refusal("plan-too-large", needed=LARGEST_PLAN, seen=size)


def install(runtime: Runtime) -> None:
    """Registers what this room performs, and that it hears of permits."""
    runtime.outbox.handlers[CLOSE] = Handler(partial(_close, runtime), partial(_close_given_up, runtime))
    runtime.get(Rights).on_permit.append(_permitted)
