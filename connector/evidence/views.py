"""Rows of the journal, the outbox and the receipts as pages show them. Pure: rows in, view values out."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, get_args

from connector.evidence.model import Entry, Receipt
from connector.evidence.shown import INCLUSION
from connector.kit.outbox import Promise
from connector.web.cells import Badge, Cell, Link, Outcome, reason
from connector.web.policies import DID, concept
from connector.web.timeline import Event, Table, Waits
from vocab.errors import Language
from vocab.words import known, text
from vocab.words.values import At, AtSecond, Both, Day, Lasting, Said, Value, Won

Name = Callable[[str], Value]

#: What a value in the journal is, by its name: how it is written follows from that.
KINDS: Final[Mapping[str, Callable[[int], Value]]] = {
    "at": At,
    "begins": Day,
    "deadline": At,
    "ends": Day,
    "since": At,
    "until": Day,
    "won": Won,
}
#: Values that are one of our own short words, and have a sentence of their own where there is one.
TOKENS: Final = frozenset({"outcome", "state", "phase", "type", "kind", "what", "why", "verdict", "party", "result"})
#: A number of this size is a time (UTC ms, 2001 to 2100): neither money nor counts of ours come near it.
TIMES: Final = (1_000_000_000_000, 4_102_444_800_000)
IRI: Final = re.compile(r"https?://[^\s,'\"()\[\]]+")
#: What may be one of our codes, by itself or in a text.
CODE: Final = re.compile(r"(?<![\w=])[a-z]+(?:-[a-z]+)+\b")
OUTCOMES: Final = frozenset(get_args(Outcome))

RECEIPT_HEADERS: Final = ("receipt-type", "receipt-parties", "receipt-signed", "receipt-log", "receipt-files")
RECEIPT_STATES: Final[Mapping[str, Outcome]] = {
    "authored": "waiting",
    "complete": "done",
    "disputed": "refused",
    "one-sided": "failed",
}


def event(row: Entry, name: Name) -> Event:
    """One entry of the journal. `name` knows organisations and people; what it does not know stays as it is."""
    values = {key: _value(key, value, name) for key, value in row.values.items()}
    outcome: Outcome = "done"
    for one in get_args(Outcome):
        if row.outcome == one:
            outcome = one
    if row.outcome not in OUTCOMES:  # a room used the word for its own result
        values["outcome"] = _value("outcome", row.outcome, name)
    key = f"journal.{row.kind}"
    if not known(key):
        key, values = "journal-other", {**values, "kind": row.kind}
    return Event(
        at_ms=row.at,
        kind=row.kind,
        outcome=outcome,
        words_key=key,
        values=values,
        code=row.code,
        rule=row.rule,
        needed=_value("needed", row.needed, name),
        seen=_value("seen", row.seen, name),
        link=f"/why/{row.id}" if row.code is not None else None,
        by=name(row.by) if row.by is not None else None,
    )


def waits(rows: Iterable[Promise], parties: Mapping[str, str], name: Name, now: int) -> tuple[Waits, ...]:
    """What the outbox still has to do, without timers that are not due. `parties`: receipt id -> who must sign."""
    due = [row for row in rows if row.attempts or row.due_at <= now]
    return tuple(
        Waits(
            what=_effect(row.kind),
            whom=name(whom) if (whom := _whom(row, parties)) else Said("waits-nobody"),
            since=At(row.made_at),
            attempts=row.attempts,
            why=_hindrance(row.last_error, name),
        )
        for row in due
    )


def receipts(rows: Iterable[Receipt], name: Name, now: int) -> Table:
    """The receipts with their files."""
    return Table(Said("receipts-caption"), RECEIPT_HEADERS, tuple(_receipt(row, name, now) for row in rows))


def receipt_type(kind: str) -> Value:
    """The type in words."""
    key = f"token-{kind}"
    return Said(key) if known(key) else kind


def _receipt(row: Receipt, name: Name, now: int) -> tuple[Cell, ...]:
    address = f"/api/receipts/{row.id}"
    files: tuple[Cell, ...] = (Link(Said("receipt-entry"), f"{address}/entry"),)
    if row.proof is not None:
        files += (Link(Said("receipt-proof"), f"{address}/proof"), Link(Said("receipt-file"), f"{address}/file"))
    parties = [name(did) for did in (row.author, row.counterparty) if did is not None]
    state = Badge(RECEIPT_STATES.get(row.state, "failed"), Said("receipt-state", {"state": receipt_type(row.state)}))
    return receipt_type(row.type), parties, (state, At(row.at)), _logged(row, now), files


def _logged(row: Receipt, now: int) -> Cell:
    if row.proof is not None:
        return Badge("done", Said("receipt-proven", {"index": row.log_index}))
    if row.logged_at is not None and now - row.logged_at > INCLUSION:
        return Badge("failed", Said("receipt-late", {"index": row.log_index, "span": Lasting(now - row.logged_at)}))
    return Badge("waiting", Said("receipt-unproven"))


def readable(value: Any, name: Name) -> Any:
    """A value that a gate needed or saw, or a list of them."""
    if isinstance(value, (list, tuple)):
        return [readable(one, name) for one in value]
    return _value("", value, name)


def _effect(kind: str) -> Value:
    key = f"effect.{kind.replace(':', '-')}"
    return Said(key) if known(key) else kind


def _hindrance(said: str | None, name: Name) -> Value:
    """Why it did not work last time: our own codes in words, organisations by name."""
    return None if said is None else Both(_told(said, name, "ko"), _told(said, name, "en"))


def _told(said: str, name: Name, language: Language) -> str:
    coded = CODE.sub(lambda found: text(reason(found[0]), language), said)
    return DID.sub(lambda found: text(name(found[0]), language), coded)


def _whom(row: Promise, parties: Mapping[str, str]) -> str | None:
    """The party that a promise is for: the first DID that it names."""
    if found := parties.get(str(row.payload.get("id"))):
        return found
    named: Collection[Any] = [*row.payload.values(), *row.process.split()]
    return next((one for one in named if isinstance(one, str) and one.startswith("did:")), None)


def _value(key: str, value: Any, name: Name) -> Any:
    """A stored value for readers: names for DIDs, short names for IRIs, dates for milliseconds, words for our words."""
    if isinstance(value, str):
        return _text(key, value, name)
    if isinstance(value, int) and not isinstance(value, bool):
        kind = AtSecond if TIMES[0] <= value < TIMES[1] else int
        return KINDS.get(key, kind)(value)
    return value


def _text(key: str, value: str, name: Name) -> Value:
    if key in TOKENS and known(f"token-{value}"):
        return Said(f"token-{value}")
    if value.startswith("did:"):
        return name(value)
    if value.isdecimal() and TIMES[0] <= int(value[:20]) < TIMES[1]:
        return AtSecond(int(value))
    if not IRI.search(value):
        return value
    return Both(_iris(value, "ko"), _iris(value, "en"))


def _iris(value: str, language: Language) -> str:
    return IRI.sub(lambda found: text(concept(found[0]), language), value)
