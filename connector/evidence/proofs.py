"""The log's proof of a receipt arrives: believed only when it verifies offline, under the policy that we know."""

from connector.evidence import journal
from connector.evidence.model import Receipt
from connector.evidence.receipts import Receipts, entry_bytes
from connector.identity.service import Members, spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.tlog.policy import policy
from vocab.tlog.proof import check_proof, proof


async def accept(runtime: Runtime, by: Caller, receipt_id: str, text: str) -> None:
    """Keeps the newest proof of one of our receipts.

    Raises `Refusal`: operator-only, not-found, or the `LogBroken` that says what does not hold (C2SP tlog-proof).
    """
    known = runtime.get(Members)
    if by.did != known.operator:
        raise Refusal("operator-only", needed=known.operator, seen=by.did)
    receipt = await runtime.store.read(lambda session: session.get(Receipt, receipt_id))
    if receipt is None:
        raise Refusal("not-found", what=receipt_id)
    entry = entry_bytes(receipt)
    check_proof(text.encode(), entry, policy(known.log_policy.encode()))
    index = proof(text.encode()).index

    def keep(unit: Unit) -> None:
        spend(unit, by, runtime.now())
        row = unit.session.get(Receipt, receipt_id)
        if row is None or entry_bytes(row) != entry:
            raise Refusal("changed-meanwhile", what=receipt_id)
        first, row.proof, row.log_index = row.proof is None, text, index
        if not first:
            return
        now = runtime.now()
        journal.record(unit, "receipt-proven", now=now, study=row.study, type=row.type, id=row.id, index=index)
        if (proven := runtime.get(Receipts).proven.get(row.type)) is not None:
            proven(unit, row)

    await runtime.store.run(keep)
