"""The page of the members: who takes part, in which state, who may review, which standing list is in force."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.cells import Badge, Cell, Outcome
from connector.web.layout import render
from connector.web.people import Person
from connector.web.policies import concept
from connector.web.site import Item, Site
from connector.web.timeline import Figure, Panel, Table, Timeline, clock
from governance.members import service
from governance.members.model import Issued, MemberRow, ReviewerRow
from governance.members.standing import newest
from governance.members.states import State
from vocab.words.values import At, Both, Said

router = APIRouter(include_in_schema=False)

ROWS: Final = 100
OUTCOMES: Final[dict[str, Outcome]] = {
    State.INVITED: "waiting",
    State.ACTIVE: "done",
    State.SUSPENDED: "waiting",
    State.ENDED: "refused",
}
HEADERS: Final = ("member-name", "camp", "state", "member-purposes", "member-diseases", "last-change")


@router.get("/members")
async def members_page(
    request: Request,
    _person: Annotated[Person, Depends(signed_in)],
    after: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The members, by DID."""
    runtime: Runtime = request.app.state.runtime

    def look(session: Session) -> Timeline:
        rows = service.members(session, after_did=after, limit=ROWS)
        return view(rows, service.reviewers(session), newest(session), runtime.now())

    return render(request, "timeline.html", page=await runtime.store.read(look))


def view(rows: Sequence[MemberRow], reviewers: Sequence[ReviewerRow], standing: Issued | None, now: int) -> Timeline:
    """The page from the room's rows."""
    facts: tuple[Figure, ...] = ()
    if standing is not None:
        facts = (
            Figure("standing-seq", standing.seq, At(standing.at)),
            clock("standing-valid", standing.envelope["body"]["valid_until"], now),
            Figure("standing-release", standing.envelope["body"]["release"]),
        )
    appointed = tuple((row.id, row.organisation, At(row.at)) for row in reviewers)
    return Timeline(
        title=Said("members"),
        now_ms=now,
        refresh_url="/members",
        facts=facts,
        panels=(
            Panel("members", Table(Said("members-caption"), HEADERS, tuple(map(_member, rows))), wide=True),
            Panel(
                "reviewers",
                Table(Said("reviewers-caption"), ("reviewer", "organisation", "appointed"), appointed),
            ),
        ),
        older_url=f"/members?after={rows[-1].did}" if len(rows) == ROWS else None,
    )


def _member(row: MemberRow) -> tuple[Cell, ...]:
    return (
        Both(row.name["ko"], row.name["en"]),
        Said(f"camp-{row.camp}"),
        Badge(OUTCOMES.get(row.state, "failed"), Said(f"member-{row.state}")),
        [concept(one) for one in row.purposes],
        list(row.diseases),
        At(row.changed_at),
    )


def install(runtime: Runtime) -> None:
    """Adds the members to the menu."""
    runtime.get(Site).items.append(Item("/members", "members"))


room = Room(install, (router,))
