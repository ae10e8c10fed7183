"""Tables of the members room."""

from typing import Any

from sqlmodel import JSON, Column, Field

from governance.tables import GovernanceTable


class MemberRow(GovernanceTable, table=True):
    """A participant. Its keys come from its own DID document, read when it was admitted."""

    __tablename__ = "member"

    did: str = Field(primary_key=True)
    url: str
    name: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    camp: str
    organisation: str
    roles: list[str] = Field(sa_column=Column(JSON, nullable=False))
    purposes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    diseases: list[str] = Field(sa_column=Column(JSON, nullable=False))
    country: str
    zone: dict[str, str] | None = Field(default=None, sa_column=Column(JSON))
    keys: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    vkey: str = ""
    state: str
    changed_at: int


class PermitState(GovernanceTable, table=True):
    """What the standing list says of a permit. The board room sets it."""

    __tablename__ = "permit_state"

    id: str = Field(primary_key=True)
    study: str
    state: str
    changed_at: int


class ReviewerRow(GovernanceTable, table=True):
    """A person appointed to review what leaves a zone."""

    __tablename__ = "reviewer"

    id: str = Field(primary_key=True)
    organisation: str
    at: int


class Issued(GovernanceTable, table=True):
    """A standing list that was signed. The highest number is in force; no number is ever used twice."""

    __tablename__ = "standing_issued"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int
