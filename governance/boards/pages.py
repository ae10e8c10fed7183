"""The board's pages: what waits for me, and one case with its votes and its arithmetic."""

from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.pages import STATES as PERMITS
from connector.rights.service import Rights, Standing
from connector.rights.standing import Member
from connector.web import board
from connector.web.access import signed_in
from connector.web.cells import Badge, Link
from connector.web.faces import Faces, Known, Look
from connector.web.home import Home, StudyLine, Todo
from connector.web.layout import HEADERS, render
from connector.web.people import Person
from connector.web.policies import concept
from connector.web.site import Item, Site, site_of
from connector.web.timeline import Figure, Table
from governance.boards import actions, permits, service
from governance.boards.case import Case, case
from governance.boards.model import ApplicationRow, PermitIssued
from governance.boards.rules import RULES
from governance.boards.states import Duty, State
from vocab.words import known
from vocab.words.values import At, Day, Lasting, Said, Value

pages = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]

_OUTCOMES: Final[dict[State, Literal["waiting", "done", "refused"]]] = {
    State.PRE_SCREEN: "waiting",
    State.DELIBERATION: "waiting",
    State.APPROVED: "done",
    State.CLOSED: "done",
    State.RETURNED: "refused",
    State.REJECTED: "refused",
    State.WITHDRAWN: "refused",
}
#: duty -> the state in which something waits for it, and the words for it
_WAITS: Final = {
    Duty.SECRETARY: (State.PRE_SCREEN, "todo-prescreen"),
    Duty.MEMBER: (State.DELIBERATION, "todo-vote"),
    Duty.CHAIR: (State.DELIBERATION, "todo-decide"),
}


@pages.get("/board")
async def cases(request: Request, person: Anyone) -> Response:
    """The applications, and what of them waits for the person who asks."""
    runtime: Runtime = request.app.state.runtime
    standing = runtime.get(Rights).demand()

    def look(session: Session) -> list[Case]:
        rows = service.applications(session, limit=500)
        return [case(session, standing, row.id) for row in rows]

    found = await runtime.store.read(look)
    todos = tuple(todo for one in found for todo in _todos(one, person))
    lines = tuple(_line(one.row) for one in sorted(found, key=lambda one: -one.row.submitted_at))
    return render(request, "home.html", page=Home(runtime.now(), todos, lines, title_key="board"))


@pages.get("/board/{application}")
async def one_case(request: Request, application: str, person: Anyone) -> Response:
    """One case."""
    runtime: Runtime = request.app.state.runtime
    standing = runtime.get(Rights).demand()

    def look(session: Session) -> tuple[Case, PermitIssued | None]:
        return case(session, standing, application), permits.of_application(session, application)

    found, permit = await runtime.store.read(look)
    page = view(found, permit, standing, site_of(request), person, runtime.now())
    return render(request, "board.html", page=page)


@pages.post("/board/{application}/votes")
async def cast(
    request: Request,
    application: str,
    person: Anyone,
    vote: Annotated[Literal["yes", "no", "abstain"], Form()],
    reason: Annotated[str, Form(min_length=1, max_length=2000)],
) -> Response:
    """A vote from the form; then the case again."""
    runtime: Runtime = request.app.state.runtime
    await service.vote(runtime, person, application, vote, reason)
    return RedirectResponse(f"/board/{application}", 303, headers=dict(HEADERS))


def view(
    found: Case, permit: PermitIssued | None, standing: Standing, site: Site, person: Person, now: int
) -> board.BoardCase:
    """The page of one case as `person` sees it."""
    row, application = found.row, found.application
    facts = [Figure("risk", Said(f"board-risk-{application.risk}"))]
    if row.deadline_at is not None:
        facts.append(Figure("deadline", At(row.deadline_at)))
    if permit is not None:
        facts.append(
            Figure("board-item-permit", Badge(PERMITS[permit.state], Said(f"permit-{permit.state}")), Day(permit.until))
        )
    why = _why_no_vote(found, person)
    return board.BoardCase(
        title=application.title,
        case=row.id,
        now_ms=now,
        refresh_url=f"/board/{row.id}",
        state=_state(row),
        outcome=_OUTCOMES[State(row.state)],
        facts=tuple(facts),
        application=_table(found, standing),
        seats=_seats(found, site),
        arithmetic=_lines(found),
        vote_url=None if why else f"/board/{row.id}/votes",
        why_no_vote=why,
        more=actions.panels(found, permit, person),
    )


def _token(name: str) -> Value:
    """One of the profile's short words."""
    return Said(f"policy-token-{name}") if known(f"policy-token-{name}") else name


