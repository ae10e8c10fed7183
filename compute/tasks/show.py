"""A task as TES 1.1 shows it: MINIMAL, BASIC or FULL. What it printed is not shown: it may hold patients' values."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from compute.tasks.model import Result, Task
from compute.tasks.profile import HELD
from compute.tasks.states import State, tes

View = Literal["MINIMAL", "BASIC", "FULL"]
Json = dict[str, Any]

#: What the server says of a task; what a client wrote under these names is not taken.
_OURS: Final = frozenset({"id", "state", "logs", "creation_time"})


def shown(row: Task, results: Sequence[Result], view: View, links: Mapping[str, str]) -> Json:
    """The task in this view. `links`: what stands beside it here (certificate, meter)."""
    minimal: Json = {"id": row.id, "state": tes(row.at, row.result, row.stopping == "task-canceled")}
    if view == "MINIMAL":
        return minimal
    document = {name: value for name, value in row.document.items() if name not in _OURS}
    if view == "BASIC":
        document["inputs"] = [
            {name: value for name, value in one.items() if name != "content"} for one in document.get("inputs", [])
        ]
    return {**document, **minimal, "creation_time": _time(row.submitted_at), "logs": [_log(row, results, view, links)]}


def _log(row: Task, results: Sequence[Result], view: View, links: Mapping[str, str]) -> Json:
    log: Json = {
        "logs": [_executor(row, number) for number in range(len(row.executors))],
        "metadata": {"kind": row.kind, "walls": row.walls or "", **links},
        "outputs": [
            {"url": HELD, "path": f"/out/{one.name}", "size_bytes": str(one.bytes)}
            for one in results
            if row.at is State.ENDED
        ],
    }
    if row.started_at is not None:
        log["start_time"] = _time(row.started_at)
    if row.ended_at is not None:
        log["end_time"] = _time(row.ended_at)
    if view == "FULL":
        log["system_logs"] = _reasons(row)
    return log


def _executor(row: Task, number: int) -> Json:
    """TES wants one log for each executor, also for those that never ran."""
    found: Json = {"exit_code": row.exit_codes[number] if number < len(row.exit_codes) else -1}
    if row.started_at is not None:
        found["start_time"] = _time(row.started_at)
    if row.finished_at is not None:
        found["end_time"] = _time(row.finished_at)
    return found


def _reasons(row: Task) -> list[str]:
    """Codes of the catalogue, and counts: nothing that the task's own code could have written."""
    found = [f"step: {row.state}"]
    if row.code:
        found.append(f"code: {row.code}")
    if row.undeclared:
        found.append(f"undeclared outputs: {row.undeclared}")
    if row.stop_ms is not None:
        found.append(f"stopped in: {row.stop_ms} ms")
    return found


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
