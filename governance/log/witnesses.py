"""Asking the witnesses: all at once, each from the size that it last cosigned, until the quorum has signed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from connector.kit.db import Unit
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from governance.log import tree
from governance.log.model import LogWitness
from vocab.errors import Refusal
from vocab.tlog import witness
from vocab.tlog.broken import LogBroken
from vocab.tlog.note import Checkpoint, Key, Signature
from vocab.tlog.policy import Policy
from vocab.tlog.proof import consistency

#: One witness may take this long (seconds); after the quorum the others are waited for only a moment.
LIMIT: Final = 5.0
GRACE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Seat:
    """A witness of the policy, where it is reached, and the size that it last cosigned as far as we know."""

    did: str
    key: Key
    url: str
    size: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What a witness said: its signature, or why not, and its size now."""

    seat: Seat
    size: int
    signature: Signature | None = None
    why: str | None = None


def seats(session: Session, policy: Policy, urls: Mapping[str, str]) -> list[Seat]:
    """The witnesses of `policy` with what we remember of them."""
    remembered = {did: session.get(LogWitness, did) for did in policy.witnesses}
    return [
        Seat(did, key, urls[did], row.size if (row := remembered[did]) else 0)
        for did, key in policy.witnesses.items()
        if did in urls
    ]


async def ask_all(
    runtime: Runtime, policy: Policy, around: list[Seat], signed: bytes, newest: Checkpoint
) -> list[Heard]:
    """What each witness says of the checkpoint `signed`. Those that are too late say nothing."""
    tasks = [asyncio.create_task(ask_one(runtime, seat, signed, newest)) for seat in around]
    heard: list[Heard] = []
    waiting, loop = set(tasks), asyncio.get_running_loop()
    end = loop.time() + LIMIT
    try:
        while waiting and (left := end - loop.time()) > 0:
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            heard += [task.result() for task in done]
            if policy.satisfied([one.seat.did for one in heard if one.signature]):
                end = min(end, loop.time() + GRACE)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    answered = {one.seat.did for one in heard}
    return heard + [Heard(seat, seat.size, why="no answer in time") for seat in around if seat.did not in answered]


async def ask_one(runtime: Runtime, seat: Seat, signed: bytes, newest: Checkpoint) -> Heard:
    """One add-checkpoint; where the witness knows another size, once more from there (C2SP tlog-witness)."""
    size = min(seat.size, newest.size)
    for _ in range(2):
        try:
            answer = await _add_checkpoint(runtime, seat, size, signed, newest.size)
        except (Unreachable, Refusal) as error:
            return Heard(seat, seat.size, why=str(error)[:200])
        said = answer.text.encode()
        try:
            if answer.ok:
                (signature, *_) = witness.cosignatures(newest, said, [seat.key]) or (None,)
                why = None if signature else "signed with another key"
                return Heard(seat, newest.size, signature, why)
            if answer.status != 409:
                return Heard(seat, seat.size, why=f"{answer.status} {answer.text[:100].strip()}")
            known = witness.known_size(said)
        except LogBroken as broken:
            return Heard(seat, seat.size, why=str(broken)[:200])
        if known == size or known > newest.size:
            return Heard(seat, known, why=f"refused at size {known}: another history")
        size = known
    return Heard(seat, size, why="its size changed meanwhile")


async def _add_checkpoint(runtime: Runtime, seat: Seat, old: int, signed: bytes, size: int) -> Answer:
    proof = await runtime.store.read(lambda session: consistency(old, size, tree.hashes(session)))
    body = witness.request(old, proof, signed)
    return await runtime.peer.request("POST", f"{seat.url}/witness/add-checkpoint", content=body)


def remember(unit: Unit, heard: list[Heard], now: int) -> None:
    """Keeps what each witness said last."""
    for one in heard:
        row = unit.session.get(LogWitness, one.seat.did) or LogWitness(did=one.seat.did)
        row.size, row.why = one.size, one.why
        if one.signature is not None:
            row.at = now
        unit.session.add(row)
