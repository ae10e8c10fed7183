"""What left my house: the panel that a hospital opens its studies with, the keys it released, the Stop button.

Our own rows say what we sent; what left the zone is the zone's word, asked for anew each time, and marked when missing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from connector.evidence.certificates import of_study
from connector.identity.service import ask
from connector.kit.ports import Unreachable
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.rights.service import Rights, permit_for
from connector.sources.service import snapshots
from connector.transfer import ending
from connector.transfer.house import House, Released, house
from connector.transfer.model import Transfer
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


async def remote(runtime: Runtime, study: str, _now: int) -> Iterable[Panel]:
    """The panel of what left, with what the zone says of results."""
    permit = await runtime.store.read(lambda session: permit_for(session, study))
    if permit is None:
        return ()
    zone = str(permit.fields["zone"])
    results = await _results(runtime, study, zone)
    found = await runtime.store.read(lambda session: _house(session, study, zone, results or ()))
    name = runtime.get(Faces).name
    shown = flow(found, name(permit.fields["applicant"]), name(zone), silent=results is None)
    return (Panel("panel-left-house", shown, wide=True),)


def _house(session: Session, study: str, zone: str | None, results: Sequence[Mapping[str, Any]]) -> House:
    keys, released = ending.data_keys(session, study), ending.releases(session, study)
    return house(study, zone, transfers(session, study, limit=500), keys, released, of_study(session, study), results)


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


def flow(found: House, company: Value, zone: Value, *, silent: bool) -> Flow:
    """Rows, ciphertext, keys, results: to whom, and how much. `silent`: the zone did not say what it let out."""
    tasks = {(one.task, one.kind) for one in found.keys}
    keys = sum(len(one.parts) for one in found.keys)
    return Flow(
        (
            Movement(Said("flow-rows"), company, found.rows_to_company, Said("flow-stays")),
            Movement(Said("flow-cipher"), zone, Bytes(found.encrypted_bytes)),
            Movement(Said("flow-keys"), zone, keys, Said("flow-keys-tasks", {"tasks": len(tasks)})),
            _results_out(found, company, silent=silent),
        )
    )


def _results_out(found: House, company: Value, *, silent: bool) -> Movement:
    if silent:
        return Movement(Said("flow-model"), company, None, Said("flow-zone-silent"))
    residual = [one.residual_bytes for one in found.results if one.residual_bytes is not None]
    note = Said("flow-capacity", {"n": Bytes(sum(residual))}) if residual else None
    return Movement(Said("flow-model"), company, Bytes(sum(one.bytes for one in found.results)), note)


def keys_table(rows: Iterable[Released]) -> Table:
    """Every key that this house released: for which task, to which walls, and whether its end is certified."""
    headers = ("task", "task-kind", "key-part", "walls-level", "key-at", "key-end")
    return Table(Said("keys-caption"), headers, tuple(_released(row) for row in rows))


def _released(row: Released) -> tuple[Cell, ...]:
    end = Badge("done", Said("key-certified")) if row.certified else Badge("waiting", Said("key-uncertified"))
    return row.task, Said(f"task-kind-{row.kind}"), list(row.parts), row.walls, AtSecond(row.at), end


def transfers_table(rows: Iterable[Transfer], faces: Faces) -> Table:
    """The transfers of a study: a company only ever names the zone."""
    headers = ("dataset", "transfer-to", "state", "negotiation-why", "last-change")
    return Table(Said("transfers-caption"), headers, tuple(_transfer(row, faces) for row in rows))


def _transfer(row: Transfer, faces: Faces) -> tuple[Cell, ...]:
    state = Badge(STATES.get(row.state, "waiting"), Said(f"transfer-{row.state or 'begun'}"))
    return row.dataset, faces.name(row.zone or row.peer), state, row.code, AtSecond(row.changed_at)


def _hospital(runtime: Runtime, look: Look) -> Iterable[Panel]:
    living = [row for row in snapshots(look.session, look.study) if not row.stopped and row.destroyed_at is None]
    if living and not look.person.duties.isdisjoint(STOPPERS):
        url = f"/studies/{quote(look.study, safe='')}/do/stop"
        yield Panel(
            "panel-stop", Action("stop", Said("stop-warning"), "stop-confirm", url, ask=(Writing("reason", "reason"),))
        )
    found = _house(look.session, look.study, None, ())
    if found.keys:
        yield Panel("panel-keys", keys_table(found.keys), wide=True)
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
