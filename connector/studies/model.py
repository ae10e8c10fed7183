"""Tables of the studies room: only the company has a study row; others keep its id on their own things."""

from typing import Any

from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class Study(ConnectorTable, table=True):
    """One study, from plan to payment."""

    __tablename__ = "study"

    id: str = Field(primary_key=True)
    title: str
    plan: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = "draft"
    application: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # the envelope that OP accepted
    permit: str | None = None
    by: str
    begun_at: int
    changed_at: int


class CatalogueCopy(ConnectorTable, table=True):
    """A hospital's catalogue as it was last read."""

    __tablename__ = "catalogue_copy"

    provider: str = Field(primary_key=True)
    etag: str
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int
