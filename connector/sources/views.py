"""Trials, the invented patient, snapshots and the register as a hospital's pages show them. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from connector.sources.model import RegisterRow, Snapshot, TrialRow
from connector.sources.sample import Sample
from connector.sources.trial import LADDERS
from connector.web.cells import Badge, Cell, Link
from connector.web.timeline import BeforeAfter, Change, Figure, Figures, Lattice, Panel, Rung, Table
from vocab.words import known
from vocab.words.values import At, AtSecond, Said, Share, Value

HEADERS: Final = ("dataset", "state", "snapshot-patients", "snapshot-k", "snapshot-people", "snapshot-digest")


def trial_panels(row: TrialRow, *, near: bool = False) -> Iterable[Panel]:
    """Figures and lattice of one trial; `near`: of the lattice only the choice and what lies one rung away."""
    result = row.result
    note = Said("trial-of", {"dataset": row.dataset, "at": At(row.at)})
    yield Panel("panel-trial", Figures(tuple(_trial_figures(result))), note)
    if result["lattice"]:
        choices = _near(result["lattice"]) if near else result["lattice"]
        rungs = tuple(_rung(choice) for choice in choices)
        yield Panel("panel-lattice", Lattice(result["profile"]["k"], rungs), note, wide=True)


def _trial_figures(result: Mapping[str, Any]) -> Iterable[Figure]:
    quasi = [column(name) for name in result["quasi_identifiers"]]
    limit = result["profile"]["max_suppressed_percent"]
    yield Figure("trial-patients", result["eligible"], Said("trial-of-all", {"all": result["patients"]}))
    yield Figure("trial-k", result["k"], Said("trial-k-before", {"k": result["k_before"]}))
    yield Figure(
        "trial-suppressed",
        Share(result["suppressed_percent"] / 100),
        Said("trial-limit", {"limit": Share(limit / 100)}),
    )
    yield Figure("trial-unique", Share(result["unique_percent"] / 100), Said("trial-unique-note"))
    yield Figure("trial-l", result["diversity"])
    yield Figure("trial-t", float(result["closeness"]))
    yield Figure("trial-all-event", result["all_event_rows"], Said("trial-classes", {"n": result["all_event_classes"]}))
    yield Figure("trial-quasi", quasi)


def _near(lattice: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The chosen rungs and the choices that differ from them in one."""
    chosen = next(choice for choice in lattice if choice["verdict"] == "chosen")
    return [choice for choice in lattice if sum(choice[name] != chosen[name] for name in LADDERS) <= 1]


def _rung(choice: Mapping[str, Any]) -> Rung:
    words = {name: Said(f"rung-{choice[name]}") for name in LADDERS}
    return Rung(
        Said("lattice-choice", words), Share(choice["suppressed_percent"] / 100), choice["classes"], choice["verdict"]
    )


def patient_panels(example: Sample | None) -> Iterable[Panel]:
    """The invented patient, where this hospital has one."""
    if example is None:
        return
    before = {name: _plain(value) for name, value in example.before.items() if value is not None}
    after = {name: _plain(value) for name, value in example.after.items() if value is not None}
    rows = [Change(column(name), value, after.get(name)) for name, value in before.items()]
    rows += [Change(column(name), None, value) for name, value in after.items() if name not in before]
    yield Panel("panel-patient", BeforeAfter(tuple(rows)), Said("patient-note"))


def _plain(value: Any) -> str:
    """As it stands in the table: a year is no count, and 7.8 is not 7.800."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def column(name: str) -> Value:
    """A column in words."""
    return Said(f"column-{name}") if known(f"column-{name}") else name


def snapshot_table(rows: Sequence[Snapshot], name: Callable[[str], Value]) -> Table:
    """The snapshots of a study, whatever became of them."""
    return Table(Said("snapshots-caption"), HEADERS, tuple(_snapshot(row, name) for row in rows))


def _snapshot(row: Snapshot, name: Callable[[str], Value]) -> tuple[Cell, ...]:
    people = [name(one) for one in (row.made_by, row.accepted_by) if one]
    return row.dataset, snapshot_state(row), row.patients, row.k, people, row.digest.removeprefix("sha256:")[:16]


def snapshot_state(row: Snapshot) -> Badge:
    """What became of it: the last thing counts."""
    if row.destroyed_at is not None:
        return Badge("done", Said("snapshot-destroyed", {"at": AtSecond(row.destroyed_at)}))
    if row.stopped:
        return Badge("refused", Said("snapshot-stopped"))
    if row.accepted:
        return Badge("done", Said("snapshot-accepted"))
    return Badge("waiting", Said("snapshot-waits"))


def register_figures(entries: Sequence[RegisterRow]) -> Figures:
    """The register of PIPA 28-4: how many rows, whether the data are destroyed, the file."""
    gone = [row.destroyed_at for row in entries if row.destroyed_at is not None]
    return Figures(
        (
            Figure("register-rows", len(entries)),
            Figure("register-destroyed", At(max(gone)) if len(gone) == len(entries) else None),
            Figure("register-file", Link(Said("register-csv"), "/api/register.csv")),
        )
    )
