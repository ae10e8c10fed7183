"""The way of public data: handed out in pieces while the token is good, fetched piece after piece, posted, taken in.

A token is looked at before each answer and again while its bytes leave: after a suspension or an end nothing more goes.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session

from connector.datasets import content
from connector.datasets.model import Dataset
from connector.evidence import journal
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.rights.service import end_grant
from connector.transfer import core, judgement, public
from connector.transfer.model import Transfer
from connector.transfer.states import TERMINAL, Message, State
from vocab.errors import Refusal
from vocab.messages import problems
from vocab.messages import transfer as messages
from vocab.messages.transfer import HTTP_PUSH

Json = dict[str, Any]

FETCH: Final = "public-fetch"
#: How much goes at once.
PIECE: Final = 1 << 20
#: How long a token that died may go unnoticed while bytes leave (seconds).
LOOK: Final = 0.5
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_COMPLETION: Final = "TransferCompletionMessage"


@dataclass(frozen=True, slots=True)
class Served:
    """An answer to a holder of a token: these bytes of this file."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


async def serve(runtime: Runtime, pid: str, authorization: str, asked: str | None, *, head: bool = False) -> Served:
    """The file of the transfer, or a part of it. The gate is asked at each use.

    Raises `Refusal`: token-dead, the gate's code, no-content, range-outside.
    """
    token = _token(authorization)

    def read(session: Session) -> tuple[judgement.Given, Transfer, Dataset | None]:
        row = public.holder(session, pid, token)
        return judgement.given(session, row.agreement, row.peer), row, session.get(Dataset, row.dataset)

    found, row, dataset = await runtime.store.read(read)
    await public.demand(runtime, found, row.format)
    path, known = content.file(runtime.settings.folder, dataset)
    size = int(known["bytes"])
    first, last = _part(asked, size)
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(last - first + 1),
        "content-type": "application/octet-stream",
        "etag": f'"{known["sha256"]}"',
        "cache-control": "no-store",
    }
    if asked is not None:
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    pieces = _pieces(runtime, pid, token, path, first, 0 if head else last - first + 1)
    return Served(200 if asked is None else 206, headers, pieces)


async def _pieces(runtime: Runtime, pid: str, token: str, path: Path, first: int, left: int) -> AsyncIterator[bytes]:
    """The bytes, until the token dies: then the connection breaks off, and what came is less than was announced."""
    looked = runtime.clock.monotonic()
    with await asyncio.to_thread(path.open, "rb") as file:
        await asyncio.to_thread(file.seek, first)
        while left > 0:
            if runtime.clock.monotonic() - looked > LOOK:
                await runtime.store.read(lambda session: public.holder(session, pid, token))
                looked = runtime.clock.monotonic()
            piece = await asyncio.to_thread(file.read, min(PIECE, left))
            left -= len(piece)
            yield piece


def _part(asked: str | None, size: int) -> tuple[int, int]:
    """The first and last byte of a range (RFC 9110, one range). Raises `Refusal("range-outside")`."""
    if asked is None:
        return 0, size - 1
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    first, last = found.groups() if found else ("", "")
    if first == "" and last == "":
        raise Refusal("range-outside", needed=f"bytes=0-{size - 1}", seen=asked[:100])
    begin = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if begin > end or begin >= size:
        raise Refusal("range-outside", needed=f"bytes=0-{size - 1}", seen=asked[:100])
    return begin, end


def _token(authorization: str) -> str:
    """The token as it is, or as a bearer's."""
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else authorization.strip()


# ---- we consume


async def ask_for(runtime: Runtime, person: str, pid: str) -> Transfer:
    """One of our people wants the data of a started transfer here. Raises `Refusal`: not-found, transfer-not-begun."""

    def begin(unit: Unit) -> Transfer:
        row = unit.session.get(Transfer, pid)
        if row is None:
            raise Refusal("not-found", what=pid)
        if row.side != Side.CONSUMER or row.state != State.STARTED or not (row.source or {}).get("endpoint"):
            raise Refusal("transfer-not-begun", state=row.state)
        now = runtime.now()
        outbox.promise(unit, f"public-fetch {pid}", FETCH, {"transfer": pid, "by": person}, now=now)
        return row

    return await runtime.store.run(begin)


