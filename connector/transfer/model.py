"""Tables of the transfer room."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class Transfer(ConnectorTable, table=True):
    """One transfer as this side sees it. `id` is our own process id. Only sealed data have a study, permit and zone."""

    __tablename__ = "transfer"
    __table_args__ = (Index("transfer_peer", "peer", "consumer_pid"), Index("transfer_study", "study"))

    id: str = Field(primary_key=True)
    side: str
    peer: str
    address: str  # where the peer takes messages: its base, or the callback it gave
    consumer_pid: str
    provider_pid: str | None = None
    state: str = ""  # empty until its first message took effect
    waits: bool = False  # for one of our people: nothing starts by itself
    agreement: str = Field(index=True)
    dataset: str | None = None
    study: str | None = None
    permit: str | None = None
    format: str
    zone: str | None = None
    source: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # where we fetch public data
    target: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # where the provider pushes them
    token: str | None = Field(default=None, index=True)  # digest of the token under which they are fetched now
    fetched: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # what arrived here: bytes, sha256
    request: str  # digest of what was asked: the same request again is the same transfer
    decision: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    slot: str | None = None  # the zone's, once all parts lie there
    code: str | None = None
    rule: str | None = None
    needed: str | None = None
    seen: str | None = None
    reason: str | None = None  # why it stands still or ended, in the words of whoever did it
    by: str | None = None  # who asked for it (consumer)
    begun_at: int
    changed_at: int


class TransferMessage(ConnectorTable, table=True):
    """The bytes of every message that took effect or was sent. A peer's message takes effect once."""

    __tablename__ = "transfer_message"
    __table_args__ = (Index("transfer_message_once", "direction", "peer", "message", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    process: str = Field(index=True)
    direction: str  # in | out
    peer: str
    message: str | None = None  # its @id
    kind: str
    body: str
    at: int


class DataKey(ConnectorTable, table=True):
    """One key a snapshot and agreement. The key is a file that never leaves the house; `parts` is what it sealed."""

    __tablename__ = "data_key"

    id: str = Field(primary_key=True)
    agreement: str = Field(unique=True)
    study: str = Field(index=True)
    snapshot: str  # id of the snapshot's row
    digest: str  # of the snapshot
    parts: dict[str, dict[str, Any]] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    salt: str = ""  # of the plaintext digests in `parts`
    state: str = "held"  # held | closing | destroyed
    made_at: int
    destroyed_at: int | None = None


class KeyRelease(ConnectorTable, table=True):
    """A part's key given to one job: once a task and part, and to no other job."""

    __tablename__ = "key_release"
    __table_args__ = (Index("key_release_agreement", "agreement", "kind"),)

    task: str = Field(primary_key=True)
    agreement: str = Field(primary_key=True)
    part: str = Field(primary_key=True)
    key: str
    study: str = Field(index=True)
    kind: str  # train | verify
    job_key: str
    walls: str
    code_digest: str
    image_digest: str
    decision: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int
