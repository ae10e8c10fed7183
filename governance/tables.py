"""Base of the operator's tables: a context of its own, with its own metadata and its own migrations."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel


class GovernanceTable(SQLModel):
    """A table that only the operator has."""

    metadata = MetaData()
