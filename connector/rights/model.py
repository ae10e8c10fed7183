"""Tables of the rights room."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class StandingRow(ConnectorTable, table=True):
    """A standing list that this node accepted. The one with the highest number is in force."""

    __tablename__ = "standing"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    received_at: int


class PermitRow(ConnectorTable, table=True):
    """A permit that concerns this node, verified when it came. Its state stands in the standing list."""

    __tablename__ = "permit"

    id: str = Field(primary_key=True)
    study: str = Field(index=True)
    jws: str
    fields: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # the claims of the JWS
    decision: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # envelope `decision`
    until: int
    received_at: int


class Grant(ConnectorTable, table=True):
    """Something under way here that leans on a right. When the right ends, it is found by index and stopped.

    What leans on several agreements (a task on two hospitals' data) has one row for each; one that ends stops it all.
    `leans` keeps what the granting gate was asked ({"gate", "policy", "request", "facts"}): `hold` asks it again.
    """

    __tablename__ = "grants"
    __table_args__ = (
        Index("grant_permit", "permit", "state"),
        Index("grant_agreement", "agreement", "state"),
        Index("grant_snapshot", "snapshot", "state"),
    )

    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    agreement: str = Field(default="", primary_key=True)
    study: str | None = Field(default=None, index=True)
    permit: str | None = None
    snapshot: str | None = None
    revision: str
    valid_until: int
    leans: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = "running"  # running | stopping | ended
    why: str | None = None
    granted_at: int
    ended_at: int | None = None


class GrantParty(ConnectorTable, table=True):
    """A participant whose membership a grant leans on."""

    __tablename__ = "grant_parties"

    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    did: str = Field(primary_key=True, index=True)


class DelegationRow(ConnectorTable, table=True):
    """A hospital's own copy of its delegation to the shared board, signed by both."""

    __tablename__ = "delegation"

    id: str = Field(primary_key=True)
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    datasets: list[str] = Field(sa_column=Column(JSON, nullable=False))
    since: int
    until: int
    by: str
    at: int


class VetoRow(ConnectorTable, table=True):
    """A hospital's own copy of its veto against one dataset in one application."""

    __tablename__ = "veto"

    application: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    by: str
    at: int
