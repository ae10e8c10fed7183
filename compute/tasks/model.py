"""Tables of the tasks room: tasks, and what they left, sealed."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import JSON, Column, Field

from compute.tables import ComputeTable
from compute.tasks.states import Outcome, State


class Task(ComputeTable, table=True):
    """One task. `document` is what was submitted; the other members are what this zone made of it."""

    __tablename__ = "task"
    __table_args__ = (Index("task_study", "study", "kind"), Index("task_consumer", "consumer", "number"))

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    kind: str  # train | verify
    study: str
    permit: str
    consumer: str
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    code_digest: str
    image_digest: str
    inputs: list[dict[str, str]] = Field(sa_column=Column(JSON, nullable=False))  # agreement, part, name
    outputs: list[str] = Field(sa_column=Column(JSON, nullable=False))
    executors: list[list[str]] = Field(sa_column=Column(JSON, nullable=False))
    env: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    limits: dict[str, int] = Field(sa_column=Column(JSON, nullable=False))
    state: str = State.QUEUED.value
    outcome: str | None = None
    code: str | None = None  # why, where it is not COMPLETE
    stopping: str | None = None  # someone wants it to end, and why
    stop_ms: int | None = None  # from that wish until its plaintext was gone
    recovered: bool = False
    revision: str | None = None  # of the policy that let it start
    walls: str | None = None
    job_key: str | None = None
    keys_released: bool = False
    exit_codes: list[int] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    undeclared: int = 0  # files that it left and had not declared
    begin: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    end: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    durations: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cpu_ms: int = 0
    wall_ms: int = 0
    peak_mb: int = 0
    submitted_at: int
    prepared_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    ended_at: int | None = None

    @property
    def at(self) -> State:
        """Its state."""
        return State(self.state)

    @property
    def result(self) -> Outcome | None:
        """Its outcome."""
        return Outcome(self.outcome) if self.outcome else None


class Result(ComputeTable, table=True):
    """A file that a task left, sealed to this zone's own key. It waits for a release, or for the study's end."""

    __tablename__ = "task_result"

    task: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    bytes: int
    sha256: str
    file: str  # below the zone's folder
    key: str  # base64, wrapped to the zone's sealing key
    made_at: int
    destroyed_at: int | None = None
