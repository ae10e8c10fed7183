"""The receipt: one body for everything that counts, signed by its author and, where there is one, by the other party.

    {"type", "id", "study", "about", "author", "counterparty", "at", "subject": {ids, digests}, "payload": commitment}

Its canonical envelope is the log entry. So nothing may stand in it that nobody signed.
"""

from collections.abc import Mapping
from typing import Any, Final

from vocab.errors import Refusal
from vocab.records.envelope import canonical, opened
from vocab.tlog.tiles import LONGEST_ENTRY

#: A DID of 200 characters and a signature: what an entry must leave room for when its author signs.
COUNTERSIGNATURE: Final = 400

_BODY: Final[Mapping[str, Any]] = {
    "type": str,
    "id": str,
    "study": str | None,
    "about": str,
    "author": str,
    "counterparty": str | None,
    "at": int,
    "subject": dict,
    "payload": str,
}
_ENVELOPE: Final = {"suite", "body", "signatures"}
_SIGNATURE: Final = {"did", "signature"}


def body_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a receipt, its shape checked and no signature yet. Raises `Refusal("envelope-invalid")`."""
    body, signatures = envelope.get("body"), envelope.get("signatures")
    if envelope.keys() != _ENVELOPE or not isinstance(body, dict) or not isinstance(signatures, list):
        raise Refusal("envelope-invalid", why="shape")
    if any(not isinstance(one, dict) or one.keys() != _SIGNATURE for one in signatures):
        raise Refusal("envelope-invalid", why="signatures")
    if odd := sorted(body.keys() ^ _BODY.keys()):
        raise Refusal("envelope-invalid", why=odd[0][:50])
    for name, kind in _BODY.items():
        if not isinstance(body[name], kind) or isinstance(body[name], bool):
            raise Refusal("envelope-invalid", why=name)
    return body


def read(envelope: dict[str, Any], keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The body of a receipt that its author signed, and nobody but its parties, the author first.

    Raises `Refusal`: envelope-invalid, signature-invalid, signature-missing, entry-too-long.
    """
    body = body_of(envelope)
    parties = [body["author"], body["counterparty"]]
    opened(envelope, body["type"], keys, body["author"])
    signed_by = [one["did"] for one in envelope["signatures"]]
    if signed_by != parties[: len(signed_by)]:
        raise Refusal("envelope-invalid", why="signatures", needed=parties, seen=signed_by)
    demand_short(envelope)
    return body


def two_signed(envelope: Mapping[str, Any]) -> bool:
    """Whether every party of a receipt that was `read` signed it."""
    return len(envelope["signatures"]) == (1 if envelope["body"]["counterparty"] is None else 2)


def demand_short(envelope: Mapping[str, Any]) -> None:
    """Raises `Refusal("entry-too-long")` unless the envelope fits a log entry, with the signature that may follow."""
    room = COUNTERSIGNATURE if not two_signed(envelope) else 0
    if (length := len(canonical(envelope)) + room) > LONGEST_ENTRY:
        raise Refusal("entry-too-long", needed=LONGEST_ENTRY, seen=length)