async def fetch(runtime: Runtime, row: Promise) -> Performed:
    """Effect `public-fetch`: goes on where an earlier try ended, and ends when the bytes are those of the digest."""
    pid = row.payload["transfer"]
    kept = await runtime.store.read(lambda session: session.get(Transfer, pid))
    if kept is None or kept.state in TERMINAL:
        return None
    source = kept.source or {}
    if kept.state != State.STARTED or not source.get("endpoint"):
        raise TryLater("not started")
    path = landing(runtime, pid)
    await asyncio.to_thread(path.parent.mkdir, 0o700, parents=True, exist_ok=True)
    headers = {"authorization": str(source.get("authorization") or "")}
    answer = await runtime.peer.receive_file(source["endpoint"], path, headers)
    if not answer.ok:
        raise TryLater(problems.said(answer.body, answer.status).code)  # a new token may be on its way
    size, digest = await asyncio.to_thread(_measured, path)
    if source.get("sha256") not in (None, digest):
        await asyncio.to_thread(path.unlink)
        raise TryLater("digest-differs")
    return lambda unit: _arrived(unit, runtime, pid, size, digest)


def _arrived(unit: Unit, runtime: Runtime, pid: str, size: int, digest: str) -> None:
    row, now = unit.session.get(Transfer, pid), runtime.now()
    if row is None or row.state != State.STARTED:
        return
    row.fetched = {"bytes": size, "sha256": digest}
    journal.record(unit, "public-fetched", now=now, by=row.peer, dataset=row.dataset or "–", bytes=size)
    core.sent(unit, row, Message.COMPLETION, messages.step(_COMPLETION, *core.pids(row)), now)
    end_grant(unit, kind="transfer", id=pid, now=now)


async def take_in(runtime: Runtime, pid: str, authorization: str, pieces: AsyncIterable[bytes]) -> None:
    """A provider posts what we asked it to push. Raises `Refusal("token-dead")`."""
    shown = public.digest_of(_token(authorization))
    kept = await runtime.store.read(lambda session: session.get(Transfer, pid))
    good = kept is not None and kept.side == Side.CONSUMER and kept.state in (State.REQUESTED, State.STARTED)
    if kept is None or not good or not hmac.compare_digest(kept.token or "", shown):
        raise Refusal("token-dead")
    path = landing(runtime, pid)
    await asyncio.to_thread(path.parent.mkdir, 0o700, parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with await asyncio.to_thread(scratch.open, "xb") as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
        size, digest = await asyncio.to_thread(_measured, scratch)
        await asyncio.to_thread(scratch.rename, path)
    finally:
        await asyncio.to_thread(scratch.unlink, missing_ok=True)

    def note(unit: Unit) -> None:
        row = unit.session.get(Transfer, pid)
        if row is not None:
            row.fetched = {"bytes": size, "sha256": digest}
            journal.record(
                unit, "public-fetched", now=runtime.now(), by=row.peer, dataset=row.dataset or "–", bytes=size
            )

    await runtime.store.run(note)


def landing(runtime: Runtime, pid: str) -> Path:
    """Where the data of a transfer arrive."""
    return runtime.settings.folder / "fetched" / pid


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


# ---- we provide


async def push(runtime: Runtime, row: Promise) -> Performed:
    """Effect `public-push`: the gate once more, then the file is posted to where the consumer says."""
    pid = row.payload["transfer"]

    def read(session: Session) -> tuple[Transfer, judgement.Given, Dataset | None]:
        kept = session.get(Transfer, pid)
        if kept is None:
            raise Refusal("not-found", what=pid)
        return kept, judgement.given(session, kept.agreement, kept.peer), session.get(Dataset, kept.dataset)

    kept, found, dataset = await runtime.store.read(read)
    if kept.state in TERMINAL:
        return None
    if kept.state != State.STARTED:
        raise TryLater("suspended", 5.0)
    await public.demand(runtime, found, HTTP_PUSH)
    path, known = content.file(runtime.settings.folder, dataset)
    target = kept.target or {}
    headers = {"authorization": target["authorization"]} if target.get("authorization") else {}
    answer = await runtime.peer.send_file("POST", str(target["endpoint"]), path, headers)
    if not answer.ok:
        raise problems.said(answer.body, answer.status).refusal()

    def done(unit: Unit) -> None:
        current, now = unit.session.get(Transfer, pid), runtime.now()
        if current is None or current.state != State.STARTED:
            return
        journal.record(unit, "public-pushed", now=now, by=current.peer, dataset=current.dataset, bytes=known["bytes"])
        core.sent(unit, current, Message.COMPLETION, messages.step(_COMPLETION, *core.pids(current)), now)
        end_grant(unit, kind="transfer", id=pid, now=now)

    return done


def given_up(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The other side takes nothing, or the gate says no: the transfer ends with the reason."""
    current = unit.session.get(Transfer, row.payload["transfer"])
    if current is not None and current.state not in TERMINAL:
        core.terminate(unit, runtime, current, refusal)
