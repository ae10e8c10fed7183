"""Tables of the settlement room. Rows are written once and never changed: a correction is another run."""

from typing import Any

from sqlmodel import JSON, Column, Field

from governance.tables import GovernanceTable


class SettlementRun(GovernanceTable, table=True):
    """One run of a study, and the published checkpoint that it was computed at."""

    __tablename__ = "settlement_run"

    id: str = Field(primary_key=True)
    study: str = Field(index=True)
    number: int  # 1, 2, ... within the study
    digest: str
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    checkpoint: str
    by: str
    at: int


class Posting(GovernanceTable, table=True):
    """One side of a line in the books. The two postings of a line sum to 0."""

    __tablename__ = "settlement_posting"

    run: str = Field(primary_key=True)
    line: str = Field(primary_key=True)
    side: str = Field(primary_key=True)  # debit | credit
    account: str = Field(index=True)
    amount_won: int


class PartyStatement(GovernanceTable, table=True):
    """What a run says to one party. Its answer stands in the receipt; the operator's own accounts have none."""

    __tablename__ = "settlement_statement"

    run: str = Field(primary_key=True)
    party: str = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    receipt: str | None = None
