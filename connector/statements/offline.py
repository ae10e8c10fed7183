"""A settlement computed again from the public log alone (`dure settle recompute`): no account, nothing believed.

Everything in the log is read and hashed up to the signed root, so that a receipt which the operator left out shows.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from connector.identity.did import document_url, public_keys
from vocab.errors import Refusal
from vocab.money.facts import TYPES, Logged
from vocab.money.recompute import recompute
from vocab.records.envelope import digest
from vocab.tlog import hash as tree
from vocab.tlog.policy import policy
from vocab.tlog.tiles import entries_of, spread
from vocab.tlog.verify import check_log

#: The bytes at an address. Raises `OSError` or `LookupError` when there are none.
Fetch = Callable[[str], bytes]


def recompute_run(run_id: str, node: str, fetch: Fetch) -> dict[str, Any]:
    """The run of the operator at `node`, computed again: `equal`, `digest`, `needed`, `lines`, `differs`, `same_code`,
    `logged` (index of the log entry that names the digest), `size`.

    Raises what checking the log raises, `Refusal("not-in-the-log")` for a range that the log does not have or a digest
    that no entry names, and what recomputing raises.
    """

    def read(path: str) -> bytes:
        return fetch(f"{node}/log/{path}")

    given = json.loads(fetch(f"{node}/settlements/{run_id}"))
    run = given["body"]
    checked = check_log(read, policy(read("policy")))
    entries: list[bytes] = []
    for index, width in spread(checked.size):
        entries += entries_of(read, index, width)[1]
    log = run["log"]
    root = tree.folded([tree.leaf(entry) for entry in entries[: log["size"]]])
    if not 0 < log["size"] <= checked.size or root.hex() != log["root"]:
        raise Refusal("not-in-the-log", needed=log, seen={"size": checked.size, "root": root.hex()}, receipt=run_id)
    logged = [Logged(index, json.loads(entry)) for index, entry in enumerate(entries)]
    named = _named(logged, run["operator"], run_id, digest(run))
    of_study = [one for one in logged[: log["size"]] if _concerns(one, run["study"])]
    again = recompute(run, of_study, _keys(of_study, node, fetch))
    return {"run": run_id, **again.to_json(), "logged": named, "size": checked.size}


def _named(logged: Iterable[Logged], operator: str, run_id: str, run_digest: str) -> int:
    for one in logged:
        body = one.envelope["body"]
        if (body["type"], body["author"], body["about"]) == ("settlement", operator, run_id):
            if body["subject"].get("digest") == run_digest:
                return one.index
            raise Refusal("not-in-the-log", needed=body["subject"].get("digest"), seen=run_digest, receipt=run_id)
    raise Refusal("not-in-the-log", needed=run_digest, receipt=run_id)


def _concerns(one: Logged, study: str) -> bool:
    body = one.envelope["body"]
    return body["study"] == study and body["type"] in TYPES


def _keys(entries: Iterable[Logged], node: str, fetch: Fetch) -> dict[str, bytes]:
    """The receipt keys of everybody who signed, from their own DID documents."""
    signed = {one["did"] for entry in entries for one in entry.envelope["signatures"]}
    development = node.startswith("http://")
    documents = {did: fetch(document_url(did, development=development)) for did in sorted(signed)}
    return {did: public_keys(json.loads(found), did)["receipt"] for did, found in documents.items()}
