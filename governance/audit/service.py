"""The operator's answer: computed from the published log alone, each entry with its proof."""

import json
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from connector.evidence.audits import document
from connector.identity.service import Members
from connector.kit.runtime import Runtime
from governance.log import service as log
from governance.log.model import LogEntry
from vocab.errors import Refusal
from vocab.records.use import TYPES, answer, leaf, leaves_of


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with the entries that it rests on: index, bytes, tlog-proof."""

    answer: dict[str, Any]
    entries: tuple[tuple[int, bytes, bytes], ...]
    checkpoint: str
    policy: str

    def document(self, runtime: Runtime) -> dict[str, Any]:
        """What is sent, and checked by whoever receives it."""
        return document(self.answer, self.entries, runtime.get(Members).receipts, self.policy)


def answered(session: Session, runtime: Runtime, dataset: str, on: str) -> Answered:
    """Who could use `dataset` on the day `on`, and did they. Raises `Refusal`: day-malformed, not-published."""
    state = log.head(session, log.log_key(runtime).name)
    if not state.published_size:
        raise Refusal("not-published", index=0, size=0)
    published = select(LogEntry).where(LogEntry.index < state.published_size, col(LogEntry.type).in_(TYPES))
    rows = {row.index: row for row in session.exec(published)}
    found = answer((leaf(row.index, json.loads(row.data)) for row in rows.values()), runtime.did, dataset, on)
    proofs = [(index, rows[index].data, bytes(log.proof_of(session, runtime, index))) for index in leaves_of(found)]
    return Answered(found, tuple(proofs), state.published, state.policy)
