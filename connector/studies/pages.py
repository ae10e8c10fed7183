"""A company's pages: its studies with their state and price, the wall of refusals, the search over all hospitals."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, select

from connector.evidence.model import Receipt
from connector.evidence.pages import names
from connector.evidence.views import Name, readable
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.policy.tariff import tariff
from connector.rights.service import permit_for
from connector.statements.pages import account
from connector.studies import search, service
from connector.studies.model import Study
from connector.studies.price import due
from connector.studies.states import State
from connector.web.access import duty, signed_in
from connector.web.cells import Badge, Cell, Outcome
from connector.web.faces import Faces, Known, Look
from connector.web.home import Todo
from connector.web.layout import HEADERS, render, say
from connector.web.people import Person
from connector.web.policies import operand
from connector.web.site import Item, Site
from connector.web.timeline import Action, Figure, Panel, Refusals, Table
from vocab.errors import LANGUAGES, catalogue
from vocab.money.lines import Line
from vocab.words.values import At, Both, Said, Won

router = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]
Investigator = Annotated[Person, Depends(duty("pi"))]

STATES: Final[Mapping[str, Outcome]] = {
    State.DRAFT: "waiting",
    State.APPLIED: "waiting",
    State.PERMITTED: "done",
    State.CLOSING: "waiting",
    State.CLOSED: "done",
    State.WITHDRAWN: "refused",
}
#: What the principal investigator can do next in each state: word, and what the service calls it.
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    State.DRAFT: ("apply",),
    State.APPLIED: ("close",),
    State.PERMITTED: ("negotiate", "close"),
}


@router.get("/search")
async def search_page(
    request: Request,
    _person: Anyone,
    q: Annotated[str, Query(max_length=200)] = "",
    commercial: bool = False,
) -> Response:
    """The catalogues of all hospitals, searched: what we may apply for, what is withheld and why."""
    runtime: Runtime = request.app.state.runtime
    found = await search.search(runtime, q, commercial=commercial)
    panels = (
        Panel("panel-may-apply", may_apply(found.rows), Said("may-apply-note"), wide=True),
        Panel("panel-not-for-us", withheld(found.rows, names(request.app.state.runtime)), wide=True),
        *((Panel("panel-unasked", unasked(found.unasked)),) if found.unasked else ()),
    )
    return render(request, "search.html", q=q, commercial=commercial, panels=panels)


@router.post("/studies/{study}/do/apply")
async def apply(request: Request, study: str, person: Investigator) -> Response:
    """Applies to the board; then the study again."""
    await service.apply(request.app.state.runtime, study, person.id)
    return _back(study)


@router.post("/studies/{study}/do/negotiate")
async def negotiate(request: Request, study: str, person: Investigator) -> Response:
    """Negotiates with every hospital of the permit; then the study again."""
    await service.negotiate(request.app.state.runtime, study, person.id)
    return _back(study)


@router.post("/studies/{study}/do/close")
async def close(request: Request, study: str, person: Investigator) -> Response:
    """Ends the study; then the study again."""
    await service.close(request.app.state.runtime, study, person.id)
    return _back(study)


def may_apply(rows: Iterable[Mapping[str, Any]]) -> Table:
    """What a hospital showed us, and what it left to later gates. Never "allowed"."""
    headers = ("dataset", "dataset-title", "member-name", "state", "dataset-patients", "shown-later")
    return Table(
        Said("search-caption"), headers, tuple(_open(row) for row in rows if row.get("outcome") == "may-apply")
    )


def withheld(rows: Iterable[Mapping[str, Any]], name: Name) -> Table:
    """What is no use to us, and the smallest change. A row whose outcome we do not know stands here too."""
    headers = ("dataset", "member-name", "withheld-code", "withheld-why", "needed", "seen", "what-to-do")
    closed = tuple(_closed(row, name) for row in rows if row.get("outcome") != "may-apply")
    return Table(Said("withheld-note"), headers, closed)


def unasked(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The hospitals that did not answer: that is not the same as having nothing."""
    return Table(
        Said("unasked-caption"),
        ("member-name", "withheld-why"),
        tuple((_both(row["name"]), row["why"]) for row in rows),
    )


def price_table(lines: Iterable[Line], faces: Faces) -> Table:
    """The lines of a bill."""
    return Table(
        Said("demo-tariff"),
        ("price-line", "price-to", "price"),
        tuple((Said(f"statement-kind-{line.kind}"), account(faces, line.payee), Won(line.won)) for line in lines),
    )


