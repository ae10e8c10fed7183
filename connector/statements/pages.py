"""A study's statements on its timeline: each line with its amount and the place of its receipts in the log."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.statements.model import StatementRow
from connector.statements.service import of_study
from connector.web.faces import Faces, Look
from connector.web.timeline import Panel, Table
from vocab.words.values import Said, Value, Won

HEADERS = ("statement-line", "statement-from", "statement-to", "statement-won", "statement-log")


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.panels.append(partial(_panels, faces))


def _panels(faces: Faces, look: Look) -> Iterable[Panel]:
    for row in of_study(look.session, look.study):
        yield Panel("panel-statement", table(faces, row.body, caption=_caption(row)))


def _caption(row: StatementRow) -> Said:
    totals = {name: Won(row.body[f"{name}_won"]) for name in ("payable", "receivable")}
    return Said("statement-caption", {"run": row.run, **totals})


def table(faces: Faces, body: dict[str, Any], caption: Value = None) -> Table:
    """The lines of a statement or of a whole run."""
    rows = tuple(
        (
            Said(f"statement-kind-{line['kind']}"),
            account(faces, line["from"]),
            account(faces, line["to"]),
            Won(line["amount_won"]),
            ", ".join(str(source["index"]) for source in line["receipts"]) or None,
        )
        for line in body["lines"]
    )
    return Table(caption, HEADERS, rows)


def account(faces: Faces, party: str) -> Value:
    """Whose account this is: a participant, or the board's office."""
    did, office, _ = party.partition("#")
    return Said("statement-drb-office") if office else faces.name(did)


room = Room(install)
