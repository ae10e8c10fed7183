"""One evidence file: a payload, the receipts that commit to it with their log proofs, and what they are checked with.

{"format": ..., "payload": {...}, "receipts": [{"envelope", "salt", "proof"}], "keys": {did: hex}, "policy": "..."}
The keys and the log policy in it are those that this node believes; an auditor may bring others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.evidence.model import Receipt
from connector.identity.service import Members
from vocab.errors import Refusal
from vocab.records.envelope import canonical, commitment, digest
from vocab.records.receipt import read as read_receipt
from vocab.records.receipt import two_signed
from vocab.tlog.policy import Policy, policy
from vocab.tlog.proof import check_proof, proof

FORMAT: Final = "dure-evidence-1"
LONGEST: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """A receipt of an evidence file that holds: who signed it, and where the log has it."""

    id: str
    type: str
    signed_by: tuple[str, ...]
    index: int
    size: int
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What such a file says, not yet checked."""

    payload: dict[str, Any]
    receipts: tuple[dict[str, Any], ...]
    keys: dict[str, bytes]
    policy: str


def certificate_file(rows: Sequence[Receipt], known: Members) -> dict[str, Any]:
    """The file of receipts that commit to one payload. Raises `Refusal("receipt-unproven")` without their proofs."""
    for row in rows:
        if row.proof is None or row.payload is None:
            raise Refusal("receipt-unproven", receipt=row.id)
    signers = {did for row in rows for did in (*_signers(row.envelope), *_signers(row.payload))}
    return {
        "format": FORMAT,
        "payload": rows[0].payload,
        "receipts": [{"envelope": row.envelope, "salt": row.salt, "proof": row.proof} for row in rows],
        "keys": {did: known.receipts[did].hex() for did in sorted(signers & known.receipts.keys())},
        "policy": known.log_policy,
    }


def _signers(value: object) -> Iterator[str]:
    """Whoever signed an envelope in `value`, also one inside another's payload."""
    if isinstance(value, Mapping):
        signatures = value.get("signatures")
        for one in signatures if isinstance(signatures, list) else ():
            if isinstance(one, Mapping) and isinstance(one.get("did"), str):
                yield one["did"]
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for inner in inside:
        yield from _signers(inner)


def read(data: bytes) -> EvidenceFile:
    """Reads an evidence file strictly. Raises `Refusal("evidence-file-malformed")`."""
    try:
        if len(data) > LONGEST:
            raise ValueError("too long")
        found = json.loads(data)
        if found.keys() != {"format", "payload", "receipts", "keys", "policy"} or found["format"] != FORMAT:
            raise ValueError("members or format")
        receipts = tuple(
            {"envelope": dict(one["envelope"]), "salt": bytes.fromhex(one["salt"]), "proof": one["proof"].encode()}
            for one in found["receipts"]
        )
        keys = {str(did): bytes.fromhex(key) for did, key in found["keys"].items()}
        if not receipts or not isinstance(found["policy"], str):
            raise ValueError("receipts or policy")
        return EvidenceFile(dict(found["payload"]), receipts, keys, found["policy"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refusal("evidence-file-malformed", why=f"{type(error).__name__}: {error}") from None


def held(file: EvidenceFile, trusted: Policy | None = None) -> list[Held]:
    """Every receipt of `file`, checked: all signatures, the payload, and the log's proof under `trusted`.

    Without `trusted` the file's own policy is used: then it shows that the file is whole, not who stands behind it.
    Raises `Refusal`: signature-invalid, signature-missing, payload-altered, receipts-differ, or `LogBroken`.
    """
    trusted = trusted or policy(file.policy.encode())
    found = [_held(file, one, trusted) for one in file.receipts]
    about = {(one["envelope"]["body"]["type"], one["envelope"]["body"]["about"]) for one in file.receipts}
    if len(about) != 1 or len({one.id for one in found}) != len(found):
        raise Refusal("receipts-differ", seen=sorted(about))
    return found


def _held(file: EvidenceFile, one: dict[str, Any], trusted: Policy) -> Held:
    envelope = one["envelope"]
    body = read_receipt(envelope, file.keys)
    if not two_signed(envelope):
        raise Refusal("signature-missing", by=body["counterparty"])
    parties = [did for did in (body["author"], body["counterparty"]) if did is not None]
    if commitment(one["salt"], file.payload) != body["payload"]:
        raise Refusal("payload-altered", needed=body["payload"], seen=digest(file.payload))
    signed = check_proof(one["proof"], canonical(envelope), trusted)
    index, size = proof(one["proof"]).index, signed.checkpoint.size
    return Held(body["id"], body["type"], tuple(parties), index, size, tuple(signed.cosigners))
