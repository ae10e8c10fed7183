"""The table of the statements room."""

from typing import Any

from sqlmodel import JSON, Column, Field

from connector.kit.db import ConnectorTable


class StatementRow(ConnectorTable, table=True):
    """A statement that this node computed again from the receipts, found equal, and signed."""

    __tablename__ = "statement"

    run: str = Field(primary_key=True)
    study: str = Field(index=True)
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    receipt: str
    settled: list[str] = Field(sa_column=Column(JSON, nullable=False))  # all receipts that the run settled
    same_code: bool  # whether the operator computed it with this very code
    at: int
