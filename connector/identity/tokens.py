"""Self-issued tokens between nodes: ES256, audience, at most five minutes, each id once (RFC 7519; DCP base protocol).

The seam for credentials: a presented credential will be one more claim that `verified` checks; callers keep `Caller`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from connector.kit.keys import Keys
from vocab.errors import Refusal

LIFETIME: Final = 60
LONGEST: Final = 300
#: Clocks of two organisations may differ by this much (seconds).
SKEW: Final = 30


@dataclass(frozen=True, slots=True)
class Caller:
    """The node on the other side of a request, as its token and the standing list say."""

    did: str
    jti: str
    issued_at: int
    expires_at: int


def issue(keys: Keys, did: str, audience: str, now: int) -> str:
    """A fresh token of `did` for `audience` (a DID)."""
    seconds = now // 1000
    claims = {
        "iss": did,
        "sub": did,
        "aud": audience,
        "iat": seconds,
        "exp": seconds + LIFETIME,
        "jti": secrets.token_urlsafe(18),
    }
    return jwt.encode(claims, keys.token, algorithm="ES256", headers={"kid": f"{did}#token"})


def issuer(token: str) -> str:
    """Who says to have issued `token`: only good for looking up the key."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Refusal("token-invalid", why="unreadable") from None
    found = claims.get("iss")
    if not isinstance(found, str):
        raise Refusal("token-invalid", why="iss")
    return found


def verified(token: str, keys: Mapping[str, bytes], audience: str, now: int) -> Caller:
    """The caller, if its token holds. `keys`: P-256 points by DID. Raises `Refusal` with the reason otherwise."""
    did = issuer(token)
    if did not in keys:
        raise Refusal("not-a-member", did=did)
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), keys[did])
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=audience,
            options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.PyJWTError as error:
        raise Refusal("token-invalid", why=type(error).__name__) from None
    issued, expires, jti = claims["iat"], claims["exp"], claims["jti"]
    if not isinstance(issued, int) or not isinstance(expires, int) or not isinstance(jti, str) or len(jti) > 100:
        raise Refusal("token-invalid", why="claims")
    if claims["sub"] != did or not isinstance(claims["aud"], str):
        raise Refusal("token-invalid", why="sub")
    seconds = now // 1000
    if expires - issued > LONGEST or issued > seconds + SKEW or expires < seconds - SKEW:
        raise Refusal("token-invalid", why="expired", needed=f"exp - iat <= {LONGEST} s", seen=f"{issued}..{expires}")
    return Caller(did, jti, issued * 1000, expires * 1000)
