"""Base of a zone's tables: a context of its own, with its own metadata and its own migrations."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel


class ComputeTable(SQLModel):
    """A table that only a zone has."""

    metadata = MetaData()
