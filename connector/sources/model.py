"""Tables of the sources room. The data themselves lie in files: see `service`."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable
from connector.sources import register


class Source(ConnectorTable, table=True):
    """Where the rows of a dataset lie: a SQLite file in this node's folder."""

    __tablename__ = "source"

    dataset: str = Field(primary_key=True)
    file: str
    by: str
    at: int


class TrialRow(ConnectorTable, table=True):
    """A de-identification on trial: figures only, nothing of it can be turned back into rows."""

    __tablename__ = "trial"

    id: str = Field(primary_key=True)
    dataset: str = Field(index=True)
    digest: str
    result: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    by: str
    at: int


class PseudonymKey(ConnectorTable, table=True):
    """That a study has a pseudonym key, and who made it. The key is a file that only the cut reads."""

    __tablename__ = "pseudonym_key"

    study: str = Field(primary_key=True)
    by: str
    at: int


class Snapshot(ConnectorTable, table=True):
    """A study's snapshot of a dataset, frozen by digest. `document` says how it was cut, `record` is signed."""

    __tablename__ = "snapshot"
    __table_args__ = (Index("snapshot_study", "study", "dataset"), Index("snapshot_digest", "digest"))

    id: str = Field(primary_key=True)
    study: str
    permit: str
    dataset: str
    digest: str
    parts: dict[str, dict[str, Any]] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    columns: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    rows: int = 0
    patients: int
    k: int
    deid_profile: str
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    scan: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    record: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    made_by: str = ""
    made_at: int = 0
    accepted: bool = False
    accepted_by: str | None = None
    accepted_at: int | None = None
    stopped: bool = False
    stopped_by: str | None = None
    stopped_at: int | None = None
    destroyed_at: int | None = None


class RegisterRow(ConnectorTable, table=True):
    """One row of the register under PIPA 28-4(3). It outlives the snapshot that it speaks of by three years."""

    __tablename__ = "register"

    snapshot: str = Field(primary_key=True)
    study: str
    dataset: str
    purpose: str
    legal_basis: str
    items: list[str] = Field(sa_column=Column(JSON, nullable=False))
    patients: int
    recipient: str
    place: str
    begins_at: int
    ends_at: int
    use: str
    processed_by: str
    accepted_by: str
    processed_at: int
    destroyed_at: int | None = None

    def entry(self) -> register.Entry:
        """The same as the register renders it."""
        values = self.model_dump(exclude={"snapshot"})
        return register.Entry(**{**values, "items": tuple(self.items)})
