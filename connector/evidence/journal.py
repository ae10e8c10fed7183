"""The journal: what happened here and what was refused, in the same unit as the state it speaks of."""

from typing import Any, Final

from sqlalchemy import Integer, column, insert
from sqlmodel import Session, select

from connector.evidence.model import Entry
from connector.kit.db import Unit
from vocab.errors import Refusal

#: Made once: it is said in nearly every unit.
_ENTRY: Final = insert(Entry).returning(column("id", Integer))


def record(
    unit: Unit,
    kind: str,
    *,
    now: int,
    study: str | None = None,
    by: str | None = None,
    outcome: str = "done",
    **values: Any,
) -> None:
    """Notes that `kind` happened. Its sentence is the word `journal.<kind>`, filled with `values`."""
    _write(unit, {"at": now, "kind": kind, "outcome": outcome, "study": study, "by": by, "values": values})


def refused(
    unit: Unit,
    refusal: Refusal,
    *,
    now: int,
    kind: str,
    study: str | None = None,
    by: str | None = None,
    **values: str,
) -> int:
    """Stores a refusal so that it can be linked, shown and explained later. Returns its number."""
    told = {
        name: value if isinstance(value, int | str | bool) else _plain(value) for name, value in refusal.values.items()
    }
    entry = {"at": now, "kind": kind, "outcome": "refused", "study": study, "by": by, "values": {**told, **values}}
    why = {"rule": _text(refusal.rule), "needed": _text(refusal.needed), "seen": _text(refusal.seen)}
    return _write(unit, {**entry, "code": refusal.code, **why})


def _write(unit: Unit, entry: dict[str, Any]) -> int:
    unit.session.flush()
    number: int = unit.session.connection().execute(_ENTRY, entry).scalar_one()
    return number


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
