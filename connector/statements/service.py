"""Statements arrive as receipts of the operator. Before it signs, this node computes the whole run again.

It believes nothing but the log: each receipt of the run with its proof, its own receipts on top (none may be missing),
the reward in its own copy of the permit, and the tariff of its own policy release.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.evidence.service import Receipts
from connector.identity.service import Members
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.policy.tariff import tariff
from connector.rights.service import permit_for
from connector.statements.model import StatementRow
from vocab.errors import Refusal
from vocab.money.facts import TYPES, Logged
from vocab.money.recompute import proven, recompute
from vocab.money.statement import statement, subject
from vocab.money.tariff import Tariff, from_json
from vocab.tlog.policy import policy

Json = dict[str, Any]


def install(runtime: Runtime) -> None:
    """Puts the tariff of the policy release in force here, and registers what is looked at before signing."""
    runtime.add(tariff())
    runtime.get(Receipts).checks["statement"] = partial(check, runtime)


def statements(session: Session, *, after: str = "", limit: int = 100) -> list[StatementRow]:
    """The statements that this node signed, by run."""
    query = select(StatementRow).where(StatementRow.run > after).order_by(col(StatementRow.run)).limit(limit)
    return list(session.exec(query))


def of_study(session: Session, study: str) -> list[StatementRow]:
    """The statements of one study, oldest first."""
    query = select(StatementRow).where(StatementRow.study == study)
    return list(session.exec(query.order_by(col(StatementRow.at), col(StatementRow.run))))


def check(runtime: Runtime, unit: Unit, body: Json, payload: Json) -> None:
    """Receipt `statement`: kept when it is what the receipts give.

    Raises `Refusal`: statement-differs with the line or member that does, tariff-not-agreed, not-in-the-log,
    run-malformed, and what reading the log's proofs raises.
    """
    known = runtime.get(Members)
    run, given, rows = payload.get("run"), payload.get("statement"), payload.get("receipts")
    if not isinstance(run, dict) or not isinstance(given, dict) or not isinstance(rows, list):
        raise Refusal("run-malformed", what="run, statement, receipts")
    if body["author"] != known.operator:
        raise Refusal("operator-only", needed=known.operator, seen=body["author"])
    try:
        _same_tariff(runtime.get(Tariff), run)
        entries = proven(run, rows, policy(known.log_policy.encode()))
        again = recompute(run, entries, known.receipts)
        ours = statement(run, runtime.did)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refusal("run-malformed", what=type(error).__name__) from None
    if not again.equal:
        raise _differs(", ".join(again.differs)[:200], needed=again.digest, seen=again.needed)
    if given != ours or body["subject"] != subject(ours) or body["study"] != run["study"]:
        raise _differs("statement", needed=ours["receivable_won"], seen=given.get("receivable_won"))
    _nothing_missing(unit.session, run, entries)
    _reward_agreed(unit.session, run, entries)
    unit.session.add(
        StatementRow(
            run=ours["run"],
            study=run["study"],
            body=given,
            receipt=body["id"],
            settled=sorted({source["id"] for line in run["lines"] for source in line["receipts"]}),
            same_code=again.same_code,
            at=runtime.now(),
        )
    )
    journal.record(
        unit,
        "statement-agreed",
        now=runtime.now(),
        study=run["study"],
        by=body["author"],
        run=ours["run"],
        payable=ours["payable_won"],
        receivable=ours["receivable_won"],
    )


def _same_tariff(ours: Tariff, run: Mapping[str, Any]) -> None:
    theirs = from_json(run["tariff"])
    if ours != theirs:
        raise Refusal("tariff-not-agreed", needed=ours.digest, seen=theirs.digest)


def _nothing_missing(session: Session, run: Json, entries: list[Logged]) -> None:
    """Every receipt of ours in the run's range is in the run, or was in one that we signed before."""
    size = run["log"]["size"]
    query = select(Receipt).where(Receipt.study == run["study"], col(Receipt.type).in_(TYPES))
    ours = [row for row in session.exec(query) if row.log_index is not None and row.log_index < size]
    earlier = {receipt for row in of_study(session, run["study"]) for receipt in row.settled}
    used = {entry.envelope["body"]["id"] for entry in entries}
    for row in ours:
        if row.id not in used:
            raise _differs("receipts", needed=row.id, seen=None)
        if row.id in run["settled"] and row.id not in earlier:
            raise _differs("settled", needed=None, seen=row.id)


def _reward_agreed(session: Session, run: Json, entries: list[Logged]) -> None:
    """The reward that the decision names is the one in our copy of the permit."""
    permit = permit_for(session, run["study"])
    for body in (entry.envelope["body"] for entry in entries):
        if permit is not None and body["type"] == "decision" and body["subject"].get("permit") == permit.id:
            needed, seen = permit.fields["outcome_reward"], body["subject"]["outcome_reward"]
            if needed != seen:
                raise _differs("outcome_reward", needed=needed, seen=seen)


def _differs(what: str, *, needed: object, seen: object) -> Refusal:
    return Refusal("statement-differs", rule="settlement", needed=needed, seen=seen, what=what)
