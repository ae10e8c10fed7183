"""Who is speaking: members' keys from the operator's signed standing list, tokens used once."""

from fastapi import Request
from sqlmodel import delete

from connector.identity.model import SpentToken
from connector.identity.tokens import Caller, issue, verified
from connector.kit.db import Unit
from connector.kit.ports import Answer
from connector.kit.runtime import Runtime
from vocab.errors import Refusal


class Members:
    """What the standing list in force says of everybody, kept in memory and replaced when a newer list arrives."""

    def __init__(self) -> None:
        #: P-256 keys of the members in force.
        self.tokens: dict[str, bytes] = {}
        #: Ed25519 receipt keys, also of suspended members: what they signed before still stands.
        self.receipts: dict[str, bytes] = {}
        self.urls: dict[str, str] = {}
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


def caller(request: Request) -> Caller:
    """FastAPI dependency: the authenticated peer. GET is checked in memory; writes must `spend` it in their unit."""
    runtime: Runtime = request.app.state.runtime
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > 4096:
        raise Refusal("token-missing")
    found = verified(token, runtime.get(Members).tokens, runtime.did, runtime.now())
    request.state.by = found.did
    if request.method in ("GET", "HEAD"):
        runtime.get(ReadOnce).check(found, runtime.now())
    return found


def spend(unit: Unit, by: Caller, now: int) -> None:
    """Uses up the token of a write, in the write's own unit. Raises `Refusal("token-used")` the second time."""
    if unit.session.get(SpentToken, by.jti) is not None:
        raise Refusal("token-used")
    unit.session.exec(delete(SpentToken).where(SpentToken.expires_at < now - 600_000))  # type: ignore[arg-type]
    unit.session.add(SpentToken(jti=by.jti, issuer=by.did, expires_at=by.expires_at))
    unit.session.flush()


async def ask(
    runtime: Runtime, method: str, url: str, did: str, *, json: object = None, content: bytes | None = None
) -> Answer:
    """A request to the node of `did` with a fresh token of ours."""
    token = issue(runtime.keys, runtime.did, did, runtime.now())
    return await runtime.peer.request(
        method, url, json=json, content=content, headers={"authorization": f"Bearer {token}"}
    )
