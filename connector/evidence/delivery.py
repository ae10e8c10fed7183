"""A receipt's way: to the counterparty for its signature, then to the operator's log. Performed by the outbox.

The same receipt may be posted twice after a crash: the counterparty answers with what it signed, the log with the index
that the entry has.
"""

import hashlib
from functools import partial
from typing import Any, Final

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.evidence.receipts import Receipts, entry_bytes
from connector.identity.service import Members, ask
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.ports import Answer
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.records.envelope import Envelope, canonical, signers

#: What a peer says when it disagrees with a receipt, as against when it cannot answer yet.
DISAGREES: Final = frozenset({409, 422})
#: Refusals of that kind that another try may cure.
PASSING: Final = frozenset({"changed-meanwhile", "token-used"})


async def deliver(runtime: Runtime, row: Promise) -> Performed:
    """Effect `receipt`: the counterparty signs ours, or disputes it."""
    receipt = await _kept(runtime, row)
    if receipt.state != "authored" or receipt.counterparty is None:
        return None
    message = {"envelope": receipt.envelope, "payload": receipt.payload, "salt": receipt.salt}
    answer = await _post(runtime, receipt.counterparty, "/receipts", message)
    if answer.ok:
        envelope = _countersigned(receipt, answer, runtime.get(Members))
        return partial(_complete, runtime=runtime, receipt_id=receipt.id, envelope=envelope)
    code = _code(answer)
    if answer.status in DISAGREES and code not in PASSING:
        return partial(_dispute, runtime=runtime, receipt_id=receipt.id, answer=answer, code=code)
    raise TryLater(code)


async def hand_in(runtime: Runtime, row: Promise) -> Performed:
    """Effect `log-entry`: the operator's log takes the receipt and says under which index."""
    receipt = await _kept(runtime, row)
    if receipt.log_index is not None:
        return None
    operator = runtime.get(Members).operator
    if operator is None:
        raise TryLater("no standing list yet")
    answer = await _post(runtime, operator, "/log/entries", {"envelope": receipt.envelope})
    digest = hashlib.sha256(entry_bytes(receipt)).hexdigest()
    found = answer.body if answer.ok and isinstance(answer.body, dict) else {}
    index = found.get("index")
    if found.get("digest") != digest or not isinstance(index, int):
        raise TryLater(_code(answer))

    def logged(unit: Unit) -> None:
        kept = unit.session.get(Receipt, receipt.id)
        if kept is not None:
            kept.log_index, kept.entry_digest, kept.logged_at = index, digest, runtime.now()

    return logged


def one_sided(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The counterparty never answered: the receipt is logged with one signature, and shown as such."""
    receipt = unit.session.get(Receipt, row.payload["id"])
    if receipt is None or receipt.state != "authored":
        return
    receipt.state = "one-sided"
    why = str(refusal.values.get("why", refusal.code))
    _note(unit, runtime, receipt, "receipt-one-sided", "failed", why=why)
    _to_the_log(unit, runtime, receipt)


def unlogged(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The log never took it: that too is evidence, and the receipt itself is the proof."""
    receipt = unit.session.get(Receipt, row.payload["id"])
    if receipt is not None:
        why = str(refusal.values.get("why", refusal.code))
        _note(unit, runtime, receipt, "receipt-unlogged", "failed", why=why)


def _complete(unit: Unit, *, runtime: Runtime, receipt_id: str, envelope: Envelope) -> None:
    receipt = unit.session.get(Receipt, receipt_id)
    if receipt is None or receipt.state != "authored":
        return
    receipt.envelope, receipt.state = envelope, "complete"
    _note(unit, runtime, receipt, "receipt-complete", "done")
    if (completed := runtime.get(Receipts).completed.get(receipt.type)) is not None:
        completed(unit, receipt)
    _to_the_log(unit, runtime, receipt)


def _dispute(unit: Unit, *, runtime: Runtime, receipt_id: str, answer: Answer, code: str) -> None:
    receipt = unit.session.get(Receipt, receipt_id)
    if receipt is None or receipt.state != "authored":
        return
    receipt.state = "disputed"
    said: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    what = (said.get("values") or {}).get("what", code) if isinstance(said.get("values"), dict) else code
    refusal = Refusal(
        "receipt-disputed",
        rule=said.get("rule") or code,
        needed=said.get("needed"),
        seen=said.get("seen"),
        what=f"{receipt.type}: {what}",
    )
    journal.refused(
        unit, refusal, now=runtime.now(), kind="receipt-disputed", study=receipt.study, by=receipt.counterparty
    )


def _to_the_log(unit: Unit, runtime: Runtime, receipt: Receipt) -> None:
    outbox.promise(
        unit,
        f"receipt {receipt.id}",
        "log-entry",
        {"id": receipt.id},
        now=runtime.now(),
        study=receipt.study,
    )


def _note(unit: Unit, runtime: Runtime, receipt: Receipt, kind: str, outcome: str, **values: str) -> None:
    journal.record(
        unit,
        kind,
        now=runtime.now(),
        study=receipt.study,
        by=receipt.counterparty,
        outcome=outcome,
        type=receipt.type,
        id=receipt.id,
        **values,
    )


def _countersigned(receipt: Receipt, answer: Answer, known: Members) -> Envelope:
    """Our receipt with both signatures, or nothing that we lean on."""
    envelope = answer.body.get("envelope") if isinstance(answer.body, dict) else None
    try:
        if not isinstance(envelope, dict) or canonical(envelope.get("body")) != canonical(receipt.envelope["body"]):
            raise TryLater("the answer is not our receipt")
        if signers(envelope, known.receipts) != [receipt.author, receipt.counterparty]:
            raise TryLater("the answer carries other signatures")
    except Refusal as refusal:
        raise TryLater(str(refusal)) from None
    return envelope


async def _kept(runtime: Runtime, row: Promise) -> Receipt:
    receipt = await runtime.store.read(lambda session: session.get(Receipt, row.payload["id"]))
    if receipt is None:
        raise Refusal("not-found", what=row.payload["id"])
    return receipt


async def _post(runtime: Runtime, did: str, path: str, message: dict[str, Any]) -> Answer:
    """Raises `TryLater` also where the guard refuses the address: the next standing list may name another."""
    url = runtime.get(Members).urls.get(did)
    if url is None:
        raise TryLater(f"{did} is not in the standing list")
    try:
        return await ask(runtime, "POST", url + path, did, json=message)
    except Refusal as refusal:
        raise TryLater(str(refusal)) from None


def _code(answer: Answer) -> str:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return code if isinstance(code, str) else f"status {answer.status}"
