"""The board's seats: people of the operator's node, each with a vote key of their own.

The node keeps these keys for its people (`keys/people/<id>/`), so a vote proves which account of this node voted, not
that nobody else at the operator could have. A key in the member's own hands would take the place of `keys_of`.
"""

from sqlmodel import Session, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.keys import Keys
from connector.kit.runtime import Runtime
from connector.web.people import People
from governance.boards.model import SeatRow
from governance.boards.rules import Seat
from vocab.errors import Refusal


def signer(did: str, member: str) -> str:
    """Under which name a member's votes are signed."""
    return f"{did}#people/{member}"


def keys_of(runtime: Runtime, member: str) -> Keys:
    """The keys that this node keeps for a member."""
    return Keys(runtime.settings.folder / "keys" / "people" / member)


async def register(
    runtime: Runtime,
    people: People,
    by: str,
    member: str,
    organisation: str,
    external: bool,
) -> SeatRow:
    """Seats one of our people. Said again, it changes organisation or externality. Raises `person-unknown`."""
    person = people.get(member)
    if person is None or "member" not in person.duties:
        raise Refusal("person-unknown", seen=member)
    key = keys_of(runtime, member).public("receipt").hex()

    def seat(unit: Unit) -> SeatRow:
        now = runtime.now()
        row = unit.session.get(SeatRow, member) or SeatRow(
            member=member, organisation=organisation, external=external, key=key, at=now
        )
        row.organisation, row.external = organisation, external
        unit.session.add(row)
        journal.record(
            unit, "seat-registered", now=now, by=by, member=member, organisation=organisation, external=external
        )
        return row

    return await runtime.store.run(seat)


def rows(session: Session) -> list[SeatRow]:
    """The seats by member."""
    return list(session.exec(select(SeatRow).order_by(SeatRow.member)))


def seated(session: Session) -> list[Seat]:
    """The seats as the rules see them."""
    return [Seat(row.member, row.organisation, row.external) for row in rows(session)]
