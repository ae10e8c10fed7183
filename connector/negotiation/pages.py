"""What the negotiation room adds to timelines: each negotiation and its state, each agreement and what it waits for."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from connector.evidence.service import proven
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.negotiation.model import Agreement, Negotiation
from connector.negotiation.service import agreements, negotiations
from connector.web.cells import Badge, Cell, Outcome
from connector.web.faces import Faces, Look
from connector.web.policies import policy
from connector.web.timeline import Panel, Table
from vocab.words.values import At, AtSecond, Said

ROWS: Final = 100
OUTCOMES: Final[dict[str, Outcome]] = {"FINALIZED": "done", "TERMINATED": "refused"}
AGREEMENTS: Final[dict[str, Outcome]] = {
    "FINALIZED": "done",
    "AGREED": "waiting",
    "ENDED": "done",
    "VOID": "refused",
}


def _panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    talks = negotiations(look.session, look.study, limit=ROWS)
    if not talks:
        return
    name = runtime.get(Faces).name
    headers = ("dataset", "member-name", "state", "negotiation-why", "last-change")
    rows = tuple(_negotiation(row, name(row.peer)) for row in sorted(talks, key=lambda row: row.changed_at))
    yield Panel("panel-negotiations", Table(Said("negotiations-caption"), headers, rows), wide=True)
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


def _negotiation(row: Negotiation, peer: Cell) -> tuple[Cell, ...]:
    state = Badge(OUTCOMES.get(row.state, "waiting"), Said(f"negotiation-{row.state or 'begun'}"))
    return row.dataset, peer, state, row.code, AtSecond(row.changed_at)


def _agreement(row: Agreement, *, complete: bool) -> tuple[Cell, ...]:
    """An agreement may be used only once its receipt is signed by both and proven in the log."""
    state = Badge(AGREEMENTS.get(row.state, "failed"), Said(f"agreement-{row.state}"))
    receipt = Badge("done", Said("agreement-usable")) if complete else Badge("waiting", Said("agreement-waits"))
    return row.dataset, row.id, state, receipt, At(row.until)


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    runtime.get(Faces).panels.append(partial(_panels, runtime))


room = Room(install)
