"""Deletion certificates as pages show them: what they state, who signed, and always their limits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence.model import Receipt
from connector.kit.runtime import Runtime
from connector.web.cells import Badge, Cell, Link, Outcome
from connector.web.faces import Faces, Look
from connector.web.timeline import Certificate, Figure, Panel, Table
from vocab.records.certificate import CLOSING, TASK
from vocab.words.values import At, AtSecond, Both, Said, Value

#: How each result looks. Only a plain DELETED counts as done.
RESULTS: Final[Mapping[str, Outcome]] = {"DELETED": "done", "DELETED_WITH_EXCEPTIONS": "waiting", "UNPROVEN": "failed"}
HEADERS: Final = (
    "certificate-of",
    "state",
    "certificate-exceptions",
    "certificate-signer",
    "last-change",
    "receipt-files",
)


def panels(runtime: Runtime, look: Look) -> Iterable[Panel]:
    """The newest certificate of each kind whole, and all of them as a list."""
    rows = of_study(look.session, look.study)
    name = runtime.get(Faces).name
    for kind in (CLOSING, TASK):
        newest = next((row for row in rows if row.type == kind), None)
        if newest is not None:
            parties = {did: name(did) for one in newest.envelope["signatures"] if (did := one["did"])}
            yield Panel(f"panel-{kind}", certificate(newest, parties))
    if len(rows) > 1:
        yield Panel("panel-certificates", table(rows, name), wide=True)


def of_study(session: Session, study: str) -> list[Receipt]:
    """The certificates of a study that this node signed as author or counterparty, newest first."""
    query = select(Receipt).where(Receipt.study == study, col(Receipt.type).in_((TASK, CLOSING)))
    rows = session.exec(query.order_by(col(Receipt.at).desc(), col(Receipt.id)))
    return [row for row in rows if row.payload is not None]


def certificate(row: Receipt, names: Mapping[str, Value]) -> Certificate:
    """One certificate. A result that these words do not know counts as unproven."""
    body = row.payload or {}
    result = body["result"] if body.get("result") in RESULTS else "UNPROVEN"
    return Certificate(
        outcome=RESULTS[result],
        state=Said(f"certificate-{result}"),
        items=tuple(_items(body)),
        limits=tuple(Both(one["ko"], one["en"]) for one in body["limits"]),
        signatures=tuple(
            (names.get(did, did), At(row.envelope["body"]["at"]) if did == row.author else None)
            for did in (one["did"] for one in row.envelope["signatures"])
        ),
        link=f"/api/receipts/{row.id}/file" if row.proof is not None else None,
    )


def table(rows: Sequence[Receipt], name: Callable[[str], Value]) -> Table:
    """All certificates of a study: one for each hospital that signs."""
    headers = (
        "certificate-of",
        "state",
        "certificate-exceptions",
        "certificate-signer",
        "last-change",
        "receipt-files",
    )
    return Table(Said("certificates-caption"), headers, tuple(_line(row, name) for row in rows))


def exceptions(names: Sequence[str]) -> list[Value]:
    """Why a certificate is no plain DELETED."""
    return [Said(f"exception-{name}") for name in names]


def _items(body: Mapping[str, Any]) -> Iterable[Figure]:
    yield Figure("walls-level", str(body["walls"]))
    if body["exceptions"]:
        yield Figure("certificate-exceptions", exceptions(body["exceptions"]))
    yield Figure("certificate-objects", len(body["objects"]))
    if body["type"] == TASK:
        yield Figure("certificate-task", str(body["task"]))
        yield Figure("certificate-outcome", str(body["outcome"]))
        yield Figure("certificate-keys", sum(bool(one["key_released"]) for one in body["objects"]))
        if (gone := body["times"].get("deleted")) is not None:
            yield Figure("certificate-gone", AtSecond(gone))
    else:
        yield Figure("certificate-tasks", len(body["tasks"]))
        yield Figure("certificate-gone", AtSecond(body["at"]))
    yield Figure("certificate-method", [str(one) for one in body["method"].values()])


def _line(row: Receipt, name: Callable[[str], Value]) -> tuple[Cell, ...]:
    body = row.payload or {}
    result = body["result"] if body.get("result") in RESULTS else "UNPROVEN"
    file: Cell = Link(Said("receipt-file"), f"/api/receipts/{row.id}/file") if row.proof is not None else None
    what = Said("certificate-of-task", {"task": body["task"]}) if row.type == TASK else Said("certificate-of-study")
    state = Badge(RESULTS[result], Said(f"certificate-{result}"))
    signer = name(row.counterparty) if row.counterparty else None
    signed = Badge("done", signer) if row.state == "complete" else Badge("waiting", signer)
    return what, state, exceptions(body["exceptions"]), signed, AtSecond(row.at), file
