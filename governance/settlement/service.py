"""Settling: read the published log, compute, then run, postings, statements and receipts in one unit."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlmodel import Session, col, func, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.evidence.service import Receipts, author
from connector.identity.service import Members
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.service import Rights
from governance.settlement import reading
from governance.settlement.model import PartyStatement, Posting, SettlementRun
from governance.settlement.reading import Reading
from vocab.errors import Refusal
from vocab.money import statement as statements
from vocab.money.facts import Facts, facts
from vocab.money.lines import DRB_OFFICE
from vocab.money.run import Run, code_digest
from vocab.money.run import settle as computed
from vocab.money.tariff import Tariff

#: How a receipt's state reads on a statement.
ANSWERS = {"authored": "sent", "complete": "accepted", "disputed": "disputed", "one-sided": "unanswered"}


async def settle(runtime: Runtime, person: str, study: str, receipts: Sequence[str] = ()) -> tuple[SettlementRun, bool]:
    """Settles an ended study; the run, and whether it is new. Settled again, nothing is added.

    `receipts` must be among those settled: whoever claims one names it. Raises `Refusal`: not-in-the-log,
    nothing-to-settle, study-not-ended, money-not-integer, changed-meanwhile.
    """
    found = await runtime.store.read(lambda session: reading.read(session, runtime, study))
    known = await asyncio.to_thread(_facts, runtime, study, found)
    _demand_logged(receipts, found)
    state = runtime.get(Rights).demand().permit_state(known.approved.permit)
    if state != "ended":
        raise Refusal("study-not-ended", rule="permit.state", needed="ended", seen=state, study=study)
    run = computed(known, runtime.get(Tariff), found.log, settled=found.settled, code=code_digest())
    if not run.lines:
        if not found.runs:
            raise Refusal("nothing-to-settle", study=study)
        return found.runs[-1], False
    rows = await runtime.store.read(
        lambda session: reading.proven_at(session, found.entries, found.log.size, found.checkpoint)
    )
    return await runtime.store.run(lambda unit: _keep(unit, runtime, person, run, found, rows)), True


async def preview(runtime: Runtime, study: str, prices: Tariff) -> Run:
    """What the study would cost under this tariff, as far as the log knows it. Leaves no trace."""
    found = await runtime.store.read(lambda session: reading.read(session, runtime, study))
    known = await asyncio.to_thread(_facts, runtime, study, found)
    return computed(known, prices, found.log, code=code_digest())


def runs(session: Session, *, after: str = "", limit: int = 100) -> Sequence[SettlementRun]:
    """The runs by id."""
    query = select(SettlementRun).where(SettlementRun.id > after).order_by(col(SettlementRun.id)).limit(limit)
    return session.exec(query).all()


def run_row(session: Session, run: str) -> SettlementRun:
    """The run. Raises `Refusal("not-found")`."""
    row = session.get(SettlementRun, run)
    if row is None:
        raise Refusal("not-found", what=run[:100])
    return row


def answers(session: Session, run: str) -> list[dict[str, Any]]:
    """Each party's statement and its answer: sent, accepted, disputed, unanswered; `own` for accounts of ours."""
    query = select(PartyStatement).where(PartyStatement.run == run).order_by(col(PartyStatement.party))
    found = []
    for row in session.exec(query):
        receipt = session.get(Receipt, row.receipt) if row.receipt else None
        state = ANSWERS[receipt.state] if receipt else "own"
        found.append({"party": row.party, "state": state, "receipt": row.receipt, "statement": row.body})
    return found


def balance(session: Session) -> dict[str, int]:
    """The trial balance: every account's sum. All of them together are 0."""
    query = select(Posting.account, func.sum(Posting.amount_won)).group_by(Posting.account)
    return {account: int(won) for account, won in session.exec(query.order_by(Posting.account))}


def install(runtime: Runtime) -> None:
    """Registers what follows from a party's signature."""
    runtime.get(Receipts).completed["statement"] = partial(_accepted, runtime)


def _facts(runtime: Runtime, study: str, found: Reading) -> Facts:
    return facts(study, runtime.did, found.entries, runtime.get(Members).receipts, found.log.size)


def _demand_logged(receipts: Sequence[str], found: Reading) -> None:
    logged = {entry.envelope["body"]["id"] for entry in found.entries}
    for receipt in receipts:
        if receipt not in logged:
            raise Refusal("not-in-the-log", rule="settlement.log", needed=receipt, seen=None, receipt=receipt)


def _keep(
    unit: Unit, runtime: Runtime, person: str, run: Run, found: Reading, rows: list[dict[str, Any]]
) -> SettlementRun:
    """The run with everything that follows from it."""
    session, now, study = unit.session, runtime.now(), run.body["study"]
    if [row.id for row in reading.runs_of(session, study)] != [row.id for row in found.runs]:
        raise Refusal("changed-meanwhile", what=study)
    row = SettlementRun(
        id=run.id,
        study=study,
        number=len(found.runs) + 1,
        digest=run.digest,
        body=run.body,
        checkpoint=found.checkpoint,
        by=person,
        at=now,
    )
    session.add(row)
    _post(session, run)
    for party in statements.parties(run.body):
        _state(unit, runtime, run, party, rows)
    subject = {
        "run": run.id,
        "digest": run.digest,
        "log": run.body["log"],
        "tariff": {"version": run.body["tariff"]["version"], "digest": runtime.get(Tariff).digest},
        "code": run.body["code"],
    }
    author(unit, runtime, "settlement", about=run.id, subject=subject, payload=run.body, counterparty=None, study=study)
    won = sum(line.won for line in run.lines)
    journal.record(
        unit, "settled", now=now, study=study, by=person, run=run.id, lines=len(run.lines), won=won, size=found.log.size
    )
    return row


def _post(session: Session, run: Run) -> None:
    for line in run.lines:
        for side, account, won in (("debit", line.payer, -line.won), ("credit", line.payee, line.won)):
            session.add(Posting(run=run.id, line=line.id, side=side, account=account, amount_won=won))


def _state(unit: Unit, runtime: Runtime, run: Run, party: str, rows: list[dict[str, Any]]) -> None:
    """A party's statement, and the receipt that brings it there with everything that it is computed from."""
    body = statements.statement(run.body, party)
    row = PartyStatement(run=run.id, party=party, body=body)
    if party not in (runtime.did, runtime.did + DRB_OFFICE):
        receipt = author(
            unit,
            runtime,
            "statement",
            about=run.id,
            subject=statements.subject(body),
            payload={"statement": body, "run": run.body, "receipts": rows},
            counterparty=party,
            study=run.body["study"],
        )
        row.receipt = receipt.id
    unit.session.add(row)


def _accepted(runtime: Runtime, unit: Unit, receipt: Receipt) -> None:
    journal.record(
        unit,
        "statement-accepted",
        now=runtime.now(),
        study=receipt.study,
        by=receipt.counterparty,
        run=receipt.about,
    )
