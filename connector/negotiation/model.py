"""Tables of the negotiation room."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class Negotiation(ConnectorTable, table=True):
    """One negotiation as this side sees it. `id` is our own process id."""

    __tablename__ = "negotiation"
    __table_args__ = (Index("negotiation_peer", "peer", "consumer_pid"), Index("negotiation_study", "study", "dataset"))

    id: str = Field(primary_key=True)
    side: str
    peer: str
    address: str  # where the peer takes messages: its base, or the callback it gave
    consumer_pid: str | None = None  # the consumer has yet to answer our offer
    provider_pid: str | None = None  # the provider has yet to answer our request
    state: str = ""  # empty until its first message took effect
    version: int = 0
    waits: bool = False  # for one of our people: nothing happens by itself
    dataset: str
    dataset_facts: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    offer: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # what lies on the table
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))  # what lay there before the last turn
    request: str  # digest of what was asked: the same request again is the same negotiation
    study: str | None = None
    permit: str | None = None
    together: str | None = None  # the consumer's negotiations that are used all or none
    agreement: str | None = None
    decision: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    code: str | None = None
    rule: str | None = None
    needed: str | None = None
    seen: str | None = None
    reason: str | None = None  # why it ended, in the words of whoever ended it
    by: str | None = None  # who of our people began it
    begun_at: int
    changed_at: int


class Agreement(ConnectorTable, table=True):
    """An agreement. The document is the peer's and ours alike; only state and receipt are each side's own.

    On public data it has no study, no permit and no snapshot.
    """

    __tablename__ = "agreement"
    __table_args__ = (Index("agreement_study", "study", "dataset"),)

    id: str = Field(primary_key=True)
    negotiation: str
    side: str
    provider: str
    consumer: str
    dataset: str
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    policy: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    offer: str
    offer_digest: str
    study: str | None = None
    permit: str | None = None
    snapshot: str | None = None  # the consumer learns it from the receipt
    until: int
    state: str = "AGREED"  # AGREED | FINALIZED | ENDED | VOID
    at: int


class Approval(ConnectorTable, table=True):
    """A rule that makes negotiations wait for one of our people. Empty `dataset` or `peer`: any."""

    __tablename__ = "approval"

    dataset: str = Field(default="", primary_key=True)
    peer: str = Field(default="", primary_key=True)
    when: str  # always | changed: only where the clauses differ from those that were offered or asked for
    by: str
    at: int


class ProtocolMessage(ConnectorTable, table=True):
    """The bytes of every message that took effect or was sent. A peer's message takes effect once."""

    __tablename__ = "protocol_message"
    __table_args__ = (Index("protocol_message_once", "direction", "peer", "message", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    process: str = Field(index=True)
    direction: str  # in | out
    peer: str
    message: str | None = None  # its @id
    kind: str
    body: str
    at: int
