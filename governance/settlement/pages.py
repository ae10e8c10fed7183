"""A study's settlement on the operator's timeline: every line of its runs, and what each party answered."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.statements.pages import account, table
from connector.web.cells import Badge, Outcome
from connector.web.faces import Faces, Look
from connector.web.timeline import Panel, Table
from governance.settlement.reading import runs_of
from governance.settlement.service import answers
from vocab.words.values import Said, Won

HEADERS: Final = ("statement-party", "statement-payable", "statement-receivable", "statement-answer")
OUTCOMES: Final[dict[str, Outcome]] = {
    "sent": "waiting",
    "accepted": "done",
    "disputed": "refused",
    "unanswered": "failed",
    "own": "done",
}


def install(runtime: Runtime) -> None:
    """Adds to the faces of this node."""
    faces = runtime.get(Faces)
    faces.panels.append(partial(_panels, faces))


def _panels(faces: Faces, look: Look) -> Iterable[Panel]:
    for run in runs_of(look.session, look.study):
        caption = Said("settlement-caption", {"run": run.id, "number": run.number, "size": run.body["log"]["size"]})
        yield Panel("panel-settlement", table(faces, run.body, caption))
        rows = tuple(
            (
                account(faces, one["party"]),
                Won(one["statement"]["payable_won"]),
                Won(one["statement"]["receivable_won"]),
                Badge(OUTCOMES[one["state"]], Said(f"statement-{one['state']}")),
            )
            for one in answers(look.session, run.id)
        )
        yield Panel("panel-statements", Table(None, HEADERS, rows))


room = Room(install)
