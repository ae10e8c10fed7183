"""How the journal and receipts look in answers to this node's own people."""

from typing import Any, Final

from connector.evidence.model import Entry, Receipt
from vocab.errors import LANGUAGES, sentence
from vocab.words import known, word

#: The operator's promise (ms): a receipt handed in is provably in the log after this, or shown as late.
INCLUSION: Final = 60_000


def entry(row: Entry) -> dict[str, Any]:
    """A journal entry with its sentence in both languages; a refusal with its code, reason and link."""
    shown: dict[str, Any] = {
        "id": row.id,
        "at": row.at,
        "kind": row.kind,
        "outcome": row.outcome,
        "study": row.study,
        "by": row.by,
        "values": row.values,
        "what": _what(row),
    }
    if row.code is not None:
        why = {"code": row.code, "rule": row.rule, "needed": row.needed, "seen": row.seen}
        shown |= {**why, "link": f"/api/refusals/{row.id}"}
    return shown


def refusal(row: Entry) -> dict[str, Any]:
    """One refusal, explained: also what to do."""
    return {**entry(row), "do": {language: _said(row, language).do for language in LANGUAGES}}


def receipt(row: Receipt, now: int) -> dict[str, Any]:
    """A receipt as lists show it. `late`: handed to the log and not proven within the operator's promise."""
    fields = ("id", "type", "study", "about", "author", "counterparty", "state", "at", "log_index", "logged_at")
    late = row.proof is None and row.logged_at is not None and now - row.logged_at > INCLUSION
    return {**{name: getattr(row, name) for name in fields}, "proven": row.proof is not None, "late": late}


def _what(row: Entry) -> dict[str, str] | None:
    if row.code is not None:
        return {language: _said(row, language).what for language in LANGUAGES}
    key = f"journal.{row.kind}"
    return {language: word(key, language, **row.values) for language in LANGUAGES} if known(key) else None


def _said(row: Entry, language: Any) -> Any:
    values = {**row.values, "rule": row.rule, "needed": row.needed, "seen": row.seen}
    return sentence(str(row.code), language, values)
