"""What the zone holds of a company's study, on its timeline: tasks, model card, releases. Asked for anew each time."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from connector.analysis.service import at_zone
from connector.evidence.certificates import RESULTS
from connector.identity.service import Members
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web import cards
from connector.web.cells import Badge, Cell, Link, Outcome
from connector.web.faces import Faces
from connector.web.timeline import Event, Figure, Figures, Panel, Refusals, Table
from vocab.errors import Refusal
from vocab.records.certificate import TASK
from vocab.records.envelope import opened
from vocab.words import known
from vocab.words.values import AtSecond, Bytes, Lasting, Said, Value

Json = Mapping[str, Any]

#: A page waits this long (seconds) for the zone.
LIMIT: Final = 3.0
TASKS: Final[Mapping[str, Outcome]] = {
    "COMPLETE": "done",
    "EXECUTOR_ERROR": "failed",
    "SYSTEM_ERROR": "failed",
    "CANCELED": "refused",
}
RELEASES: Final[Mapping[str, Outcome]] = {
    "released": "done",
    "passed": "done",
    "review": "waiting",
    "running": "waiting",
    "refused": "refused",
    "rejected": "refused",
    "failed": "failed",
}


async def remote(runtime: Runtime, study: str, _now: int) -> Iterable[Panel]:
    """The zone's panels, or one that says why there are none."""
    try:
        async with asyncio.timeout(LIMIT):
            found = await at_zone(runtime, study, "GET", f"/studies/{quote(study, safe='')}/zone")
    except TimeoutError:
        return (_silent(Refusal("zone-unreachable", why=f"> {LIMIT:.0f} s")),)
    except Refusal as refusal:
        return () if refusal.code in ("no-permit", "not-found") else (_silent(refusal),)
    return tuple(panels(found, study, runtime.get(Members).receipts))


def panels(found: Json, study: str, keys: Mapping[str, bytes]) -> Iterable[Panel]:
    """The panels from the zone's answer. A card is shown only when its signature holds."""
    card = newest_card(found.get("verifications", ()))
    if card is not None:
        body = opened(card, "model-card", keys)
        yield Panel("panel-card", cards.panel(body), wide=True)
    yield Panel("panel-tasks", tasks_table(found.get("tasks", ())), wide=True)
    for one in found.get("releases", ()):
        yield Panel("panel-release", release_table(one, study), _release_note(one), wide=True)
    if found.get("certificates"):
        yield Panel("panel-certificates", certificates_table(found["certificates"]), wide=True)
    refused = tuple(event for one in found.get("releases", ()) for event in refusals(one))
    if refused:
        yield Panel("panel-refused-files", Refusals(refused), wide=True)


def certificates_table(rows: Iterable[Json]) -> Table:
    """What the zone certified; the certificates themselves lie with the hospitals that countersigned them."""
    headers = ("certificate-of", "state", "certificate-digest", "last-change")
    return Table(Said("certificates-caption"), headers, tuple(_certificate(row) for row in rows))


def _certificate(row: Json) -> tuple[Cell, ...]:
    task = row["type"] == TASK
    what = Said("certificate-of-task", {"task": row["about"]}) if task else Said("certificate-of-study")
    result = row["result"] if row["result"] in RESULTS else "UNPROVEN"
    return what, Badge(RESULTS[result], Said(f"certificate-{result}")), row["digest"][:23], AtSecond(row["at"])


def newest_card(verifications: Sequence[Json]) -> dict[str, Any] | None:
    """The card of the last verification that passed."""
    return next((dict(one["card"]) for one in reversed(verifications) if one.get("card")), None)


def tasks_table(rows: Iterable[Json]) -> Table:
    """The tasks by the time they were submitted."""
    headers = ("task", "task-kind", "state", "walls-level", "task-time", "task-cpu", "task-why")
    return Table(Said("tasks-caption"), headers, tuple(_task(row) for row in rows))


def release_table(row: Json, study: str) -> Table:
    """The files of one release: what the checks found, and what left."""
    headers = ("release-file", "release-kind", "release-bytes", "state", "release-findings")
    return Table(None, headers, tuple(_file(row, one, study) for one in row["files"]))


def refusals(row: Json) -> Iterable[Event]:
    """Everything that the zone's checks hold against the files of one request."""
    for one in row["files"]:
        for found in one["findings"]:
            yield Event(
                at_ms=row["asked_at"],
                kind="file-refused",
                outcome="refused",
                words_key="release-file-refused",
                values={"file": one["name"], "kind": one["kind"]},
                code=found["code"],
                rule=found.get("rule"),
                needed=found["needed"],
                seen=found["seen"],
            )


def _file(row: Json, one: Json, study: str) -> tuple[Cell, ...]:
    released = one["state"] == "released"
    address = f"/api/studies/{quote(study, safe='')}/releases/{quote(row['id'], safe='')}/files/{quote(one['name'])}"
    name: Cell = Link(one["name"], address) if released else one["name"]
    findings = [found["code"] for found in one["findings"]]
    state = Badge(RELEASES.get(one["state"], "failed"), _word("release", one["state"]))
    return name, one["kind"], Bytes(one["bytes"]), state, findings or None


def _release_note(row: Json) -> Said:
    said = Said("release-state", {"state": _word("release", row["state"])})
    left = row["state"] in ("review", "released")
    return Said("release-note", {"state": said, "residual": Bytes(row["residual_bytes"])}) if left else said


def _task(row: Json) -> tuple[Cell, ...]:
    state, started, ended = row["outcome"] or row["state"], row["started_at"], row["ended_at"]
    return (
        row["id"],
        _word("task-kind", row["kind"]),
        Badge(TASKS.get(state, "waiting"), _word("task-state", state)),
        row["walls"],
        Lasting(ended - started) if started and ended else AtSecond(started) if started else None,
        Lasting(row["cpu_ms"]) if row["cpu_ms"] else None,
        row["code"],
    )


def _word(prefix: str, name: str) -> Value:
    return Said(f"{prefix}-{name}") if known(f"{prefix}-{name}") else name


def _silent(refusal: Refusal) -> Panel:
    why = Said("zone-silent-why", {"code": refusal.code, "why": str(refusal.values.get("why", "–"))})
    return Panel("panel-zone-silent", Figures((Figure("zone-silent", why),)))


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    runtime.get(Faces).remote.append(partial(remote, runtime))


room = Room(install)
