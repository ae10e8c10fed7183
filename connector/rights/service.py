"""The rights room's door for other rooms: the list in force, permits, grants and their end."""

from functools import partial

from sqlalchemy import inspect
from sqlmodel import Session, col, select

from connector.kit.outbox import Handler
from connector.kit.runtime import Runtime
from connector.rights import grants, sweep
from connector.rights.acceptance import accept_permit, accept_standing, latest
from connector.rights.current import Rights
from connector.rights.grants import Ended, end_grant, grant, held, right_ended, running
from connector.rights.model import PermitRow, StandingRow
from connector.rights.standing import Standing, read
from connector.rights.sweep import refresh

__all__ = [
    "Ended",
    "Rights",
    "Standing",
    "accept_permit",
    "accept_standing",
    "end_grant",
    "grant",
    "held",
    "install",
    "permit_for",
    "permits",
    "refresh",
    "right_ended",
    "running",
]


def permits(session: Session, *, after: str = "", limit: int = 100) -> list[PermitRow]:
    """The permits kept here, by id."""
    return list(session.exec(select(PermitRow).where(PermitRow.id > after).order_by(PermitRow.id).limit(limit)))


def permit_for(session: Session, study: str, dataset: str | None = None) -> PermitRow | None:
    """The newest permit of a study, that covers `dataset` where one is given."""
    rows = session.exec(
        select(PermitRow).where(PermitRow.study == study).order_by(col(PermitRow.received_at).desc(), col(PermitRow.id))
    )
    return next(
        (row for row in rows if dataset is None or any(one["id"] == dataset for one in row.fields["datasets"])), None
    )


def install(runtime: Runtime) -> None:
    """Puts the list that was in force back in force, and registers what this room performs."""
    rights = Rights()
    runtime.add(rights)
    if inspect(runtime.store.engine).has_table(str(StandingRow.__tablename__)):
        row = runtime.store.read_now(latest)
        if row is not None:
            rights.adopt(runtime, read(row.envelope["body"]))
    handlers = runtime.outbox.handlers
    handlers["standing-sweep"] = Handler(partial(sweep.perform, runtime), sweep.given_up)
    handlers["permit-lapses"] = Handler(partial(sweep.permit_lapses, runtime))
    handlers["stop"] = Handler(partial(grants.stop, runtime))
    runtime.on_start.append(partial(sweep.ensure, runtime))
