"""Tables of the staging room: studies with data here, the slots that hospitals were given, and what lies in them."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from compute.tables import ComputeTable


class Study(ComputeTable, table=True):
    """A study with something staged here, from its first slot to its closing certificate."""

    __tablename__ = "zone_study"

    id: str = Field(primary_key=True)
    permit: str
    consumer: str
    state: str = "open"  # open | closing | wiped | keys-destroyed | closed
    why: str | None = None
    until: int  # the permit's end
    opened_at: int
    closing_at: int | None = None
    closed_at: int | None = None
    results_destroyed: int = 0
    keys_destroyed: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    scan: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    certificate: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))


class Slot(ComputeTable, table=True):
    """One hospital's place for one snapshot under one agreement. What it says of them stood in signed evidence."""

    __tablename__ = "slot"
    __table_args__ = (Index("slot_study", "study", "agreement"),)

    id: str = Field(primary_key=True)
    study: str
    permit: str
    agreement: str = Field(unique=True)
    provider: str
    consumer: str
    dataset: str
    snapshot: str
    site: str
    key_id: str
    synthetic: bool
    min_walls: str
    k: int
    until: int
    policy: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # normalised, its digest in the receipt
    receipt: str  # the agreement receipt's id
    digest: str  # of what was asked: the same again is the same slot
    token: str  # hex SHA-256 of the token in force
    stopped: bool = False  # the hospital pressed Stop
    made_at: int


class StagedObject(ComputeTable, table=True):
    """One part's ciphertext."""

    __tablename__ = "staged_object"

    slot: str = Field(primary_key=True)
    part: str = Field(primary_key=True)
    object: str
    bytes: int
    sha256: str
    state: str = "announced"  # announced | staged | destroyed
    spent: str | None = None  # hex SHA-256 of the token of the last attempt
    staged_at: int | None = None
    destroyed_at: int | None = None
    overwritten: bool = False
    unlinked: bool = False
    synced: bool = False
