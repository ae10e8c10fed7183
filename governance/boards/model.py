"""Tables of the boards room."""

from typing import Any

from sqlmodel import JSON, Column, Field

from governance.tables import GovernanceTable


class SeatRow(GovernanceTable, table=True):
    """A seated member: one of the operator's people, whose organisation decides on conflicts of interest."""

    __tablename__ = "board_seat"

    member: str = Field(primary_key=True)
    organisation: str
    external: bool
    key: str  # Ed25519, hex: what this member's votes are checked with
    at: int


class HospitalDelegation(GovernanceTable, table=True):
    """A hospital's delegation to the shared board, signed by both."""

    __tablename__ = "board_delegation"

    id: str = Field(primary_key=True)
    hospital: str = Field(index=True)
    datasets: list[str] = Field(sa_column=Column(JSON, nullable=False))
    since: int
    until: int
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ApplicationRow(GovernanceTable, table=True):
    """One study's application. `round` counts submissions, `revision` every change: a decision leans on it."""

    __tablename__ = "board_application"

    id: str = Field(primary_key=True)
    applicant: str = Field(index=True)
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    state: str = Field(index=True)
    round: int = 1
    revision: int = 1
    reason: str | None = None
    submitted_at: int
    deadline_at: int | None = None


class VoteRow(GovernanceTable, table=True):
    """A vote, signed with the member's own key, with its reason."""

    __tablename__ = "board_vote"

    application: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    member: str = Field(primary_key=True)
    vote: str
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int


class Recusal(GovernanceTable, table=True):
    """A conflict of interest that a member declared. Those that follow from organisations are derived, not stored."""

    __tablename__ = "board_recusal"

    application: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    member: str = Field(primary_key=True)
    reason: str
    at: int


class HospitalVeto(GovernanceTable, table=True):
    """A hospital's no to one of its datasets in one application."""

    __tablename__ = "board_veto"

    application: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    hospital: str
    reason: str
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int


class DecisionRow(GovernanceTable, table=True):
    """A decision, signed by the operator for the board."""

    __tablename__ = "board_decision"

    application: str = Field(primary_key=True)
    round: int = Field(primary_key=True)
    outcome: str
    digest: str
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int


class PermitIssued(GovernanceTable, table=True):
    """A permit that the board's decision brought about."""

    __tablename__ = "board_permit"

    id: str = Field(primary_key=True)
    application: str = Field(index=True)
    jws: str
    fields: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str
    until: int
    reason: str | None = None
    at: int
