"""Doors of the log: members hand in receipts, anybody reads it, the operator's people try to cheat."""

import asyncio
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlmodel import Session

from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.outbox import Handler
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person
from governance.log import folder, publishing, service
from governance.log.drill import fork_drill
from governance.log.model import LogWitness
from governance.members.standing import Announced
from vocab.errors import Refusal
from vocab.tlog.proof import Proof

peers = APIRouter(tags=["log"])
management = APIRouter(prefix="/api/log", tags=["log"])

#: A checkpoint is news; a tile never changes once a checkpoint covers it (C2SP tlog-tiles).
FRESH: Final = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "access-control-allow-origin": "*"}
FOREVER: Final = {**FRESH, "cache-control": "public, max-age=31536000, immutable"}
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"


class EntryMessage(BaseModel):
    """A receipt for the log."""

    model_config = ConfigDict(extra="forbid", strict=True)

    envelope: dict[str, Any]


@peers.post("/log/entries", status_code=202)
async def entry_arrives(
    request: Request, message: EntryMessage, by: Annotated[Caller, Depends(caller)]
) -> dict[str, Any]:
    """A member's receipt: it will be provable within a minute."""
    runtime = _runtime(request)
    entry = await runtime.store.run(lambda unit: service.append(unit, runtime, by, message.envelope))
    return {"index": entry.index, "digest": entry.digest}


@peers.get("/log/checkpoint", response_class=Response)
async def give_checkpoint(request: Request) -> Response:
    """The newest checkpoint that the quorum cosigned."""
    return await _given(publishing.log_folder(_runtime(request)) / "checkpoint", "checkpoint", TEXT, FRESH)


@peers.get("/log/policy", response_class=Response)
async def give_policy(request: Request) -> Response:
    """The trust policy under which it is believed (C2SP tlog-policy)."""
    return await _given(publishing.policy_file(_runtime(request)), "policy", TEXT, FRESH)


@peers.get("/log/tile/{path:path}", response_class=Response)
async def give_tile(request: Request, path: str) -> Response:
    """A tile or a bundle of entries."""
    name = f"tile/{path}"
    if not folder.TILE.fullmatch(name):
        raise Refusal("not-found", what=name[:100])
    return await _given(publishing.log_folder(_runtime(request)) / name, name, BYTES, FOREVER)


@peers.get("/log/proofs/{digest}", response_class=Response)
async def give_proof(request: Request, digest: str) -> Response:
    """The proof of an entry against the newest checkpoint (C2SP tlog-proof), by the SHA-256 of its bytes."""
    runtime = _runtime(request)

    def made(session: Session) -> Proof:
        return service.proof_of(session, runtime, service.entry_at(session, digest).index)

    return Response(bytes(await runtime.store.read(made)), media_type=TEXT, headers=FRESH)


@management.get("")
async def show_log(request: Request, _person: Annotated[Person, Depends(signed_in)]) -> dict[str, Any]:
    """The log's state: what is published, what waits and for whom, and each witness."""
    runtime = _runtime(request)
    return await runtime.store.read(lambda session: _state(session, runtime))


@management.post("/fork-drill")
async def drill(request: Request, person: Annotated[Person, Depends(duty("admin"))]) -> dict[str, Any]:
    """The operator forks on purpose: who notices, in how many milliseconds?"""
    return await fork_drill(_runtime(request), person.id)


def install(runtime: Runtime) -> None:
    """Registers what the log performs, and what the standing list says of it."""
    handlers = runtime.outbox.handlers
    handlers["publish"] = Handler(partial(publishing.publish, runtime), partial(publishing.again, runtime))
    handlers["proof"] = Handler(partial(publishing.send_proof, runtime))
    announced = runtime.get(Announced)
    announced.log = partial(service.info, runtime=runtime)
    announced.on_list.append(partial(service.want_publishing, runtime=runtime))
    runtime.on_start.append(partial(publishing.restore, runtime))


def _state(session: Session, runtime: Runtime) -> dict[str, Any]:
    state = service.head(session, service.log_key(runtime).name)
    trusted = service.trusted(session, runtime)
    rows = {did: session.get(LogWitness, did) for did in (trusted.witnesses if trusted else ())}
    taken = service.entries_count(session)
    return {
        **service.info(session, runtime),
        "size": state.published_size,
        "published_at": state.published_at,
        "waiting": taken - state.published_size,
        "waits_for": state.waits_for or (None if trusted else publishing.NO_CAMPS),
        "inclusion_seconds": 60,
        "witnesses": [
            {"did": did, "size": row.size if row else 0, "at": row and row.at, "why": row and row.why}
            for did, row in rows.items()
        ],
    }


async def _given(path: Any, name: str, media_type: str, headers: dict[str, str]) -> Response:
    data = await asyncio.to_thread(folder.read, path)
    if data is None:
        raise Refusal("not-found", what=name)
    return Response(data, media_type=media_type, headers=headers)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
