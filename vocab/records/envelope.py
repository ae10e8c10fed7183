"""One envelope for everything that is signed and counts: canonical JSON (RFC 8785) with one or two Ed25519 signatures.

    {"suite": "dure-ed25519-jcs-1", "body": {...}, "signatures": [{"did": "...", "signature": "<base64>"}]}

The signed bytes are `SUITE + newline + type + newline + JCS(body)`: made for one type, it is no good for another.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vocab.errors import Refusal

SUITE: Final = "dure-ed25519-jcs-1"

Body = Mapping[str, Any]
Envelope = dict[str, Any]
Sign = Callable[[bytes], bytes]


def canonical(value: object) -> bytes:
    """`value` as RFC 8785 bytes. Raises `Refusal("not-canonical")` for what JSON cannot say exactly."""
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise Refusal("not-canonical", why=type(error).__name__) from None


def digest(value: object) -> str:
    """Lower-case hex SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def commitment(salt: bytes, payload: object) -> str:
    """What the log shows of `payload`: SHA-256(salt || canonical payload), so that guesses cannot be confirmed."""
    return hashlib.sha256(salt + canonical(payload)).hexdigest()


def _message(body: Body) -> bytes:
    return f"{SUITE}\n{body['type']}\n".encode() + canonical(body)


def signed(body: Body, did: str, sign: Sign) -> Envelope:
    """`body` with its first signature. `body["type"]` names what it is."""
    return {"suite": SUITE, "body": dict(body), "signatures": [_signature(body, did, sign)]}


def countersigned(envelope: Envelope, did: str, sign: Sign) -> Envelope:
    """The same envelope with one more signature; a second one by the same party replaces nothing and is not added."""
    if any(one["did"] == did for one in envelope["signatures"]):
        return envelope
    return {**envelope, "signatures": [*envelope["signatures"], _signature(envelope["body"], did, sign)]}


def _signature(body: Body, did: str, sign: Sign) -> dict[str, str]:
    return {"did": did, "signature": base64.b64encode(sign(_message(body))).decode()}


def signers(envelope: Envelope, keys: Mapping[str, bytes]) -> list[str]:
    """The parties whose signatures hold, in order. `keys` gives each party's raw Ed25519 public key.

    Raises `Refusal("signature-invalid")` if any signature does not hold or is of a party not in `keys`: an envelope
    with one bad signature is not an envelope with one signature fewer.
    """
    if envelope.get("suite") != SUITE:
        raise Refusal("envelope-invalid", why="suite")
    body, signatures = envelope.get("body"), envelope.get("signatures")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str) or not isinstance(signatures, list):
        raise Refusal("envelope-invalid", why="shape")
    message, found = _message(body), []
    for one in signatures[:16]:
        did = one.get("did") if isinstance(one, dict) else None
        if not isinstance(did, str) or did not in keys or did in found:
            raise Refusal("signature-invalid", by=str(did))
        try:
            Ed25519PublicKey.from_public_bytes(keys[did]).verify(
                base64.b64decode(one["signature"], validate=True), message
            )
        except (InvalidSignature, KeyError, TypeError, ValueError, binascii.Error):
            raise Refusal("signature-invalid", by=did) from None
        found.append(did)
    if not found:
        raise Refusal("signature-invalid", by="–")
    return found


def opened(envelope: Envelope, kind: str, keys: Mapping[str, bytes], *required: str) -> dict[str, Any]:
    """The body of a `kind` envelope that every party in `required` signed. Raises `Refusal` otherwise."""
    found = signers(envelope, keys)
    body: dict[str, Any] = envelope["body"]
    if body["type"] != kind:
        raise Refusal("envelope-invalid", why="type", needed=kind, seen=body["type"])
    for did in required:
        if did not in found:
            raise Refusal("signature-missing", by=did)
    return body
