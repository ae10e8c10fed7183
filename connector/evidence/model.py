"""Tables of the evidence room: the journal that people read, and the receipts that count."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class Entry(ConnectorTable, table=True):
    """One thing that happened here, as the timelines show it. A refusal is an entry with a code."""

    __tablename__ = "journal"
    __table_args__ = (Index("journal_study", "study", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    at: int
    kind: str
    outcome: str = "done"  # done | refused | waiting | failed
    study: str | None = None
    by: str | None = None
    values: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    code: str | None = None
    rule: str | None = None
    needed: str | None = None
    seen: str | None = None


class Receipt(ConnectorTable, table=True):
    """A receipt that this node authored or countersigned. Payload and salt stay here and can be erased."""

    __tablename__ = "receipt"
    __table_args__ = (Index("receipt_subject", "type", "about"),)

    id: str = Field(primary_key=True)
    type: str
    study: str | None = Field(default=None, index=True)
    about: str  # the id of the thing: agreement, task, snapshot ...
    author: str
    counterparty: str | None = None
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    payload: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    salt: str | None = None
    state: str = "authored"  # authored | complete | disputed | one-sided
    entry_digest: str | None = Field(default=None, index=True)  # hex SHA-256 of the log entry's bytes
    log_index: int | None = None
    logged_at: int | None = None
    proof: str | None = None
    at: int


class WitnessedLog(ConnectorTable, table=True):
    """The largest consistent tree of a log that this node has cosigned."""

    __tablename__ = "witnessed_log"

    origin: str = Field(primary_key=True)
    size: int
    root: str
    checkpoint: str
    at: int


class Cosigned(ConnectorTable, table=True):
    """A checkpoint that this node cosigned: against it, later histories of that log can be compared by anybody."""

    __tablename__ = "cosigned_checkpoint"

    origin: str = Field(primary_key=True)
    size: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: str
    checkpoint: str
    at: int
