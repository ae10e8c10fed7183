"""The fork drill: the operator cheats on purpose, and we see who notices, and how fast.

It signs another history under the log's real key (the first entry is altered) and asks the witnesses to cosign it. Its
checkpoints carry a line that says so; witnesses do not read that line, so they treat it like any fork. Only witnesses
that have cosigned the true history are asked: a newcomer has nothing to compare with, and must not be led astray.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.identity.service import Members
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from governance.log import service, witnesses
from governance.log.model import LogEntry, LogHead
from governance.log.witnesses import Seat
from vocab.errors import Refusal
from vocab.tlog import hash as merkle
from vocab.tlog import note, witness
from vocab.tlog.note import Checkpoint, Note
from vocab.tlog.proof import consistency

MARK: Final = "dure fork drill: this history is false"


@dataclass(frozen=True, slots=True)
class Forged:
    """A false history of the true size."""

    checkpoint: Checkpoint
    note: bytes
    nodes: merkle.Nodes

    def read(self, level: int, index: int) -> bytes:
        """A hash of the false tree."""
        return self.nodes[level, index]


async def fork_drill(runtime: Runtime, by: str) -> dict[str, Any]:
    """Asks every witness to cosign a fork; says who noticed and after how many milliseconds.

    Raises `Refusal("not-published")` before there is a history that witnesses know.
    """
    key = service.log_key(runtime)

    def found(session: Session) -> tuple[LogHead, list[bytes], list[Seat]]:
        state, trusted = service.head(session, key.name), service.trusted(session, runtime)
        if not state.published_size or trusted is None:
            raise Refusal("not-published", index=0, size=state.published_size)
        published = select(LogEntry.data).where(LogEntry.index < state.published_size).order_by(col(LogEntry.index))
        around = witnesses.seats(session, trusted, runtime.get(Members).urls)
        return state, list(session.exec(published)), [seat for seat in around if seat.size > 0]

    state, entries, asked = await runtime.store.read(found)
    forged = await asyncio.to_thread(_forged, runtime, entries)
    said = await asyncio.gather(*(_confront(runtime, seat, forged) for seat in asked))
    noticed = [one for one in said if one["noticed"]]
    report: dict[str, Any] = {
        "size": state.published_size,
        "true_root": state.published.splitlines()[2],
        "false_root": note.checkpoint(str(forged.checkpoint)).root.hex(),
        "asked": len(said),
        "noticed": len(noticed),
        "caught": bool(said) and len(noticed) == len(said),
        "first_ms": min((one["ms"] for one in noticed), default=None),
        "witnesses": said,
    }
    await runtime.store.run(
        lambda unit: journal.record(
            unit, "fork-drill", now=runtime.now(), by=by, asked=report["asked"], noticed=report["noticed"]
        )
    )
    return report


def _forged(runtime: Runtime, entries: list[bytes]) -> Forged:
    key = service.log_key(runtime)
    leaves = [merkle.leaf(hashlib.sha256(entries[0]).digest()), *map(merkle.leaf, entries[1:])]
    nodes = merkle.grown(0, _nothing, leaves)
    root = merkle.root(len(leaves), lambda level, index: nodes[level, index])
    checkpoint = Checkpoint(key.name, len(leaves), root, (MARK,))
    own = note.signed(str(checkpoint), key, runtime.keys.ed25519("log").sign)
    return Forged(checkpoint, bytes(Note(str(checkpoint), (own,))), nodes)


def _nothing(level: int, index: int) -> bytes:
    """A tree that starts from nothing reads nothing."""
    raise LookupError(f"{level}/{index}")


async def _confront(runtime: Runtime, seat: Seat, forged: Forged) -> dict[str, Any]:
    """From the size that the witness itself names: a refusal must come from the history, not from a wrong size."""
    began = runtime.clock.monotonic()
    status, size, noticed = 0, min(seat.size, forged.checkpoint.size), False
    try:
        for _ in range(2):
            body = witness.request(size, consistency(size, forged.checkpoint.size, forged.read), forged.note)
            answer = await runtime.peer.request("POST", f"{seat.url}/witness/add-checkpoint", content=body)
            status = answer.status
            named = int(answer.text) if status == 409 and answer.text.strip().isdecimal() else size
            noticed = status == 422 or (status == 409 and named == size)
            if noticed or not 0 < named <= forged.checkpoint.size:
                break
            size = named
    except Unreachable as error:
        return {"did": seat.did, "noticed": False, "status": None, "why": error.why, "ms": None}
    took = round((runtime.clock.monotonic() - began) * 1000, 1)
    return {"did": seat.did, "noticed": noticed, "status": status, "why": None, "ms": took}
