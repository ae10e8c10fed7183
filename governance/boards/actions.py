"""What a person can do with a case beside voting: screen, step back, return, decide, change the permit.

Forms and their doors. Which of them a page offers follows from the same table of rights that the service asks.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from connector.web.access import signed_in
from connector.web.forms import Choice, Writing
from connector.web.forms import Form as Fields
from connector.web.layout import HEADERS
from connector.web.people import Person
from connector.web.timeline import Action, Panel
from governance.boards import service
from governance.boards.case import Case
from governance.boards.model import PermitIssued
from governance.boards.states import PERMIT_TRANSITIONS, RIGHTS, Command, PermitState, State
from vocab.words.values import Said

doors = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]
Reason = Annotated[str, Form(min_length=1, max_length=2000)]

#: What a permit's page can do; the rest of the commands belong to the case.
ON_PERMIT: Final = (Command.SUSPEND, Command.RESUME, Command.END)
SCREENING: Final = (("complete", "screen-complete"), ("incomplete", "screen-incomplete"))


def panels(found: Case, permit: PermitIssued | None, person: Person) -> tuple[Panel, ...]:
    """The forms for what `person` may do now."""
    able = may(State(found.row.state), person)
    member = person.id in {row.member for row in found.seat_rows} and person.id not in found.recused
    address = f"/board/{found.row.id}"
    offered: Mapping[Command, bool] = {
        Command.PRESCREEN: True,
        Command.RECUSE: member,
        Command.DECIDE: found.numbers.quorate,
        Command.RETURN: True,
    }
    shown = [_panel(command, address) for command, holds in offered.items() if holds and command in able]
    shown += [_panel(command, address) for command in _on_permit(permit) if command in able]
    return tuple(shown)


def may(state: State, person: Person) -> frozenset[Command]:
    """What the duties of `person` allow in this state."""
    return frozenset(
        command for duty, commands in RIGHTS[state].items() if duty in person.duties for command in commands
    )


def _on_permit(permit: PermitIssued | None) -> Iterable[Command]:
    if permit is None:
        return ()
    return (one for one in ON_PERMIT if (PermitState(permit.state), one) in PERMIT_TRANSITIONS)


def _panel(command: Command, address: str) -> Panel:
    """Deciding and what stops others are asked twice; everything but deciding wants a reason."""
    name, url = command.value, f"{address}/do/{command.value}"
    if command is Command.DECIDE:
        action = Action("board-decide-open", Said("board-decide-warning"), "board-decide-do", url, danger=False)
        return Panel("board-decide", action)
    if command in (Command.SUSPEND, Command.END):
        warning, asked = Said(f"board-{name}-note"), (Writing("reason", "reason"),)
        return Panel(
            f"board-{name}", Action(f"board-{name}-open", warning, f"board-{name}-do", url, danger=True, ask=asked)
        )
    fields: tuple[Choice | Writing, ...] = (Writing("reason", "reason"),)
    if command is Command.PRESCREEN:
        fields = (Choice("screening", "board-screening", SCREENING), *fields)
    return Panel(f"board-{name}", Fields(url, fields, f"board-{name}-do", note=Said(f"board-{name}-note")))


@doors.post("/board/{application}/do/prescreen")
async def prescreen(
    request: Request,
    application: str,
    person: Anyone,
    screening: Annotated[Literal["complete", "incomplete"], Form()],
    reason: Reason,
) -> Response:
    """The secretary's answer; then the case again."""
    await service.prescreen(request.app.state.runtime, person, application, screening == "complete", reason)
    return _back(application)


@doors.post("/board/{application}/do/recuse")
async def recuse(request: Request, application: str, person: Anyone, reason: Reason) -> Response:
    """A member steps back; then the case again."""
    await service.recuse(request.app.state.runtime, person, application, reason)
    return _back(application)


@doors.post("/board/{application}/do/return")
async def send_back(request: Request, application: str, person: Anyone, reason: Reason) -> Response:
    """Back to the applicant; then the case again."""
    await service.send_back(request.app.state.runtime, person, application, reason)
    return _back(application)


@doors.post("/board/{application}/do/decide")
async def decide(request: Request, application: str, person: Anyone) -> Response:
    """The chair closes the deliberation; then the case again."""
    await service.decide(request.app.state.runtime, person, application)
    return _back(application)


@doors.post("/board/{application}/do/{command}")
async def change_permit(
    request: Request, application: str, command: Literal["suspend", "resume", "end"], person: Anyone, reason: Reason
) -> Response:
    """The permit is suspended, put back in force or ended; then the case again."""
    await service.change_permit(request.app.state.runtime, person, application, Command(command), reason)
    return _back(application)


def _back(application: str) -> Response:
    return RedirectResponse(f"/board/{application}", 303, headers=dict(HEADERS))
