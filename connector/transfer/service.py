"""The transfer room's door: what both sides do with a peer's message, and what this room performs."""

from functools import partial
from typing import Any
from urllib.parse import quote

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.evidence.service import Receipts
from connector.identity.service import ask, spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Performed, Promise
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.rights.service import Rights, end_grant, permit_for
from connector.transfer import certificates, core, data, delivery, ending, provider, public, staging
from connector.transfer.consumer import start, start_study
from connector.transfer.hands import end
from connector.transfer.house import House, house
from connector.transfer.model import Transfer
from connector.transfer.states import TERMINAL, Message
from vocab.errors import Refusal
from vocab.messages import problems
from vocab.messages.transfer import PUBLIC_FORMATS, TransferStart, TransferStep

__all__ = ["end", "install", "left", "receive", "start", "start_study", "transfers"]


async def receive(runtime: Runtime, by: Caller, pid: str, kind: Message, message: TransferStart | TransferStep) -> None:
    """A message of the other side takes effect once, or raises and leaves no trace."""

    def take(unit: Unit) -> None:
        now = runtime.now()
        spend(unit, by, now)
        row = core.addressed(unit.session, pid, by.did, message)
        if core.repeated(unit.session, by.did, message.id):
            return
        core.received(unit, row, kind, message.id, message.raw, now)
        if row.provider_pid is None:
            row.provider_pid = message.provider_pid  # it overtook the answer to our request
        if isinstance(message, TransferStart) and message.address is not None and row.side == Side.CONSUMER:
            row.source = message.address.to_json()
        if kind is Message.START and row.side == Side.PROVIDER and row.format in PUBLIC_FORMATS:
            public.resumed(unit, runtime, row)
        said = problems.said(message.body) if isinstance(message, TransferStep) else None
        if said is not None and kind is Message.TERMINATION:
            core.ended(unit, runtime, row, said.refusal(), said.reason)
            return
        row.reason = said.reason if said is not None and kind is Message.SUSPENSION else None
        if row.state in TERMINAL:
            end_grant(unit, kind="transfer", id=row.id, now=now)
        journal.record(
            unit, "transfer-moved", now=now, study=row.study, by=by.did, state=row.state, dataset=row.dataset
        )

    await runtime.store.run(take)


def transfers(session: Session, study: str | None = None, *, after: str = "", limit: int = 100) -> list[Transfer]:
    """The transfers of this node, by id; of one study, or all."""
    query = select(Transfer).where(Transfer.id > after).order_by(Transfer.id).limit(limit)
    return list(session.exec(query if study is None else query.where(Transfer.study == study)))


async def left(runtime: Runtime, study: str) -> House:
    """What left this hospital for a study. What the zone let out is missing while the zone cannot be reached."""
    results = await _results(runtime, study)

    def read(session: Session) -> House:
        permit = permit_for(session, study)
        receipts = session.exec(select(Receipt).where(Receipt.study == study).order_by(col(Receipt.at)))
        return house(
            study,
            permit.fields["zone"] if permit else None,
            transfers(session, study, limit=500),
            ending.data_keys(session, study),
            ending.releases(session, study),
            receipts.all(),
            results,
        )

    return await runtime.store.read(read)


async def _results(runtime: Runtime, study: str) -> list[dict[str, Any]]:
    """The releases of a study as its zone shows them to its hospitals."""
    permit = await runtime.store.read(lambda session: permit_for(session, study))
    member = runtime.get(Rights).demand().member(permit.fields["zone"]) if permit else None
    if member is None:
        return []
    url = f"{member.url.rstrip('/')}/studies/{quote(study, safe=':')}/zone"
    try:
        answer = await ask(runtime, "GET", url, member.did)
    except Unreachable:
        return []
    found = answer.body.get("releases") if answer.ok and isinstance(answer.body, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


async def _deliver(runtime: Runtime, row: Promise) -> Performed:
    """Performs `transfer-message`. A first request that was ended before it left is not sent."""
    pid = row.payload["transfer"]
    kept = await runtime.store.read(lambda session: session.get(Transfer, pid))
    if kept is None or (row.payload["process"] is None and kept.state in TERMINAL):
        return None
    answer = await delivery.deliver(runtime, row)
    theirs = answer.body.get("providerPid") if answer and isinstance(answer.body, dict) else None
    if kept.side != Side.CONSUMER or kept.provider_pid is not None or not isinstance(theirs, str):
        return None

    def learned(unit: Unit) -> None:
        current = unit.session.get(Transfer, pid)
        if current is not None and current.provider_pid is None:
            current.provider_pid = theirs

    return learned


def _given_up(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The peer refused, or could not be reached in time: the transfer is over, if it was not already."""
    current = unit.session.get(Transfer, row.payload["transfer"])
    if current is None or current.state in TERMINAL:
        return
    current.state, current.changed_at = "TERMINATED", runtime.now()
    core.ended(unit, runtime, current, refusal)


def install(runtime: Runtime) -> None:
    """Registers what this room performs."""
    handlers = runtime.outbox.handlers
    handlers[delivery.EFFECT] = Handler(partial(_deliver, runtime), partial(_given_up, runtime))
    handlers[provider.SEAL] = Handler(partial(staging.seal, runtime), partial(staging.given_up, runtime))
    handlers[staging.PUSH] = Handler(partial(staging.push, runtime), partial(staging.given_up, runtime))
    handlers[public.PUSH] = Handler(partial(data.push, runtime), partial(data.given_up, runtime))
    handlers[data.FETCH] = Handler(partial(data.fetch, runtime), partial(data.given_up, runtime))
    handlers[ending.TELL] = Handler(partial(ending.tell, runtime))
    handlers["stop:transfer"] = Handler(partial(ending.transfer_stopped, runtime))
    checks = runtime.get(Receipts).checks
    checks[certificates.TASK] = partial(certificates.task_certificate, runtime)
    checks[certificates.CLOSING] = partial(certificates.closing_certificate, runtime)
    handlers["stop:key"] = Handler(partial(ending.key_stopped, runtime))
