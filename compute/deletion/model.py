"""Tables of the deletion room."""

from typing import Any

from sqlmodel import JSON, Column, Field

from compute.tables import ComputeTable


class Certificate(ComputeTable, table=True):
    """A deletion certificate as it was issued. One a task, one a study."""

    __tablename__ = "certificate"

    about: str = Field(primary_key=True)  # the task, or the study
    type: str
    study: str = Field(index=True)
    digest: str
    result: str
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: int
