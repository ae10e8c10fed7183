"""The agreement's receipt, as a hospital shows it to the zone: both signatures, the log's proof, and the policy in it.

The zone is no party to the agreement. What it knows of it comes from here and from nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.identity.service import Members
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.records.envelope import canonical, commitment, opened
from vocab.tlog.policy import policy as log_policy
from vocab.tlog.proof import check_proof

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the receipt says: `subject` as the log shows it, the policy that was agreed, and the snapshot's k."""

    receipt: str
    provider: str
    consumer: str
    subject: Json
    policy: Policy
    k: int


def agreed(known: Members, envelope: dict[str, Any], payload: dict[str, Any], salt: str, proof: str) -> Agreed:
    """The agreement that this receipt proves. Raises `Refusal("receipt-incomplete")` for anything less than proof."""
    try:
        body = envelope.get("body")
        if not isinstance(body, dict):
            raise Refusal("envelope-invalid", why="shape")
        author, counterparty = str(body["author"]), str(body["counterparty"])
        found = opened(envelope, "agreement", known.receipts, author, counterparty)
        check_proof(proof.encode(), canonical(envelope), log_policy(known.log_policy.encode()))
        if commitment(bytes.fromhex(salt), payload) != found["payload"]:
            raise Refusal("payload-altered", needed=found["payload"])
        policy = normalise(payload["agreement"])
        if policy.digest != found["subject"]["policy"] or type(payload["k"]) is not int:
            raise Refusal("payload-altered", needed=found["subject"]["policy"], seen=policy.digest)
        return Agreed(found["id"], author, counterparty, found["subject"], policy, payload["k"])
    except Refusal as refusal:
        raise Refusal("receipt-incomplete", rule="agreement.receipt", seen=refusal.code) from None
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal("receipt-incomplete", rule="agreement.receipt", seen=type(error).__name__) from None
