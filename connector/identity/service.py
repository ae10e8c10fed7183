"""Who is speaking: members' keys from the operator's signed standing list, tokens used once."""

import random
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import text
from sqlmodel import col, delete

from connector.identity.foreign import Foreigners
from connector.identity.model import SpentToken
from connector.identity.tokens import Caller, issue, verified
from connector.kit.db import Unit
from connector.kit.ports import Answer
from connector.kit.runtime import Runtime
from vocab.errors import Refusal

_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="member", description="A member's self-issued token, once")


class Members:
    """What the standing list in force says of everybody, kept in memory and replaced when a newer list arrives."""

    def __init__(self) -> None:
        #: P-256 keys of the members in force.
        self.tokens: dict[str, bytes] = {}
        #: Ed25519 receipt keys, also of suspended members: what they signed before still stands.
        self.receipts: dict[str, bytes] = {}
        self.urls: dict[str, str] = {}
        #: Participants of other spaces whom this node knows.
        self.foreign = Foreigners()
        self.operator: str | None = None
        #: The operator's log: the verifier key of its checkpoints and the tlog-policy under which they are believed.
        self.log_vkey = ""
        self.log_policy = ""


class ReadOnce:
    """Token ids of reads: in memory only, so tokens issued before this process started are refused."""

    def __init__(self, started_at: int) -> None:
        self._started = started_at
        self._seen: dict[str, int] = {}

    def check(self, caller: Caller, now: int) -> None:
        """Raises when the token was used before, or might have been before a restart."""
        if caller.issued_at < self._started // 1000 * 1000 or caller.jti in self._seen:
            raise Refusal("token-used")
        if len(self._seen) > 10_000:
            self._seen = {jti: expires for jti, expires in self._seen.items() if expires > now}
        self._seen[caller.jti] = caller.expires_at


async def caller(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None
) -> Caller:
    """FastAPI dependency: the authenticated peer. GET is checked in memory; writes must `spend` it in their unit."""
    runtime: Runtime = request.app.state.runtime
    if bearer is None:
        return _foreign(request, runtime)
    if not bearer.credentials or len(bearer.credentials) > 4096:
        raise Refusal("token-missing")
    found = verified(bearer.credentials, runtime.get(Members).tokens, runtime.did, runtime.now())
    request.state.by = found.did
    if request.method in ("GET", "HEAD"):
        runtime.get(ReadOnce).check(found, runtime.now())
    return found


def _foreign(request: Request, runtime: Runtime) -> Caller:
    """A participant of another space, if one that we know shows itself in its own way."""
    header = request.headers.get("authorization", "")
    found = runtime.get(Members).foreign.caller(header, runtime.now()) if 0 < len(header) <= 4096 else None
    if found is None:
        raise Refusal("token-missing")
    request.state.by = found.did
    return found


#: One token a request; the database says whether it is the first with this id.
_SPEND: Final = text(
    "INSERT INTO spent_token (jti, issuer, expires_at) VALUES (:jti, :issuer, :expires_at) ON CONFLICT DO NOTHING"
)
#: Of so many writes, one clears away tokens that no longer hold (ms after their end).
_CLEARING, _KEPT = 100, 600_000


def spend(unit: Unit, by: Caller, now: int) -> None:
    """Uses up the token of a write, in the write's own unit. Raises `Refusal("token-used")` the second time."""
    given = {"jti": by.jti, "issuer": by.did, "expires_at": by.expires_at}
    connection = unit.session.connection()
    if connection.execute(_SPEND, given).rowcount == 0:
        raise Refusal("token-used")
    if random.randrange(_CLEARING) == 0:  # noqa: S311 - chooses when, not what
        connection.execute(delete(SpentToken).where(col(SpentToken.expires_at) < now - _KEPT))


async def ask(
    runtime: Runtime, method: str, url: str, did: str, *, json: object = None, content: bytes | None = None
) -> Answer:
    """A request to the node of `did` with a fresh token of ours, or as the participants of its space do it."""
    shown = runtime.get(Members).foreign.authorization(did)
    if shown is None:
        shown = f"Bearer {issue(runtime.keys, runtime.did, did, runtime.now())}"
    return await runtime.peer.request(method, url, json=json, content=content, headers={"authorization": shown})
