"""What left my house: the panel that a hospital opens its studies with, the keys it released, the Stop button.

Our own rows say what we sent; what left the zone is the zone's word, asked for anew each time, and marked when missing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session, col, select

from connector.identity.service import ask
from connector.kit.ports import Unreachable
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.model import PermitRow
from connector.rights.service import Rights, permit_for
from connector.sources.service import snapshots
from connector.transfer import ending
from connector.transfer.model import DataKey, KeyRelease, Transfer
from connector.transfer.service import transfers
from connector.web.access import duty
from connector.web.cells import Badge, Cell, Outcome
from connector.web.faces import Faces, Look
from connector.web.forms import Writing
from connector.web.layout import HEADERS
from connector.web.people import Person
from connector.web.timeline import Action, Flow, Movement, Panel, Table
from vocab.errors import Refusal
from vocab.words.values import AtSecond, Bytes, Said, Value

router = APIRouter(include_in_schema=False)

#: A page waits this long (seconds) for the zone.
LIMIT: Final = 3.0
STATES: Final[Mapping[str, Outcome]] = {"COMPLETED": "done", "TERMINATED": "refused"}
STOPPERS: Final = ("steward", "acceptor")


@router.post("/studies/{study}/do/stop")
async def stop(
    request: Request,
    study: str,
    person: Annotated[Person, Depends(duty(*STOPPERS))],
    reason: Annotated[str, Form(min_length=1, max_length=2000)],
) -> Response:
    """The Stop button; then the study again, where the seconds until everything stood are shown."""
    await ending.stop(request.app.state.runtime, person, study, reason)
    return RedirectResponse(f"/studies/{quote(study, safe='')}", 303, headers=dict(HEADERS))


@dataclass(frozen=True, slots=True)
class Sent:
    """What this house did for a study, from its own rows."""

    permit: PermitRow
    transfers: Sequence[Transfer]
    keys: Sequence[DataKey]
    releases: Sequence[KeyRelease]

    @property
    def ciphertext(self) -> int:
        """Bytes of ciphertext that lie, or lay, in the zone."""
        there = {row.agreement for row in self.transfers if row.slot is not None}
        return sum(part["bytes"] for key in self.keys if key.agreement in there for part in key.parts.values())


def sent(session: Session, study: str) -> Sent | None:
    """None for a study that has no permit here."""
    permit = permit_for(session, study)
    if permit is None:
        return None
    keys = session.exec(select(DataKey).where(DataKey.study == study).order_by(col(DataKey.made_at)))
    released = session.exec(select(KeyRelease).where(KeyRelease.study == study).order_by(col(KeyRelease.at)))
    return Sent(permit, transfers(session, study, limit=500), list(keys), list(released))


async def remote(runtime: Runtime, study: str, _now: int) -> Iterable[Panel]:
    """The panel of what left, with what the zone says of results."""
    found = await runtime.store.read(lambda session: sent(session, study))
    if found is None:
        return ()
    results = await _results(runtime, study, str(found.permit.fields["zone"])) if found.transfers else ()
    name = runtime.get(Faces).name
    company, zone = name(found.permit.fields["applicant"]), name(found.permit.fields["zone"])
    return (Panel("panel-left-house", flow(found, results, company, zone), wide=True),)


async def _results(runtime: Runtime, study: str, zone: str) -> Sequence[Mapping[str, Any]] | None:
    """The releases of a study as the zone tells them; none when it does not answer."""
    member = runtime.get(Rights).demand().member(zone)
    if member is None:
        return None
    try:
        async with asyncio.timeout(LIMIT):
            answer = await ask(runtime, "GET", f"{member.url}/studies/{quote(study, safe=':')}/zone", zone)
    except (TimeoutError, Unreachable, Refusal):
        return None
    if answer.status == 404:
        return ()
    return answer.body.get("releases", ()) if answer.ok and isinstance(answer.body, dict) else None


def flow(found: Sent, results: Sequence[Mapping[str, Any]] | None, company: Value, zone: Value) -> Flow:
    """Rows, ciphertext, keys, results: to whom, and how much. `results`: none when the zone did not say."""
    tasks = {(row.task, row.kind) for row in found.releases}
    return Flow(
        (
            Movement(Said("flow-rows"), company, 0, Said("flow-stays")),
            Movement(Said("flow-cipher"), zone, Bytes(found.ciphertext)),
            Movement(Said("flow-keys"), zone, len(found.releases), Said("flow-keys-tasks", {"tasks": len(tasks)})),
            _results_out(results, company),
        )
    )


def _results_out(results: Sequence[Mapping[str, Any]] | None, company: Value) -> Movement:
    if results is None:
        return Movement(Said("flow-model"), company, None, Said("flow-zone-silent"))
    out = [one for row in results if row["state"] == "released" for one in row["files"] if one["state"] == "released"]
    residual = sum(row.get("residual_bytes") or 0 for row in results if row["state"] == "released")
    note = Said("flow-capacity", {"n": Bytes(residual)}) if out else None
    return Movement(Said("flow-model"), company, Bytes(sum(one["bytes"] for one in out)), note)


def keys_table(rows: Iterable[KeyRelease]) -> Table:
    """Every key that this house released: for which task, to which walls."""
    headers = ("task", "task-kind", "key-part", "walls-level", "key-at")
    return Table(
        Said("keys-caption"),
        headers,
        tuple((row.task, Said(f"task-kind-{row.kind}"), row.part, row.walls, AtSecond(row.at)) for row in rows),
    )


def transfers_table(rows: Iterable[Transfer], name: Faces) -> Table:
    """The transfers of a study: a company only ever names the zone."""
    headers = ("dataset", "transfer-to", "state", "negotiation-why", "last-change")
    return Table(Said("transfers-caption"), headers, tuple(_transfer(row, name) for row in rows))


def _transfer(row: Transfer, faces: Faces) -> tuple[Cell, ...]:
    state = Badge(STATES.get(row.state, "waiting"), Said(f"transfer-{row.state or 'begun'}"))
    return row.dataset, faces.name(row.zone), state, row.code, AtSecond(row.changed_at)


def _hospital(runtime: Runtime, look: Look) -> Iterable[Panel]:
    living = [row for row in snapshots(look.session, look.study) if not row.stopped and row.destroyed_at is None]
    if living and not look.person.duties.isdisjoint(STOPPERS):
        url = f"/studies/{quote(look.study, safe='')}/do/stop"
        yield Panel(
            "panel-stop", Action("stop", Said("stop-warning"), "stop-confirm", url, ask=(Writing("reason", "reason"),))
        )
    found = sent(look.session, look.study)
    if found is not None and found.releases:
        yield Panel("panel-keys", keys_table(found.releases), wide=True)
    yield from _both_sides(runtime, look)


def _both_sides(runtime: Runtime, look: Look) -> Iterable[Panel]:
    rows = transfers(look.session, look.study, limit=500)
    if rows:
        yield Panel("panel-transfers", transfers_table(rows, runtime.get(Faces)), wide=True)


def install_hospital(runtime: Runtime) -> None:
    """Adds to the faces of a hospital."""
    runtime.get(Faces).remote.append(partial(remote, runtime))
    runtime.get(Faces).panels.append(partial(_hospital, runtime))


def install_company(runtime: Runtime) -> None:
    """Adds to the faces of a company."""
    runtime.get(Faces).panels.append(partial(_both_sides, runtime))


hospital: Final = Room(install_hospital, (router,))
company: Final = Room(install_company)
