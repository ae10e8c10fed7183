"""Tables of the datasets room."""

from typing import Any

from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class Dataset(ConnectorTable, table=True):
    """A described dataset. Where its rows lie is the sources room's business."""

    __tablename__ = "dataset"

    id: str = Field(primary_key=True)
    form: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # as the steward wrote it
    node: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # as peers read it: expanded JSON-LD
    non_public: bool
    synthetic: bool
    min_walls: str
    legal_basis: list[str] = Field(sa_column=Column(JSON, nullable=False))
    deid_profile: str
    revised: int = 1
    content: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # a public one's file: bytes, sha256
    published_at: int
    published_by: str


class Offer(ConnectorTable, table=True):
    """An offer on a dataset. Once published it does not change."""

    __tablename__ = "offer"

    id: str = Field(primary_key=True)
    dataset: str = Field(index=True)
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # without target, as a catalogue wants it
    normalised: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    published_at: int
    published_by: str


class Shown(ConnectorTable, table=True):
    """The gate's answer for one peer and offer: kept until the peer's standing, the offer or the release changes."""

    __tablename__ = "catalogue_decision"

    peer: str = Field(primary_key=True)
    offer: str = Field(primary_key=True)
    standing: str = Field(primary_key=True)  # digest of what the gate was told of peer and dataset
    revision: str = Field(primary_key=True)
    allow: bool
    code: str | None = None
    rule: str | None = None
    needed: Any = Field(default=None, sa_column=Column(JSON))
    seen: Any = Field(default=None, sa_column=Column(JSON))
    later: list[str] = Field(sa_column=Column(JSON, nullable=False))
    decision: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    valid_until: int | None = None
    at: int