def _table(found: Case, standing: Standing) -> Table:
    application, irb = found.application, found.application.irb
    applicant, zone = standing.member(application.applicant), standing.member(application.zone)
    rows: list[tuple[Value, Value]] = [
        (Said("board-item-question"), application.question),
        (Said("board-item-applicant"), _name(applicant, application.applicant)),
        (Said("board-item-purpose"), [concept(application.purpose), concept(application.legal_purpose)]),
        (Said("board-item-zone"), _name(zone, application.zone)),
        (Said("board-item-period"), Lasting(application.period_ms)),
        (Said("board-item-attestations"), len(application.attestations)),
    ]
    if irb is not None:
        values = {"decision": _token(irb.decision), "number": irb.number, "until": Day(irb.until)}
        rows.append((Said("board-item-irb"), Said("board-item-irb-value", values)))
    rows += [
        (Said("board-item-dataset", {"id": one.id, "count": len(one.columns)}), list(one.columns))
        for one in application.datasets
    ]
    rows += [(Said("board-item-vetoed", {"id": veto.dataset}), veto.reason) for veto in found.vetoes]
    return Table(None, ("item", "value"), tuple(rows))


def _name(member: Member | None, did: str) -> str:
    return f"{member.name.ko} / {member.name.en}" if member else did


def _seats(found: Case, site: Site) -> tuple[board.Seat, ...]:
    votes = {one.member: one for one in found.votes}
    shown = []
    for seat in found.seat_rows:
        person, ballot = site.people.get(seat.member), votes.get(seat.member)
        why = found.recused.get(seat.member)
        shown.append(
            board.Seat(
                name=person.name if person else seat.member,
                external=seat.external,
                recused=Said(f"board-conflict-{why}") if why else None,
                vote=ballot.envelope["body"]["vote"] if ballot else None,
                reason=ballot.envelope["body"]["reason"] if ballot else None,
                at=At(ballot.at) if ballot else None,
            )
        )
    return tuple(shown)


def _lines(found: Case) -> tuple[board.Line, ...]:
    numbers = found.numbers
    rows = (
        ("board-rule-seated", RULES.seats, numbers.seated),
        ("board-rule-external-seated", RULES.external, numbers.external),
        ("board-rule-present", numbers.quorum, numbers.present),
        ("board-rule-yes", numbers.needed, numbers.yes),
    )
    return tuple(board.Line(Said(key), needed, seen, holds=seen >= needed) for key, needed, seen in rows)


def _why_no_vote(found: Case, person: Person) -> Said | None:
    """Why this person may not vote now; none when the form is theirs."""
    if person.id not in {row.member for row in found.seat_rows} or Duty.MEMBER not in person.duties:
        return Said("board-why-not-member")
    if found.row.state != State.DELIBERATION:
        return Said("board-why-not-deliberating")
    if person.id in found.recused:
        return Said("board-why-recused")
    return Said("board-why-voted") if person.id in {one.member for one in found.votes} else None


def _todos(found: Case, person: Person) -> list[Todo]:
    row, title = found.row, found.application.title
    waiting = []
    for held, (state, key) in _WAITS.items():
        if held not in person.duties or row.state != state:
            continue
        if held is Duty.MEMBER and _why_no_vote(found, person) is not None:
            continue
        if held is Duty.CHAIR and not found.numbers.quorate:
            continue
        waiting.append(Todo(Said(key, {"title": title}), At(row.submitted_at), f"/board/{row.id}"))
    return waiting


def _line(row: ApplicationRow) -> StudyLine:
    title = row.envelope["body"]["title"]
    return StudyLine(title, row.id, _state(row), _OUTCOMES[State(row.state)], At(row.submitted_at), f"/board/{row.id}")


def _state(row: ApplicationRow) -> Said:
    return Said(f"board-state-{row.state}")


def _known(session: Session, study: str, _now: int) -> Known | None:
    row = session.get(ApplicationRow, study)
    return Known(row.envelope["body"]["title"], _state(row), _OUTCOMES[State(row.state)]) if row else None


def _waits_for(runtime: Runtime, session: Session, person: Person, _now: int) -> list[Todo]:
    standing = runtime.get(Rights).standing
    if standing is None:
        return []
    rows = service.applications(session, limit=500)
    return [todo for row in rows for todo in _todos(case(session, standing, row.id), person)]


def _facts(look: Look) -> list[Figure]:
    row = look.session.get(ApplicationRow, look.study)
    return [Figure("case", Link(Said("application"), f"/board/{row.id}"))] if row else []


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.known.append(_known)
    faces.todos.append(partial(_waits_for, runtime))
    faces.facts.append(_facts)
    runtime.get(Site).items.append(Item("/board", "board"))


room = Room(install, (actions.doors,))
