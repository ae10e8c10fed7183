"""What the settlement reads: a study's receipts from the published part of the log, and what earlier runs settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from connector.kit.runtime import Runtime
from governance.log.model import LogEntry
from governance.log.service import entry_of, head, log_key
from governance.log.tree import hashes
from governance.settlement.model import SettlementRun
from vocab.errors import Refusal
from vocab.money.facts import TYPES, Logged
from vocab.money.run import Range
from vocab.tlog import note
from vocab.tlog.proof import Proof, inclusion


@dataclass(frozen=True, slots=True)
class Reading:
    """A study in the log at one published checkpoint. `runs` are those that were made before, oldest first."""

    log: Range
    checkpoint: str
    entries: tuple[Logged, ...]
    runs: tuple[SettlementRun, ...]

    @property
    def settled(self) -> frozenset[str]:
        """The receipts that the runs before have settled."""
        lines = [line for run in self.runs for line in run.body["lines"]]
        return frozenset(source["id"] for line in lines for source in line["receipts"])


def read(session: Session, runtime: Runtime, study: str) -> Reading:
    """The study as published. Raises `Refusal("nothing-to-settle")` before the log has published anything."""
    state = head(session, log_key(runtime).name)
    if not state.published_size:
        raise Refusal("nothing-to-settle", study=study)
    tree = note.checkpoint(note.note(state.published.encode()).text)
    return Reading(
        Range(tree.origin, tree.size, tree.root.hex()),
        state.published,
        _entries(session, study, tree.size),
        tuple(runs_of(session, study)),
    )


def runs_of(session: Session, study: str) -> Sequence[SettlementRun]:
    """The runs of a study, oldest first."""
    query = select(SettlementRun).where(SettlementRun.study == study)
    return session.exec(query.order_by(col(SettlementRun.number))).all()


def proofs(session: Session, run: SettlementRun) -> list[dict[str, Any]]:
    """Every receipt that the run was computed from, with its proof against the checkpoint of the run."""
    size = run.body["log"]["size"]
    return proven_at(session, _entries(session, run.study, size), size, run.checkpoint)


def proven_at(session: Session, entries: Sequence[Logged], size: int, checkpoint: str) -> list[dict[str, Any]]:
    """The entries as `{"envelope", "proof"}` rows."""
    tree, found = hashes(session), []
    for entry in entries:
        path = inclusion(entry.index, size, tree)
        text = bytes(Proof(entry.index, tuple(path), checkpoint.encode())).decode()
        found.append({"envelope": entry.envelope, "proof": text})
    return found


def _entries(session: Session, study: str, size: int) -> tuple[Logged, ...]:
    of_study = select(LogEntry).where(LogEntry.study == study, col(LogEntry.type).in_(TYPES), LogEntry.index < size)
    rows = session.exec(of_study.order_by(col(LogEntry.index)))
    return tuple(Logged(row.index, entry_of(row.data)) for row in rows)
