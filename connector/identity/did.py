"""did:web: where a participant's keys are found, and how its document is written (W3C DID 1.0, did:web)."""

import base64
from typing import Any, Final
from urllib.parse import unquote

from connector.kit.keys import Keys
from vocab.errors import Refusal

CONTEXT: Final = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"]


def document_url(did: str, *, development: bool) -> str:
    """The address of a did:web document; plain http only for this machine in development."""
    if not did.startswith("did:web:") or len(did) > 200:
        raise Refusal("did-invalid", did=did)
    host, *path = [unquote(part) for part in did.removeprefix("did:web:").split(":")]
    if not host or any(sign in host for sign in "/?#@") or any("/" in part for part in path):
        raise Refusal("did-invalid", did=did)
    scheme = "http" if development and host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{host}/{'/'.join(path) or '.well-known'}/did.json"


def document(did: str, keys: Keys) -> dict[str, Any]:
    """This node's DID document: its P-256, Ed25519, witness and X25519 public keys."""

    def method(name: str, jwk: dict[str, str]) -> dict[str, Any]:
        return {"id": f"{did}#{name}", "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk}

    point = keys.public("token")
    methods = [
        method("token", {"kty": "EC", "crv": "P-256", "x": _b64(point[1:33]), "y": _b64(point[33:])}),
        method("receipt", {"kty": "OKP", "crv": "Ed25519", "x": _b64(keys.public("receipt"))}),
        method("witness", {"kty": "OKP", "crv": "Ed25519", "x": _b64(keys.public("witness"))}),
        method("sealing", {"kty": "OKP", "crv": "X25519", "x": _b64(keys.public("sealing"))}),
    ]
    return {
        "@context": CONTEXT,
        "id": did,
        "verificationMethod": methods,
        "authentication": [f"{did}#token"],
        "assertionMethod": [f"{did}#receipt", f"{did}#witness"],
        "keyAgreement": [f"{did}#sealing"],
    }


def public_keys(found: Any, did: str) -> dict[str, bytes]:
    """The raw keys of `did` in its document, by name. Raises `Refusal("did-invalid")` when it is not its document."""
    if not isinstance(found, dict) or found.get("id") != did:
        raise Refusal("did-invalid", did=did)
    keys: dict[str, bytes] = {}
    try:
        for method in found["verificationMethod"]:
            name, jwk = method["id"].removeprefix(f"{did}#"), method["publicKeyJwk"]
            raw = _raw(jwk["x"])
            keys[name] = b"\x04" + raw + _raw(jwk["y"]) if jwk["kty"] == "EC" else raw
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Refusal("did-invalid", did=did) from None
    if {"token", "receipt", "witness", "sealing"} - keys.keys():
        raise Refusal("did-invalid", did=did)
    return keys


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
