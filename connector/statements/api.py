"""The statements of this node, for its people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.statements import service
from connector.statements.model import StatementRow
from connector.web.access import signed_in
from connector.web.people import Person
from vocab.errors import Refusal

management = APIRouter(prefix="/api/statements", tags=["statements"])

Anyone = Annotated[Person, Depends(signed_in)]


@management.get("")
async def show_statements(
    request: Request, _person: Anyone, after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    """The statements that this node computed again and signed, by run."""
    runtime: Runtime = request.app.state.runtime
    rows = await runtime.store.read(lambda session: service.statements(session, after=after, limit=limit))
    return [_shown(row) for row in rows]


@management.get("/{run}")
async def show_statement(request: Request, run: str, _person: Anyone) -> dict[str, Any]:
    """One statement."""
    runtime: Runtime = request.app.state.runtime
    row = await runtime.store.read(lambda session: session.get(StatementRow, run))
    if row is None:
        raise Refusal("not-found", what=run[:100])
    return _shown(row)


def _shown(row: StatementRow) -> dict[str, Any]:
    return {"statement": row.body, "receipt": row.receipt, "same_code": row.same_code, "at": row.at}


room = Room(service.install, (management,))
