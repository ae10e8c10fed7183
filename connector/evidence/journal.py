"""The journal: what happened here and what was refused, in the same unit as the state it speaks of."""

from typing import Any

from sqlmodel import Session, select

from connector.evidence.model import Entry
from connector.kit.db import Unit
from vocab.errors import Refusal


def record(
    unit: Unit,
    kind: str,
    *,
    now: int,
    study: str | None = None,
    by: str | None = None,
    outcome: str = "done",
    **values: Any,
) -> Entry:
    """Notes that `kind` happened. Its sentence is the word `journal.<kind>`, filled with `values`."""
    entry = Entry(at=now, kind=kind, outcome=outcome, study=study, by=by, values=values)
    unit.session.add(entry)
    unit.session.flush()
    return entry


def refused(
    unit: Unit,
    refusal: Refusal,
    *,
    now: int,
    kind: str,
    study: str | None = None,
    by: str | None = None,
    **values: str,
) -> Entry:
    """Stores a refusal so that it can be linked, shown and explained later."""
    entry = Entry(
        at=now,
        kind=kind,
        outcome="refused",
        study=study,
        by=by,
        values={
            **{
                name: value if isinstance(value, int | str | bool) else _plain(value)
                for name, value in refusal.values.items()
            },
            **values,
        },
        code=refusal.code,
        rule=_text(refusal.rule),
        needed=_text(refusal.needed),
        seen=_text(refusal.seen),
    )
    unit.session.add(entry)
    unit.session.flush()
    return entry


def entries(session: Session, study: str | None = None, *, after: int = 0, limit: int = 500) -> list[Entry]:
    """The journal, oldest first; of one study, or all of it."""
    query = select(Entry).where(Entry.id > after).order_by(Entry.id).limit(limit)  # type: ignore[operator,arg-type]
    if study is not None:
        query = query.where(Entry.study == study)
    return list(session.exec(query))


def _text(value: object) -> str | None:
    return None if value is None else _plain(value)[:500]


def _plain(value: object) -> str:
    """As a reader writes it: a list without brackets and quotes."""
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(map(str, value)))
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
