"""The pages of a hospital's datasets: what is described, the offers as sentences, who was shown them and who not."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, select

from connector.datasets.model import Dataset, Offer, Shown
from connector.datasets.service import datasets, described, offers
from connector.evidence.pages import names
from connector.evidence.views import Name, readable
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.cells import Badge, Cell, Link
from connector.web.layout import render
from connector.web.people import Person
from connector.web.policies import operand, policy
from connector.web.site import Item, Site
from connector.web.timeline import Event, Figure, Panel, Refusals, Table, Timeline
from vocab.words import known
from vocab.words.values import At, Both, Said, Value

router = APIRouter(include_in_schema=False)

Anyone = Annotated[Person, Depends(signed_in)]

ROWS: Final = 100


@router.get("/datasets")
async def datasets_page(
    request: Request, _person: Anyone, after: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The datasets of this house, by id."""
    runtime: Runtime = request.app.state.runtime

    def look(session: Session) -> Timeline:
        rows = datasets(session, after=after, limit=ROWS)
        count = {row.id: len(offers(session, row.id)) for row in rows}
        headers = ("dataset", "dataset-title", "dataset-patients", "dataset-columns", "dataset-offers", "last-change")
        table = Table(Said("datasets-caption"), headers, tuple(_line(row, count[row.id]) for row in rows))
        return Timeline(
            title=Said("datasets"),
            now_ms=runtime.now(),
            refresh_url="/datasets",
            panels=(Panel("datasets", table, wide=True),),
            older_url=f"/datasets?after={quote(rows[-1].id)}" if len(rows) == ROWS else None,
        )

    return render(request, "timeline.html", page=await runtime.store.read(look))


@router.get("/datasets/{dataset}")
async def dataset_page(request: Request, dataset: str, _person: Anyone) -> Response:
    """One dataset. Raises `Refusal("dataset-unknown")`."""
    runtime: Runtime = request.app.state.runtime
    name = names(request.app.state.runtime)

    def look(session: Session) -> Timeline:
        row, published = described(session, dataset), offers(session, dataset)
        return view(row, published, decisions(session, published), name, runtime.now())

    return render(request, "timeline.html", page=await runtime.store.read(look))


def view(row: Dataset, published: Sequence[Offer], shown: Sequence[Shown], name: Name, now: int) -> Timeline:
    """The page from the room's rows."""
    refusals = [_withheld(one, row.id, name) for one in shown if not one.allow and one.code]
    return Timeline(
        title=_both(row.form["title"]),
        now_ms=now,
        refresh_url=f"/datasets/{quote(row.id)}",
        facts=(
            Figure("dataset", row.id, Said("dataset-revised", {"n": row.revised, "at": At(row.published_at)})),
            Figure("dataset-patients", row.form["patients"], Said("dataset-rounded")),
            Figure("dataset-walls", row.min_walls),
            Figure("dataset-synthetic", row.synthetic),
            Figure("dataset-deid", row.deid_profile),
        ),
        panels=(
            *(
                Panel(
                    "panel-offer", policy(one.id, one.normalised, name), Said("offer-of", {"at": At(one.published_at)})
                )
                for one in published
            ),
            Panel("panel-shown", shown_table([one for one in shown if one.allow], name), wide=True),
            Panel("panel-withheld", Refusals(tuple(refusals)), Said("withheld-note"), wide=True),
            Panel("panel-columns", _columns(row), wide=True),
        ),
    )


def decisions(session: Session, published: Iterable[Offer]) -> list[Shown]:
    """The newest answer of the gate for each peer and offer, newest first."""
    ids = [one.id for one in published]
    rows = session.exec(select(Shown).where(col(Shown.offer).in_(ids)).order_by(col(Shown.at)))
    newest = {(row.peer, row.offer): row for row in rows}
    return sorted(newest.values(), key=lambda row: -row.at)


def shown_table(rows: Iterable[Shown], name: Name) -> Table:
    """Who was shown an offer. "May apply" is all that this means: the operands of later gates are open."""
    headers = ("shown-to", "shown-as", "shown-later", "last-change")
    return Table(
        Said("shown-caption"),
        headers,
        tuple(
            (name(row.peer), Badge("waiting", Said("may-apply")), [operand(one) for one in row.later], At(row.at))
            for row in rows
        ),
    )


def _withheld(row: Shown, dataset: str, name: Name) -> Event:
    return Event(
        at_ms=row.at,
        kind="catalogue-withheld",
        outcome="refused",
        words_key="journal.catalogue-withheld",
        values={"dataset": dataset},
        code=row.code,
        rule=row.rule,
        needed=readable(row.needed, name),
        seen=readable(row.seen, name),
        by=name(row.peer),
    )


def _offer(row: Offer, name: Name) -> Panel:
    return Panel("panel-offer", policy(row.id, row.normalised, name), Said("offer-of", {"at": At(row.published_at)}))


def _line(row: Dataset, count: int) -> tuple[Cell, ...]:
    address = f"/datasets/{quote(row.id)}"
    return (
        Link(row.id, address),
        _both(row.form["title"]),
        row.form["patients"],
        len(row.form["columns"]),
        count,
        At(row.published_at),
    )


def _columns(row: Dataset) -> Table:
    headers = ("column", "column-meaning", "column-class", "column-transform")
    return Table(
        None,
        headers,
        tuple(
            (one["name"], _both(one["title"]), _class(one["identifier_class"]), one.get("transform"))
            for one in row.form["columns"]
        ),
    )


def _class(name: str) -> Value:
    return Said(f"identifier-{name}") if known(f"identifier-{name}") else name


def _both(words: dict[str, str | None]) -> Both:
    return Both(str(words["ko"]), str(words.get("en") or words["ko"]))


def install(runtime: Runtime) -> None:
    """Adds the datasets to the menu."""
    runtime.get(Site).items.append(Item("/datasets", "datasets"))


room = Room(install, (router,))
