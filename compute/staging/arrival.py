"""Ciphertext arrives: written as it comes, kept only if it is byte for byte what was announced."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from compute.staging.model import Slot, StagedObject, Study
from compute.staging.service import folder
from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal

_PIECE: Final = 1 << 20


async def receive(runtime: Runtime, by: Caller, slot: str, part: str, token: str, stream: AsyncIterator[bytes]) -> None:
    """A part's ciphertext. The slot's token is good for one attempt a part.

    Raises `Refusal`: not-found, token-used, study-closed, digest-differs (nothing is kept), no-room.
    """
    spent = hashlib.sha256(token.encode()).hexdigest()
    announced = await runtime.store.run(lambda unit: _begin(unit, runtime, by, slot, part, spent))
    place = folder(runtime, slot)
    draft, target = place / f"{part}.{spent[:16]}", place / part
    try:
        seen = await _written(draft, announced.bytes, stream)
        if seen != announced.sha256:
            raise Refusal("digest-differs", part=part, needed=announced.sha256, seen=seen)
        await asyncio.to_thread(_keep, draft, target)
        await runtime.store.run(lambda unit: _staged(unit, runtime, slot, part, spent))
    finally:
        draft.unlink(missing_ok=True)


def _begin(unit: Unit, runtime: Runtime, by: Caller, slot: str, part: str, spent: str) -> StagedObject:
    spend(unit, by, runtime.now())
    row = unit.session.get(Slot, slot)
    found = unit.session.get(StagedObject, (slot, part))
    if row is None or found is None or row.provider != by.did:
        raise Refusal("not-found", what=f"{slot}/{part}")
    study = unit.session.get(Study, row.study)
    if study is None or study.state != "open":
        raise Refusal("study-closed", study=row.study, seen=study.state if study else None)
    if row.token != spent or found.spent == spent or found.state != "announced":
        raise Refusal("token-used", rule="slot.token", study=row.study)
    found.spent = spent
    return found


def _staged(unit: Unit, runtime: Runtime, slot: str, part: str, spent: str) -> None:
    row, found = unit.session.get(Slot, slot), unit.session.get(StagedObject, (slot, part))
    if row is None or found is None or found.spent != spent:
        raise Refusal("changed-meanwhile", what=f"{slot}/{part}")
    now = runtime.now()
    found.state, found.staged_at = "staged", now
    journal.record(
        unit,
        "part-staged",
        now=now,
        study=row.study,
        by=row.provider,
        dataset=row.dataset,
        part=part,
        bytes=found.bytes,
    )


async def _written(draft: Path, most: int, stream: AsyncIterator[bytes]) -> str:
    """Writes what comes, never more than `most`, and returns its SHA-256."""
    whole, count, piece = hashlib.sha256(), 0, bytearray()
    try:
        with await asyncio.to_thread(_new_file, draft) as file:

            def put(data: bytes) -> None:
                whole.update(data)
                file.write(data)

            async for chunk in stream:
                count += len(chunk)
                if count > most:
                    raise Refusal("digest-differs", part=draft.stem, needed=f"{most} bytes", seen="more")
                piece += chunk
                if len(piece) >= _PIECE:
                    await asyncio.to_thread(put, bytes(piece))
                    piece.clear()
            await asyncio.to_thread(put, bytes(piece))
            await asyncio.to_thread(os.fsync, file.fileno())
    except OSError as error:
        raise Refusal("no-room", needed=most >> 20, seen=error.strerror) from None
    return whole.hexdigest()


def _new_file(draft: Path) -> io.FileIO:
    draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    return io.FileIO(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _keep(draft: Path, target: Path) -> None:
    draft.rename(target)
    fd = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
