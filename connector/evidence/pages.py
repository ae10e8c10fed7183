"""The pages that every node has: the first one, a study's timeline, a refusal explained, the receipts.

What they show of a study beyond the journal comes from `Faces`, to which every room adds its own.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, func, select

from connector.evidence import certificates, views
from connector.evidence.model import Entry, Receipt
from connector.kit import outbox
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.faces import Faces, Look
from connector.web.home import Home, StudyLine
from connector.web.layout import language_of, render, say
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import Event, Panel, Timeline, Waiting
from vocab.errors import Refusal
from vocab.words.values import At, Said, Value

router = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]
Before = Annotated[int | None, Query(ge=0, lt=1 << 53)]

#: Entries of one page of a timeline, rows of one page of a list.
STEP: Final = 200
ROWS: Final = 50


@router.get("/")
async def home(request: Request, person: Anyone) -> Response:
    """What waits for me, the studies, and what this node waits for."""
    runtime = _runtime(request)
    now, name = runtime.now(), names(runtime)
    faces = runtime.get(Faces)

    def look(session: Session) -> Home:
        todos = [todo for ask in faces.todos for todo in ask(session, person, now)]
        studies = [_line(session, faces, row, name, now) for row in _newest_of_each(session)]
        waiting = views.waits(outbox.waiting(session), _parties(session), name, now)
        last = session.exec(select(func.max(Entry.id))).one() or 0
        return Home(
            now_ms=now,
            todos=tuple(sorted(todos, key=lambda one: one.since)),
            studies=tuple(studies),
            waits=Waiting(waiting),
            events_url=f"/api/journal/stream?after={last}",
        )

    return render(request, "home.html", page=await runtime.store.read(look))


@router.get("/studies/{study}")
async def timeline(request: Request, study: str, person: Anyone, before: Before = None) -> Response:
    """One study as this house saw it. Raises `Refusal("not-found")` for one that never touched it."""
    runtime = _runtime(request)
    now, name = runtime.now(), names(runtime)
    faces = runtime.get(Faces)
    remote = await asyncio.gather(*(ask(study, now) for ask in faces.remote)) if before is None else []

    def look(session: Session) -> Timeline:
        rows = _journal(session, study, before)
        whole = faces.study(session, study, now)
        if not rows and whole.title is None and whole.state is None:
            raise Refusal("not-found", what=study)
        events = tuple(views.event(row, name) for row in rows)
        seen = Look(session, study, person, now, events)
        waiting = [row for row in outbox.waiting(session) if row.study == study]
        shown = views.waits(waiting, _parties(session), name, now)
        panels = [panel for found in remote for panel in found]
        panels += [panel for ask in (*faces.panels, *faces.tail) for panel in ask(seen)]
        panels += [Panel("panel-waiting", Waiting(shown))] if shown else []
        address, last = f"/studies/{quote(study, safe='')}", (rows[-1].id or 0) if rows else 0
        return Timeline(
            title=whole.title or Said("study-untitled"),
            now_ms=now,
            refresh_url=address,
            study=study,
            facts=tuple(fact for ask in faces.facts for fact in ask(seen)),
            panels=tuple(panels),
            events=events,
            events_url=f"/api/journal/stream?study={quote(study, safe='')}&after={last}" if before is None else None,
            older_url=f"{address}?before={rows[0].id}" if len(rows) == STEP else None,
        )

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.get("/why/{number}")
async def why(request: Request, number: int, _person: Anyone) -> Response:
    """One stored refusal, explained to whoever works here. Raises `Refusal("not-found")`."""
    row = await _runtime(request).store.read(lambda session: session.get(Entry, number) if number < 1 << 53 else None)
    if row is None or row.code is None:
        raise Refusal("not-found", what=str(number))
    event = views.event(row, names(_runtime(request)))
    said = say(row.code, language_of(request), event.values, rule=event.rule, needed=event.needed, seen=event.seen)
    where = row.values.get("where")
    return render(request, "refusal.html", event=event, said=said, where=where, study=row.study)


@router.get("/receipts")
async def receipts(request: Request, _person: Anyone, before: Before = None) -> Response:
    """The receipts, newest first, with the files that prove them."""
    runtime = _runtime(request)
    name = names(runtime)
    query = select(Receipt).order_by(col(Receipt.at).desc(), col(Receipt.id)).limit(ROWS)
    query = query if before is None else query.where(Receipt.at < before)
    rows = await runtime.store.read(lambda session: list(session.exec(query)))
    page = Timeline(
        title=Said("receipts"),
        now_ms=runtime.now(),
        refresh_url="/receipts",
        panels=(Panel("receipts-panel", views.receipts(rows, name, runtime.now()), Said("receipts-note"), wide=True),),
        older_url=f"/receipts?before={rows[-1].at}" if len(rows) == ROWS else None,
    )
    return render(request, "timeline.html", page=page)


def names(runtime: Runtime) -> Callable[[str], Value]:
    """Who is meant by a DID or by one of our people's ids, in words where this node knows them."""
    people, faces = runtime.get(Site).people, runtime.get(Faces)

    def name(who: str) -> Value:
        if who.startswith("did:"):
            return faces.name(who)
        person = people.get(who)
        return person.name if person else who

    return name


def _journal(session: Session, study: str, before: int | None) -> list[Entry]:
    """The newest entries of a study (before one of them), oldest first."""
    query = select(Entry).where(Entry.study == study).order_by(col(Entry.id).desc()).limit(STEP)
    query = query if before is None else query.where(col(Entry.id) < before)
    return list(reversed(list(session.exec(query))))


def _newest_of_each(session: Session) -> list[Entry]:
    """The last entry of each study, the newest study first."""
    last = select(func.max(Entry.id)).where(col(Entry.study).is_not(None)).group_by(col(Entry.study))
    return list(session.exec(select(Entry).where(col(Entry.id).in_(last)).order_by(col(Entry.id).desc()).limit(ROWS)))


def _line(session: Session, faces: Faces, row: Entry, name: Callable[[str], Value], now: int) -> StudyLine:
    study, last = str(row.study), views.event(row, name)
    whole = faces.study(session, study, now)
    return StudyLine(
        title=whole.title or Said("study-untitled"),
        study=study,
        state=whole.state or _last(last),
        outcome=whole.outcome if whole.state else last.outcome,
        changed=At(row.at),
        link=f"/studies/{quote(study, safe='')}",
    )


def _last(event: Event) -> Said:
    return Said(event.words_key, event.values)


def _parties(session: Session) -> dict[str, str]:
    """Whose signature each unsigned receipt waits for."""
    rows = session.exec(select(Receipt).where(Receipt.state == "authored"))
    return {row.id: row.counterparty for row in rows if row.counterparty is not None}


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def install(runtime: Runtime) -> None:
    """Puts up the board on which the rooms above hang what they know; the certificates are this room's own."""
    runtime.add(Faces())
    runtime.get(Faces).tail.append(partial(certificates.panels, runtime))
    runtime.get(Site).items.extend([Item("/", "home"), Item("/receipts", "receipts")])


room = Room(install, (router,))
