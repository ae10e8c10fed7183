"""Doors of the evidence room: peers bring receipts, proofs and checkpoints; our people read the journal."""

import json
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from connector.evidence import journal, proofs, shown, witness
from connector.evidence.files import certificate_file
from connector.evidence.model import Entry, Receipt
from connector.evidence.service import entry_bytes, install, receive, siblings
from connector.evidence.stream import Commits, events
from connector.identity.service import Members, caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import signed_in
from connector.web.people import Person
from vocab.errors import Refusal

peers = APIRouter(tags=["evidence"])
management = APIRouter(prefix="/api", tags=["evidence"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
After = Annotated[int, Query(ge=0, lt=1 << 53)]
Limit = Annotated[int, Query(ge=1, le=500)]
#: A request of tlog-witness: 63 hashes and a checkpoint with 16 signatures stay far below.
MOST_CHECKPOINT = 64 * 1024
#: How tlog-witness words a no; what is no request of it at all is refused in our own words.
WITNESS: Final[dict[str, Any]] = {
    "description": "Refused",
    "content": {"text/plain": {}, "text/x.tlog.size": {}, "application/json": {}},
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ReceiptMessage(_Strict):
    """A receipt with what the log does not show of it."""

    envelope: dict[str, Any]
    payload: dict[str, Any]
    salt: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$")


class ProofMessage(_Strict):
    """A C2SP tlog-proof, as text."""

    proof: str = Field(max_length=256 * 1024)


@peers.post("/receipts")
async def receipt_arrives(request: Request, message: ReceiptMessage, by: Peer) -> dict[str, Any]:
    """A peer's receipt: answered with our signature, or disputed (409)."""
    runtime = _runtime(request)
    given = (message.envelope, message.payload, message.salt)
    receipt = await runtime.store.run(lambda unit: receive(unit, runtime, by, *given))
    return {"envelope": receipt.envelope}


@peers.post("/receipts/{receipt_id}/proof", status_code=204)
async def proof_arrives(request: Request, receipt_id: str, message: ProofMessage, by: Peer) -> None:
    """The operator brings the log's proof of one of our receipts."""
    await proofs.accept(_runtime(request), by, receipt_id, message.proof)


@peers.post("/witness/add-checkpoint", response_class=PlainTextResponse, responses={"4XX": WITNESS})
async def checkpoint_arrives(request: Request) -> Response:
    """C2SP tlog-witness. It needs no token: the log's own signature is its authentication."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_CHECKPOINT:
            raise Refusal("body-too-large", needed=MOST_CHECKPOINT, seen=len(body))
    answer = await witness.add_checkpoint(_runtime(request), body)
    return Response(answer.body, answer.status, {"content-type": answer.media_type})


@management.get("/journal")
async def show_journal(
    request: Request, _person: Anyone, study: str | None = None, after: After = 0, limit: Limit = 100
) -> list[dict[str, Any]]:
    """What happened here, oldest first."""
    rows = await _runtime(request).store.read(lambda session: journal.entries(session, study, after=after, limit=limit))
    return [shown.entry(row) for row in rows]


@management.get("/journal/stream", response_class=StreamingResponse)
async def stream_journal(
    request: Request, _person: Anyone, study: str | None = None, after: After = 0
) -> StreamingResponse:
    """The same as it happens (server-sent events). A reconnecting browser names the last entry that it saw."""
    runtime = _runtime(request)
    seen = request.headers.get("last-event-id", "")
    since = int(seen) if seen.isdecimal() and len(seen) <= 15 else after
    news = events(runtime.store, runtime.get(Commits), shown.entry, study, since)
    return StreamingResponse(news, media_type="text/event-stream", headers={"cache-control": "no-store"})


@management.get("/refusals/{number}")
async def show_refusal(
    request: Request, number: Annotated[int, Path(ge=1, lt=1 << 53)], _person: Anyone
) -> dict[str, Any]:
    """One refusal, explained."""
    row = await _runtime(request).store.read(lambda session: session.get(Entry, number))
    if row is None or row.code is None:
        raise Refusal("not-found", what=str(number))
    return shown.refusal(row)


@management.get("/receipts")
async def show_receipts(
    request: Request,
    _person: Anyone,
    study: str | None = None,
    kind: Annotated[str | None, Query(alias="type")] = None,
    after: str = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The receipts that this node authored or countersigned, by id."""
    runtime = _runtime(request)

    def found(session: Session) -> list[Receipt]:
        query = select(Receipt).where(Receipt.id > after).order_by(col(Receipt.id)).limit(limit)
        query = query if study is None else query.where(Receipt.study == study)
        return list(session.exec(query if kind is None else query.where(Receipt.type == kind)))

    return [shown.receipt(row, runtime.now()) for row in await runtime.store.read(found)]


@management.get("/receipts/{receipt_id}")
async def show_receipt(request: Request, receipt_id: str, _person: Anyone) -> dict[str, Any]:
    """One receipt with everything that belongs to it."""
    runtime = _runtime(request)
    row = await _receipt(runtime, receipt_id)
    whole = {"envelope": row.envelope, "payload": row.payload, "salt": row.salt, "proof": row.proof}
    return {**shown.receipt(row, runtime.now()), **whole}


@management.get("/receipts/{receipt_id}/entry", response_class=Response)
async def give_entry(request: Request, receipt_id: str, _person: Anyone) -> Response:
    """The exact bytes of its log entry: what a foreign tool checks the proof against."""
    row = await _receipt(_runtime(request), receipt_id)
    return _file(entry_bytes(row), row, "json", "application/json")


@management.get("/receipts/{receipt_id}/proof", response_class=Response)
async def give_proof(request: Request, receipt_id: str, _person: Anyone) -> Response:
    """The log's proof of it (C2SP tlog-proof)."""
    row = await _receipt(_runtime(request), receipt_id)
    if row.proof is None:
        raise Refusal("not-found", what=f"{receipt_id} proof")
    return _file(row.proof.encode(), row, "tlog-proof", "text/plain; charset=utf-8")


@management.get("/receipts/{receipt_id}/file", response_class=Response)
async def give_file(request: Request, receipt_id: str, _person: Anyone) -> Response:
    """It and those of the other parties to the same thing, in one file that `dure certificate verify` checks."""
    runtime = _runtime(request)
    row = await _receipt(runtime, receipt_id)
    rows = await runtime.store.read(lambda session: siblings(session, row))
    text = json.dumps(certificate_file(rows, runtime.get(Members)), ensure_ascii=False, indent=1, sort_keys=True)
    return _file(f"{text}\n".encode(), row, "dure.json", "application/json")


async def _receipt(runtime: Runtime, receipt_id: str) -> Receipt:
    row = await runtime.store.read(lambda session: session.get(Receipt, receipt_id))
    if row is None:
        raise Refusal("not-found", what=receipt_id)
    return row


def _file(data: bytes, row: Receipt, suffix: str, media_type: str) -> Response:
    name = re.sub(r"[^a-z0-9-]", "", f"{row.type}-{row.id.removeprefix('urn:uuid:')}"[:100]) + f".{suffix}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(data, media_type=media_type, headers=headers)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
