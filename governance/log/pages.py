"""The page of the public log: the newest checkpoint and who cosigned it, what waits for the quorum, the entries."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session, col, select

from connector.evidence.pages import names
from connector.evidence.views import Name, receipt_type
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.cells import Badge, Cell, Link
from connector.web.layout import render
from connector.web.log import Cosigner, LogPage
from connector.web.people import Person
from connector.web.site import Item, Site
from connector.web.timeline import Table
from governance.log import publishing, service
from governance.log.model import LogEntry, LogHead
from governance.members.model import MemberRow
from vocab.tlog.hash import EMPTY
from vocab.tlog.policy import Policy, policy
from vocab.words.values import At, AtSecond, Said

router = APIRouter(include_in_schema=False)

ROWS: Final = 50
HEADERS: Final = ("log-entry", "log-kind", "receipt-parties", "study", "log-taken", "log-proof")


@router.get("/log")
async def log_page(
    request: Request,
    _person: Annotated[Person, Depends(signed_in)],
    before: Annotated[int | None, Query(ge=0, lt=1 << 53)] = None,
) -> Response:
    """The log as its own people see it; everything on this page can be checked from the public files."""
    runtime: Runtime = request.app.state.runtime
    name = names(request.app.state.runtime)

    def look(session: Session) -> LogPage:
        head = service.head(session, service.log_key(runtime).name)
        trusted = service.trusted(session, runtime)
        query = select(LogEntry).order_by(col(LogEntry.index).desc()).limit(ROWS)
        rows = list(session.exec(query if before is None else query.where(LogEntry.index < before)))
        older = f"/log?before={rows[-1].index}" if rows and rows[-1].index > 0 else None
        members = {row.did: row for row in service.seated(session)}
        waiting = service.entries_count(session) - head.published_size
        return view(head, trusted, members, rows, name, now=runtime.now(), waiting=waiting, older=older)

    page = await runtime.store.read(look)
    return render(request, "log.html", page=page)


def view(
    head: LogHead,
    trusted: Policy | None,
    members: dict[str, MemberRow],
    rows: list[LogEntry],
    name: Name,
    *,
    now: int,
    waiting: int,
    older: str | None = None,
) -> LogPage:
    """The page from the log's rows. What is published is checked again here, under its own policy."""
    under = policy(head.policy.encode()) if head.published else trusted
    signed = under.log_signed(head.published.encode()) if head.published and under else None
    times = signed.cosigners if signed else {}
    return LogPage(
        now_ms=now,
        refresh_url="/log",
        origin=head.origin,
        size=head.published_size,
        root=(signed.checkpoint.root if signed else EMPTY).hex(),
        signed=At(head.published_at) if head.published_at is not None else None,
        policy=_quorum(under),
        satisfied=under is not None and signed is not None and under.satisfied(times),
        cosigners=tuple(
            Cosigner(name(did), members[did].camp if did in members else None, At(times[did]) if did in times else None)
            for did in (under.witnesses if under else ())
        ),
        entries=Table(Said("log-entries-caption"), HEADERS, tuple(_entry(row, head, name) for row in rows)),
        verify="dure log verify log --policy log.policy",
        waiting=waiting,
        waits_for=head.waits_for or (None if trusted else publishing.NO_CAMPS),
        older_url=older,
    )


def _quorum(under: Policy | None) -> Said:
    if under is None:
        return Said("log-no-camps")
    needed = {name: group.needed for name, group in under.groups.items()}
    return Said("log-quorum", {"hospitals": needed.get("hospitals"), "companies": needed.get("companies")})


def _entry(row: LogEntry, head: LogHead, name: Name) -> tuple[Cell, ...]:
    proof: Cell = Badge("waiting", Said("log-waits-quorum"))
    if row.index < head.published_size:
        proof = Link(Said("receipt-proof"), f"/log/proofs/{row.digest}")
    parties: list[Cell] = [name(did) for did in (row.author, row.counterparty) if did is not None]
    if row.one_sided:
        parties.append(Said("token-one-sided"))
    study = (
        Link(row.study.removeprefix("urn:uuid:")[:8], f"/studies/{quote(row.study, safe='')}") if row.study else None
    )
    return row.index, receipt_type(row.type), parties, study, AtSecond(row.at), proof


def install(runtime: Runtime) -> None:
    """Adds the log to the menu."""
    runtime.get(Site).items.append(Item("/log", "log"))


room = Room(install, (router,))