def _open(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    later = [operand(one) for one in row["later"]]
    state = Badge("waiting", Said("may-apply"))
    return row["dataset"], _both(row["title"]), _both(row["provider_name"]), state, row["patients"], later


def _closed(row: Mapping[str, Any], name: Name) -> tuple[Cell, ...]:
    said, what_to_do = _both(row.get("reason")), _both(row.get("do"))
    hospital = _both(row["provider_name"])
    return (
        row["dataset"],
        hospital,
        row.get("code"),
        _reason(row, name) or said,
        readable(row.get("needed"), name),
        readable(row.get("seen"), name),
        what_to_do,
    )


def _reason(row: Mapping[str, Any], name: Name) -> Both | None:
    """A code that we know too, in our words, its values written for readers."""
    code = str(row.get("code"))
    if code not in catalogue():
        return None
    where = {one: readable(row.get(one), name) for one in ("rule", "needed", "seen")}
    return Both(*(say(code, language, {}, **where).what for language in LANGUAGES))


def _both(given: object) -> Both | None:
    """A peer's words in both languages, as far as it wrote them."""
    texts = given if isinstance(given, Mapping) else {}
    found = {language: str(texts[language]) for language in ("ko", "en") if texts.get(language)}
    some = next(iter(found.values()), None)
    return Both(found.get("ko", some), found.get("en", some)) if some else None


def _over(session: Session, study: str, now: int) -> bool:
    permit = permit_for(session, study)
    return permit is not None and permit.until <= now


def _known(session: Session, study: str, now: int) -> Known | None:
    row = session.get(Study, study)
    if row is None:
        return None
    if row.state == State.PERMITTED and _over(session, study, now):
        return Known(row.title, Said("permit-lapsed"), "done")
    found = service.study_agreements(session, study)
    state = "agreed" if row.state == State.PERMITTED and found.complete else row.state
    return Known(row.title, Said(f"study-{state}"), STATES.get(row.state, "failed"))


def _facts(runtime: Runtime, look: Look) -> Iterable[Figure]:
    lines = _due(runtime, look)
    if lines:
        yield Figure("price", Won(sum(line.won for line in lines)), Said("price-so-far"))


def _due(runtime: Runtime, look: Look) -> tuple[Line, ...]:
    permit = permit_for(look.session, look.study)
    if permit is None or permit.fields["applicant"] != runtime.did:
        return ()
    rows = look.session.exec(select(Receipt).where(Receipt.study == look.study))
    return due(permit, runtime.settings.authority.did, rows, tariff())


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    row = look.session.get(Study, look.study)
    if row is not None and "pi" in look.person.duties:
        address = f"/studies/{quote(look.study, safe='')}/do"
        agreed = service.study_agreements(look.session, look.study)
        for step in STEPS.get(row.state, ()):
            if step == "negotiate" and not agreed.missing:
                continue
            action = Action(
                f"{step}-open", Said(f"{step}-warning"), f"{step}-do", f"{address}/{step}", danger=step == "close"
            )
            yield Panel(f"panel-{step}", action)
    lines = _due(runtime, look)
    if lines:
        yield Panel("panel-cost", price_table(lines, runtime.get(Faces)))
    yield Panel("panel-refusals", Refusals(tuple(one for one in look.events if one.code is not None)), wide=True)


def _todos(session: Session, person: Person, now: int) -> Iterable[Todo]:
    if "pi" not in person.duties:
        return
    for row in service.studies(session, limit=500):
        running = row.state == State.PERMITTED and not _over(session, row.id, now)
        found = service.study_agreements(session, row.id) if running else None
        what = "todo-apply" if row.state == State.DRAFT else "todo-negotiate" if found and found.missing else None
        if what:
            link = f"/studies/{quote(row.id, safe='')}"
            yield Todo(Said(what, {"title": row.title}), At(row.changed_at), link)


def _back(study: str) -> Response:
    return RedirectResponse(f"/studies/{quote(study, safe='')}", 303, headers=dict(HEADERS))


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.known.append(_known)
    faces.todos.append(_todos)
    faces.facts.append(partial(_facts, runtime))
    faces.panels.append(partial(_panels, runtime))
    runtime.get(Site).items.append(Item("/search", "search"))


room = Room(install, (router,))
