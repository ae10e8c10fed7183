"""What must be true of a study's evidence whatever happened: nothing twice, nothing one-sided, sums equal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session, select

from compute.deletion.model import Certificate
from compute.tasks.model import Task
from connector.evidence.model import Receipt
from connector.kit.db import Store
from connector.negotiation.model import Agreement
from connector.sources.model import RegisterRow, Snapshot
from connector.transfer.model import DataKey
from governance.log.model import LogEntry
from governance.settlement.model import Posting, SettlementRun

Json = dict[str, Any]


def twice(stores: Mapping[str, Store], study: str) -> list[str]:
    """Whatever of `study` exists more than once. `stores`: each node's store by its name."""
    found: list[str] = []
    for name, store in stores.items():
        kept = store.read_now(lambda session: receipts(session, study))
        found += _more_than_one(name, ((one.type, one.about, one.author, one.counterparty) for one in kept))
    logged = stores["op"].read_now(lambda session: session.exec(select(LogEntry).where(LogEntry.study == study)).all())
    found += _more_than_one("log", ((one.type, one.about, one.author, one.counterparty) for one in logged))
    for name in ("h01", "h03"):
        found += stores[name].read_now(lambda session, name=name: _hospital(session, name, study))  # type: ignore[misc]
    agreed = stores["a02"].read_now(lambda session: session.exec(select(Agreement)).all())
    found += _more_than_one("a02 agreements", (one.dataset for one in agreed if _final(one, study)))
    return found + stores["op"].read_now(lambda session: _paid_twice(session, study))


def receipts(session: Session, study: str) -> list[Receipt]:
    """The receipts of a study at one node."""
    return list(session.exec(select(Receipt).where(Receipt.study == study)))


def unfinished(stores: Mapping[str, Store], study: str) -> list[str]:
    """Receipts of `study` without the second signature or without the log's proof."""
    return [
        f"{name}: {one.type} {one.state}{'' if one.proof else ' without proof'}"
        for name, store in stores.items()
        for one in store.read_now(lambda session: receipts(session, study))
        if one.state != "complete" or one.proof is None
    ]


def certificates(store: Store, study: str) -> dict[str, str]:
    """The zone's certificates of `study`: what about, and the result."""
    found = store.read_now(lambda session: session.exec(select(Certificate).where(Certificate.study == study)).all())
    return {one.about: one.result for one in found}


def certified(store: Store, study: str) -> dict[str, str]:
    """The same. Every task that had walls must have one."""
    tasks = store.read_now(lambda session: session.exec(select(Task).where(Task.study == study)).all())
    have = certificates(store, study)
    missing = [one.id for one in tasks if one.prepared_at is not None and one.id not in have]
    assert not missing, missing
    return have


def _hospital(session: Session, name: str, study: str) -> list[str]:
    snapshots = session.exec(select(Snapshot).where(Snapshot.study == study, Snapshot.accepted)).all()
    register = session.exec(select(RegisterRow).where(RegisterRow.study == study)).all()
    keys = session.exec(select(DataKey).where(DataKey.study == study)).all()
    agreed = [one for one in session.exec(select(Agreement)).all() if _final(one, study)]
    return [
        *_more_than_one(f"{name} snapshots", (one.dataset for one in snapshots)),
        *_more_than_one(f"{name} register", (one.dataset for one in register)),
        *_more_than_one(f"{name} keys", (one.snapshot for one in keys)),
        *_more_than_one(f"{name} agreements", (one.dataset for one in agreed)),
    ]


def _final(one: Agreement, study: str) -> bool:
    return one.study == study and one.state == "FINALIZED"


def _paid_twice(session: Session, study: str) -> list[str]:
    """No receipt stands in two lines of one kind; every line's two sides sum to nothing."""
    runs = session.exec(select(SettlementRun).where(SettlementRun.study == study)).all()
    lines = [line for run in runs for line in run.body["lines"] if line["kind"] != "reward"]
    paid = ((line["kind"], one["id"]) for line in lines for one in line["receipts"])
    postings = session.exec(select(Posting)).all()
    sums: Counter[tuple[str, str]] = Counter()
    for one in postings:
        sums[one.run, one.line] += one.amount_won
    unequal = [f"{run} {line}: {total}" for (run, line), total in sums.items() if total]
    return [*_more_than_one("paid", paid), *unequal]


def _more_than_one(what: str, things: Iterable[Any]) -> list[str]:
    return [f"{what}: {thing} x {count}" for thing, count in Counter(things).items() if count > 1]
