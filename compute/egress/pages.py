"""What waits at the zone's door: requests to release, with what the checks found, and the reviewer's form."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, col, select

from compute.egress import releases, verifications
from compute.egress.model import Release, Review, Verification
from compute.egress.reviews import review, reviews
from connector.evidence.pages import names
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.service import Rights
from connector.web import cards
from connector.web.access import duty, signed_in
from connector.web.cells import Badge, Cell, Link, Outcome
from connector.web.faces import Faces, Look
from connector.web.forms import Choice, Writing
from connector.web.forms import Form as Fields
from connector.web.home import Todo
from connector.web.layout import HEADERS, render
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import Figure, Panel, Table, Timeline
from vocab.words.values import At, AtSecond, Bytes, Said, Value

router = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]

ROWS: Final = 100
STATES: Final[dict[str, Outcome]] = {
    "review": "waiting",
    "refused": "refused",
    "rejected": "refused",
    "released": "done",
    "running": "waiting",
    "passed": "done",
    "failed": "failed",
}
VERDICTS: Final = (("release", "verdict-release"), ("refuse", "verdict-refuse"))


@router.get("/reviews")
async def reviews_page(
    request: Request, _person: Anyone, before: Annotated[int | None, Query(ge=0, lt=1 << 53)] = None
) -> Response:
    """The requests, newest first."""
    runtime: Runtime = request.app.state.runtime
    faces = runtime.get(Faces)

    def look(session: Session) -> Timeline:
        query = select(Release).order_by(col(Release.asked_at).desc(), col(Release.id)).limit(ROWS)
        rows = list(session.exec(query if before is None else query.where(Release.asked_at < before)))
        return Timeline(
            title=Said("reviews"),
            now_ms=runtime.now(),
            refresh_url="/reviews",
            panels=(Panel("reviews", requests_table(rows, faces), wide=True),),
            older_url=f"/reviews?before={rows[-1].asked_at}" if len(rows) == ROWS else None,
        )

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.get("/reviews/{release}")
async def review_page(request: Request, release: str, person: Anyone) -> Response:
    """One request: the files, the report of the zone's own validation, what people said, and the form."""
    runtime: Runtime = request.app.state.runtime

    def look(session: Session) -> Timeline:
        row = releases.load(session, release)
        verified = verifications.load(session, row.verification) if row.verification else None
        may = may_review(runtime, person)
        return view(row, verified, reviews(session, row.id), person, names(runtime), runtime.now(), may=may)

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.post("/reviews/{release}/do/review")
async def decide(
    request: Request,
    release: str,
    person: Annotated[Person, Depends(duty("reviewer"))],
    verdict: Annotated[Literal["release", "refuse"], Form()],
    reason: Annotated[str, Form(min_length=1, max_length=2000)],
) -> Response:
    """The reviewer's decision; then the request again."""
    await review(request.app.state.runtime, person.id, release, verdict, reason)
    return RedirectResponse(f"/reviews/{quote(release)}", 303, headers=dict(HEADERS))


def may_review(runtime: Runtime, person: Person) -> bool:
    """Is this person a reviewer whom the operator appointed? Whether of this request, the service says."""
    standing = runtime.get(Rights).standing
    return "reviewer" in person.duties and standing is not None and person.id in {one.id for one in standing.reviewers}


def view(
    row: Release,
    verified: Verification | None,
    said: Sequence[Review],
    person: Person,
    name: Callable[[str], Value],
    now: int,
    *,
    may: bool,
) -> Timeline:
    """The page of one request."""
    panels = [Panel("release-files", files_table(row.files), wide=True)]
    if verified is not None and verified.card is not None:
        panels.append(Panel("panel-card", cards.panel(verified.card["body"]), wide=True))
    if said:
        panels.append(Panel("reviews-said", reviews_table(said, name), wide=True))
    if may and row.state == "review" and person.id not in {one.person for one in said}:
        fields = (Choice("verdict", "verdict", VERDICTS), Writing("reason", "reason", 3))
        form = Fields(f"/reviews/{quote(row.id)}/do/review", fields, "verdict-do", note=Said("verdict-note"))
        panels.append(Panel("my-review", form, wide=True))
    return Timeline(
        title=Said("review-of", {"who": name(row.consumer)}),
        now_ms=now,
        refresh_url=f"/reviews/{quote(row.id)}",
        study=row.study,
        facts=(
            Figure("state", Badge(STATES.get(row.state, "failed"), Said(f"release-{row.state}"))),
            Figure("release-requester", row.requester),
            Figure("task", row.task),
            Figure("release-residual", Bytes(row.residual_bytes)),
            Figure("release-asked", At(row.asked_at)),
        ),
        panels=tuple(panels),
    )


def requests_table(rows: Iterable[Release], faces: Faces) -> Table:
    """The requests as a list."""
    headers = ("release", "member-name", "state", "release-count", "release-residual", "release-asked")
    return Table(Said("reviews-caption"), headers, tuple(_request(row, faces) for row in rows))


def files_table(files: Iterable[dict[str, Any]]) -> Table:
    """The files of a request with what the checks found of each."""
    headers = ("release-file", "release-kind", "release-bytes", "state", "release-findings")
    return Table(Said("release-files-caption"), headers, tuple(_file(one) for one in files))


def reviews_table(rows: Iterable[Review], name: Callable[[str], Value]) -> Table:
    """What the reviewers said."""
    headers = ("reviewer", "organisation", "verdict", "reason", "key-at")
    return Table(None, headers, tuple(_review(row, name) for row in rows))


def _request(row: Release, faces: Faces) -> tuple[Cell, ...]:
    state = Badge(STATES.get(row.state, "failed"), Said(f"release-{row.state}"))
    link = Link(row.id[:8], f"/reviews/{quote(row.id)}")
    return link, faces.name(row.consumer), state, len(row.files), Bytes(row.residual_bytes), At(row.asked_at)


def _file(one: dict[str, Any]) -> tuple[Cell, ...]:
    state = Badge(STATES.get(one["state"], "failed"), Said(f"release-{one['state']}"))
    findings = [
        Said("release-finding", {"code": found["code"], "seen": found["seen"], "needed": found["needed"]})
        for found in one["findings"]
    ]
    return one["name"], one["kind"], Bytes(one["bytes"]), state, findings or None


def _review(row: Review, name: Callable[[str], Value]) -> tuple[Cell, ...]:
    verdict = Badge("done" if row.verdict == "release" else "refused", Said(f"verdict-{row.verdict}"))
    return name(row.person), row.organisation, verdict, row.reason, AtSecond(row.at)


def _todos(runtime: Runtime, session: Session, person: Person, _now: int) -> Iterable[Todo]:
    if not may_review(runtime, person):
        return
    for row in session.exec(select(Release).where(Release.state == "review").order_by(col(Release.asked_at))):
        if person.id not in {one.person for one in reviews(session, row.id)}:
            who = runtime.get(Faces).name(row.consumer)
            yield Todo(Said("todo-review", {"who": who}), At(row.asked_at), f"/reviews/{quote(row.id)}")


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    found = verifications.of_study(look.session, look.study)
    card = next((one.card for one in reversed(found) if one.card is not None), None)
    if card is not None:
        yield Panel("panel-card", cards.panel(card["body"]), wide=True)
    rows = releases.of_study(look.session, look.study)
    if rows:
        yield Panel("reviews", requests_table(rows, runtime.get(Faces)), wide=True)


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.todos.append(partial(_todos, runtime))
    faces.panels.append(partial(_panels, runtime))
    runtime.get(Site).items.append(Item("/reviews", "reviews"))


room = Room(install, (router,))
