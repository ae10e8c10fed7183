"""An audit answer as a document: the answer, the log entries that it rests on with their proofs, and the keys.

Whoever receives it checks every signature and proof and computes the answer again; nothing is believed because the
operator said it. That no entry was left out shows only in the whole log: `whole`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from vocab.errors import Refusal
from vocab.records.envelope import canonical
from vocab.records.receipt import read
from vocab.records.use import Leaf, answer, leaf, leaves_of
from vocab.tlog.policy import Policy, policy
from vocab.tlog.proof import check_proof, proof
from vocab.tlog.tiles import WIDTH, Fetch, entries_of, spread
from vocab.tlog.verify import check_log

FORMAT: Final = "dure-audit-1"


def document(
    found: Mapping[str, Any], entries: Iterable[tuple[int, bytes, bytes]], keys: Mapping[str, bytes], trusted: str
) -> dict[str, Any]:
    """The answer `found` with its entries (index, bytes, tlog-proof), the signers' keys and the log policy."""
    leaves = [
        {"index": index, "envelope": json.loads(data), "proof": proved.decode()} for index, data, proved in entries
    ]
    signers = {one["did"] for each in leaves for one in each["envelope"]["signatures"]}
    return {
        "format": FORMAT,
        "answer": dict(found),
        "leaves": leaves,
        "keys": {did: keys[did].hex() for did in sorted(signers & keys.keys())},
        "policy": trusted,
    }


def check(said: Any, trusted: Policy | None = None) -> dict[str, Any]:
    """The answer of a document that holds: every entry is signed and logged, and they give this very answer.

    Without `trusted` the document's own policy is used. Raises `Refusal`: audit-malformed, audit-differs, what
    `receipt.read` raises, or `LogBroken`.
    """
    try:
        if said["format"] != FORMAT:
            raise ValueError("format")
        found, keys = dict(said["answer"]), {did: bytes.fromhex(key) for did, key in said["keys"].items()}
        asked = (found["operator"], found["dataset"], found["on"])
        entries = [(one["index"], dict(one["envelope"]), one["proof"].encode()) for one in said["leaves"]]
        trusted = trusted or policy(said["policy"].encode())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refusal("audit-malformed", why=f"{type(error).__name__}: {error}") from None
    leaves = [_leaf(index, envelope, proved, keys, trusted) for index, envelope, proved in entries]
    again = answer(leaves, *asked)
    if canonical(again) != canonical(found) or leaves_of(again) != sorted(one.index for one in leaves):
        raise Refusal("audit-differs", dataset=asked[1], on=asked[2])
    return found


def whole(fetch: Fetch, trusted: Policy, operator: str, dataset: str, on: str) -> dict[str, Any]:
    """The answer from a whole log in files, first checked entry by entry: nothing can have been left out.

    Raises `LogBroken` as `check_log`. The signatures of single entries need the members' keys and are not checked here.
    """
    size = check_log(fetch, trusted).size
    leaves = [
        leaf(number, json.loads(data))
        for index, width in spread(size)
        for number, data in enumerate(entries_of(fetch, index, width)[1], start=index * WIDTH)
    ]
    return answer(leaves, operator, dataset, on)


def _leaf(index: int, envelope: dict[str, Any], proved: bytes, keys: Mapping[str, bytes], trusted: Policy) -> Leaf:
    read(envelope, keys)
    check_proof(proved, canonical(envelope), trusted)
    if proof(proved).index != index:
        raise Refusal("audit-malformed", why=f"index {index}")
    return leaf(index, envelope)
