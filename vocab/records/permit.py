"""The permit: what the board's decision allows, as a compact JWS (RFC 7515, ES256) that any node can check by itself.

Gates read their own verified copy, never a request. Whether a permit is in force stands in the operator's standing
list; what it covers stands here.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from vocab.errors import Refusal
from vocab.records.envelope import canonical

TYPE: Final = "dure-permit+jwt"
#: A permit lists columns, not data: a longer one is not a permit.
LONGEST: Final = 256 * 1024

#: Signs with the issuer's P-256 key: 64 bytes, r then s (RFC 7518 3.4).
Sign = Callable[[bytes], bytes]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Covered:
    """One dataset of a permit with the columns that it covers, and no others."""

    id: str
    provider: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """A verified permit. Times are UTC milliseconds; `begins` is the claim `from`."""

    id: str
    issuer: str
    study: str
    applicant: str
    datasets: tuple[Covered, ...]
    purpose: str
    legal_purpose: str
    disease: tuple[str, ...]
    code_digests: tuple[str, ...]
    image_digests: tuple[str, ...]
    zone: str
    begins: int
    until: int
    irb_decision: str
    irb_until: int
    drb: str
    outcome_reward: int
    max_jobs: int
    decision_digest: str

    def dataset(self, dataset: str) -> Covered | None:
        """What the permit covers of `dataset`."""
        return next((one for one in self.datasets if one.id == dataset), None)

    @property
    def providers(self) -> tuple[str, ...]:
        """The DIDs of the providers it names, each once."""
        return tuple(dict.fromkeys(one.provider for one in self.datasets))

    def claims(self) -> dict[str, Any]:
        """The payload of the JWS."""
        return {
            "id": self.id,
            "iss": self.issuer,
            "study": self.study,
            "applicant": self.applicant,
            "datasets": [
                {"id": one.id, "provider": one.provider, "columns": list(one.columns)} for one in self.datasets
            ],
            "purpose": self.purpose,
            "legal_purpose": self.legal_purpose,
            "disease": list(self.disease),
            "code_digests": list(self.code_digests),
            "image_digests": list(self.image_digests),
            "zone": self.zone,
            "from": self.begins,
            "until": self.until,
            "irb": {"decision": self.irb_decision, "until": self.irb_until},
            "drb": self.drb,
            "outcome_reward": self.outcome_reward,
            "max_jobs": self.max_jobs,
            "decision_digest": self.decision_digest,
        }

    @staticmethod
    def read(claims: Json) -> "Permit":
        """The permit that `claims` says. Raises `Refusal("permit-invalid")` for a member missing, unknown or odd."""
        _exactly(claims, _CLAIMS, "permit")
        _exactly(claims["irb"], _IRB, "irb")
        for one in claims["datasets"]:
            _exactly(one, _DATASET, "datasets")
        named = [one["id"] for one in claims["datasets"]]
        if not named or len(set(named)) != len(named) or claims["until"] <= claims["from"]:
            raise Refusal("permit-invalid", why="datasets" if claims["until"] > claims["from"] else "until")
        return Permit(
            id=claims["id"],
            issuer=claims["iss"],
            study=claims["study"],
            applicant=claims["applicant"],
            datasets=tuple(Covered(one["id"], one["provider"], tuple(one["columns"])) for one in claims["datasets"]),
            purpose=claims["purpose"],
            legal_purpose=claims["legal_purpose"],
            disease=tuple(claims["disease"]),
            code_digests=tuple(claims["code_digests"]),
            image_digests=tuple(claims["image_digests"]),
            zone=claims["zone"],
            begins=claims["from"],
            until=claims["until"],
            irb_decision=claims["irb"]["decision"],
            irb_until=claims["irb"]["until"],
            drb=claims["drb"],
            outcome_reward=claims["outcome_reward"],
            max_jobs=claims["max_jobs"],
            decision_digest=claims["decision_digest"],
        )


def issued(permit: Permit, sign: Sign) -> str:
    """`permit` as a compact JWS of its issuer."""
    header = {"alg": "ES256", "kid": f"{permit.issuer}#token", "typ": TYPE}
    signed = f"{_b64(canonical(header))}.{_b64(canonical(permit.claims()))}"
    return f"{signed}.{_b64(sign(signed.encode()))}"


def verified(jws: str, issuer: str, key: bytes) -> Permit:
    """The permit in `jws`, if `issuer` signed it with the P-256 point `key`. Raises `Refusal("permit-invalid")`.

    The algorithm is ours to say, not the header's: anything but ES256 of this type by this issuer is refused.
    """
    parts = jws.split(".") if len(jws) <= LONGEST and jws.isascii() else []
    if len(parts) != 3:
        raise Refusal("permit-invalid", why="shape")
    header, claims, signature = _json(parts[0]), _json(parts[1]), _raw(parts[2])
    if header != {"alg": "ES256", "kid": f"{issuer}#token", "typ": TYPE}:
        raise Refusal("permit-invalid", why="header")
    if len(signature) != 64:
        raise Refusal("permit-invalid", why="signature")
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    try:
        point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
        point.verify(der, f"{parts[0]}.{parts[1]}".encode(), ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise Refusal("permit-invalid", why="signature") from None
    permit = Permit.read(claims)
    if permit.issuer != issuer:
        raise Refusal("permit-invalid", why="iss", needed=issuer, seen=permit.issuer)
    return permit


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _texts(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 1000 and all(map(_text, value))


def _mapping(value: object) -> bool:
    return isinstance(value, dict)


def _mappings(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 100 and all(map(_mapping, value))


_Check = Callable[[object], bool]
_DATASET: Final[Mapping[str, _Check]] = {"id": _text, "provider": _text, "columns": _texts}
_IRB: Final[Mapping[str, _Check]] = {"decision": lambda value: value in ("approved", "exempt"), "until": _number}
_CLAIMS: Final[Mapping[str, _Check]] = {
    "id": _text,
    "iss": _text,
    "study": _text,
    "applicant": _text,
    "datasets": _mappings,
    "purpose": _text,
    "legal_purpose": _text,
    "disease": _texts,
    "code_digests": _texts,
    "image_digests": _texts,
    "zone": _text,
    "from": _number,
    "until": _number,
    "irb": _mapping,
    "drb": lambda value: value == "approved",
    "outcome_reward": _number,
    "max_jobs": _number,
    "decision_digest": _text,
}


def _exactly(found: Json, table: Mapping[str, _Check], where: str) -> None:
    odd = sorted(found.keys() ^ table.keys()) or [name for name, holds in table.items() if not holds(found[name])]
    if odd:
        raise Refusal("permit-invalid", why=f"{where}.{odd[0]}")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Refusal("permit-invalid", why="base64") from None


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(_raw(text))
    except (ValueError, RecursionError):
        raise Refusal("permit-invalid", why="JSON") from None
    if not isinstance(found, dict):
        raise Refusal("permit-invalid", why="JSON")
    return found
