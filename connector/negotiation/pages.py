"""What the negotiation room adds to timelines: each negotiation, what waits for a person in it, each agreement."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, select

from connector.evidence.service import proven
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.negotiation import hands
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.service import agreements, differences, negotiations
from connector.web.access import duty
from connector.web.cells import Badge, Cell, Outcome
from connector.web.faces import Faces, Look
from connector.web.forms import Writing
from connector.web.home import Todo
from connector.web.layout import HEADERS
from connector.web.people import Person
from connector.web.policies import policy
from connector.web.timeline import Action, Panel, Table
from vocab.errors import Refusal
from vocab.words.values import At, AtSecond, Said

router = APIRouter(include_in_schema=False)

_Step = Callable[[Runtime, str, str], Awaitable[Negotiation]]

#: Who decides what waits, by side.
DECIDERS: Final[Mapping[str, tuple[str, ...]]] = {"provider": ("steward",), "consumer": ("pi", "analyst")}
#: What can be done on a page in which state, beside ending it. Another offer is written by API: it is a document.
STEPS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("provider", "REQUESTED"): ("agree", "offer"),
    ("provider", "ACCEPTED"): ("agree",),
    ("provider", "VERIFIED"): ("finalise",),
    ("consumer", "OFFERED"): ("accept",),
    ("consumer", "AGREED"): ("verify",),
}
_DONE_BY: Final[Mapping[str, _Step]] = {
    "agree": hands.agree,
    "offer": hands.offer,
    "accept": hands.accept,
    "verify": hands.verify,
    "finalise": hands.finalise,
}
ROWS: Final = 100
OUTCOMES: Final[dict[str, Outcome]] = {"FINALIZED": "done", "TERMINATED": "refused"}
AGREEMENTS: Final[dict[str, Outcome]] = {
    "FINALIZED": "done",
    "AGREED": "waiting",
    "ENDED": "done",
    "VOID": "refused",
}


@router.post("/negotiations/{pid}/do/{step}")
async def take(
    request: Request,
    pid: str,
    step: str,
    person: Annotated[Person, Depends(duty("steward", "pi", "analyst"))],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """A step that waited, taken by the person who looked; then the study again."""
    runtime: Runtime = request.app.state.runtime
    row = await runtime.store.read(lambda session: session.get(Negotiation, pid))
    if row is None or (step != "terminate" and step not in _DONE_BY):
        raise Refusal("not-found", what=pid)
    if person.duties.isdisjoint(DECIDERS[row.side]):
        raise Refusal("duty-missing", needed=list(DECIDERS[row.side]), seen=sorted(person.duties))
    if step == "terminate":
        await hands.stop(runtime, pid, person.id, reason or None)
    else:
        await _DONE_BY[step](runtime, person.id, pid)
    back = f"/studies/{quote(row.study, safe='')}" if row.study else "/"
    return RedirectResponse(back, 303, headers=dict(HEADERS))


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    talks = negotiations(look.session, look.study, limit=ROWS)
    if not talks:
        return
    name = runtime.get(Faces).name
    headers = ("dataset", "member-name", "state", "negotiation-why", "last-change")
    rows = tuple(_negotiation(row, name(row.peer)) for row in sorted(talks, key=lambda row: row.changed_at))
    yield Panel("panel-negotiations", Table(Said("negotiations-caption"), headers, rows), wide=True)
    for talk in talks:
        if talk.waits and not look.person.duties.isdisjoint(DECIDERS[talk.side]):
            yield from _waiting(talk, name(talk.peer))
    agreed = agreements(look.session, look.study, limit=ROWS)
    if agreed:
        headers = ("dataset", "agreement", "state", "agreement-receipt", "agreement-until")
        lines = tuple(_agreement(row, complete=proven(look.session, "agreement", row.id)) for row in agreed)
        yield Panel("panel-agreements", Table(Said("agreements-caption"), headers, lines), wide=True)
    for row in agreed:
        if row.state == "FINALIZED":
            yield Panel(
                "panel-agreed-policy", policy(row.id, row.policy, name), Said("agreed-on", {"dataset": row.dataset})
            )


def _waiting(row: Negotiation, peer: Cell) -> Iterable[Panel]:
    """What a person is asked: the clauses that the last turn changed, and each thing that can be done now."""
    changed = tuple((one["path"], one["was"] or "–", one["is"] or "–") for one in differences(row))
    if changed:
        table = Table(Said("clauses-caption"), ("clause", "clause-was", "clause-is"), changed)
        yield Panel("panel-clauses", table, Said("clauses-of", {"dataset": row.dataset}), wide=True)
    url = f"/negotiations/{quote(row.id, safe='')}/do"
    about = {"dataset": row.dataset, "peer": peer}
    for step in STEPS.get((row.side, row.state), ()):
        action = Action(f"talk-{step}", Said(f"talk-{step}-warning", about), "talk-do", f"{url}/{step}", danger=False)
        yield Panel(f"panel-talk-{step}", action)
    end = Action(
        "talk-terminate",
        Said("talk-terminate-warning", about),
        "talk-do",
        f"{url}/terminate",
        ask=(Writing("reason", "reason"),),
    )
    yield Panel("panel-talk-terminate", end)


def _todos(session: Session, person: Person, _now: int) -> Iterable[Todo]:
    query = select(Negotiation).where(Negotiation.waits).order_by(Negotiation.id).limit(ROWS)
    for row in session.exec(query):
        if row.study and not person.duties.isdisjoint(DECIDERS[row.side]):
            link = f"/studies/{quote(row.study, safe='')}"
            yield Todo(Said("todo-talk", {"dataset": row.dataset}), At(row.changed_at), link)


def _negotiation(row: Negotiation, peer: Cell) -> tuple[Cell, ...]:
    said = "negotiation-waits-here" if row.waits else f"negotiation-{row.state or 'begun'}"
    state = Badge(OUTCOMES.get(row.state, "waiting"), Said(said))
    return row.dataset, peer, state, row.reason or row.code, AtSecond(row.changed_at)


def _agreement(row: Agreement, *, complete: bool) -> tuple[Cell, ...]:
    """An agreement may be used only once its receipt is signed by both and proven in the log."""
    state = Badge(AGREEMENTS.get(row.state, "failed"), Said(f"agreement-{row.state}"))
    receipt = Badge("done", Said("agreement-usable")) if complete else Badge("waiting", Said("agreement-waits"))
    return row.dataset, row.id, state, receipt, At(row.until)


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.panels.append(partial(_panels, runtime))
    faces.todos.append(_todos)


room = Room(install, (router,))
