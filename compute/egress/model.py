"""Tables of the egress room: verifications, requests to release, and what people decided."""

from typing import Any

from sqlmodel import JSON, Column, Field

from compute.tables import ComputeTable


class Verification(ComputeTable, table=True):
    """The zone's own validation of one model. `sha256`: of the re-encoded bytes, the only ones that may leave."""

    __tablename__ = "verification"

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    study: str = Field(index=True)
    consumer: str
    task: str = Field(unique=True)  # the task that ran the zone's code
    trained: str  # the task that left the model
    model: str
    control: dict[str, str] | None = Field(default=None, sa_column=Column(JSON))
    threshold: float
    intended_use: str
    synthetic: bool
    state: str = "running"  # running | passed | failed
    code: str | None = None
    sha256: str | None = None
    report: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    card: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    asked_at: int
    ended_at: int | None = None


class Release(ComputeTable, table=True):
    """A company's request that files leave. Each file stands with where it lies, what it is, and what was found."""

    __tablename__ = "release"

    id: str = Field(primary_key=True)
    study: str = Field(index=True)
    consumer: str
    task: str
    requester: str
    state: str  # review | refused | rejected | released
    files: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    cells: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    verification: str | None = None
    residual_bytes: int = 0
    decisions: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    asked_at: int
    ended_at: int | None = None


class Review(ComputeTable, table=True):
    """What one reviewer decided of one request."""

    __tablename__ = "review"

    release: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    organisation: str
    verdict: str  # release | refuse
    reason: str
    at: int


class ReleasedFile(ComputeTable, table=True):
    """A file sealed to the company's key: what it may fetch."""

    __tablename__ = "released_file"

    release: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    bytes: int
    sha256: str
    file: str  # below the zone's folder
