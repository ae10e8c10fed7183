"""Tables of the metering room."""

from sqlmodel import Field

from compute.tables import ComputeTable


class Meter(ComputeTable, table=True):
    """What one task used, by monotonic clocks. One row a task, whatever happened to it."""

    __tablename__ = "meter"

    task: str = Field(primary_key=True)
    study: str = Field(index=True)
    outcome: str
    charged: bool
    started_minutes: int
    wall_ms: int
    cpu_ms: int
    peak_mb: int
    at: int
