"""What the rights room adds to the pages: names of organisations, the permit's clock and state, grants that run."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from sqlmodel import Session, col, select

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.model import Grant, PermitRow
from connector.rights.service import Rights, permit_for
from connector.web.cells import Badge, Outcome
from connector.web.faces import Faces, Known, Look
from connector.web.timeline import Figure, Panel, Table, clock
from vocab.words import known
from vocab.words.values import At, AtSecond, Both, Said, Value

ROWS: Final = 50
#: How each state of a permit looks; anything else is no permission.
STATES: Final[dict[str | None, Outcome]] = {"active": "done", "suspended": "waiting", "ended": "done"}
GRANT_STATES: Final[dict[str, Outcome]] = {"running": "done", "stopping": "waiting", "ended": "refused"}


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.name = partial(name, runtime.get(Rights), runtime)
    faces.known.append(partial(_known, runtime.get(Rights), faces))
    faces.facts.append(partial(_facts, runtime.get(Rights)))
    faces.tail.append(_panels)


def name(rights: Rights, runtime: Runtime, did: str) -> Value:
    """An organisation as the standing list names it."""
    if did == runtime.did:
        organisation = runtime.settings.organisation
        return Both(organisation.ko, organisation.en)
    member = rights.standing.member(did) if rights.standing else None
    return Both(member.name.ko, member.name.en) if member else did


def permit_state(rights: Rights, row: PermitRow, now: int) -> tuple[str, Outcome]:
    """The state of a permit now: what the standing list says, and `lapsed` when its time is over."""
    said = rights.standing.permit_state(row.id) if rights.standing else None
    if said == "active" and row.until <= now:
        return "lapsed", "done"
    return said or "unknown", STATES.get(said, "refused")


def _known(rights: Rights, faces: Faces, session: Session, study: str, now: int) -> Known | None:
    row = permit_for(session, study)
    if row is None:
        return None
    state, outcome = permit_state(rights, row, now)
    title = Said("study-of", {"who": faces.name(row.fields["applicant"])})
    return Known(title, Said(f"permit-{state}"), outcome)


def _facts(rights: Rights, look: Look) -> Iterable[Figure]:
    row = permit_for(look.session, look.study)
    if row is None:
        return
    state, outcome = permit_state(rights, row, look.now)
    yield Figure("permit", Badge(outcome, Said(f"permit-{state}")))
    yield clock("permit-ends", row.until, look.now) if state == "active" else Figure("permit-until", At(row.until))


def _panels(look: Look) -> Iterable[Panel]:
    """What runs, and what was stopped; what simply came to its end is told by its own room."""
    query = select(Grant).where(Grant.study == look.study).order_by(col(Grant.granted_at).desc())
    found = (row for row in look.session.exec(query) if row.state != "ended" or row.why is not None)
    rows = list({(row.kind, row.id): row for row in found}.values())[:ROWS]
    if not rows:
        return
    table = Table(
        Said("grants-caption"),
        ("grant", "grant-id", "state", "grant-since", "grant-why"),
        tuple(
            (
                _kind(row.kind),
                row.id,
                Badge(GRANT_STATES.get(row.state, "failed"), Said(f"grant-{row.state}")),
                AtSecond(row.granted_at),
                row.why,
            )
            for row in rows
        ),
    )
    yield Panel("panel-grants", table)


def _kind(kind: str) -> Value:
    return Said(f"grant-kind-{kind}") if known(f"grant-kind-{kind}") else kind


room = Room(install)
