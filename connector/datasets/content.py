"""The file of a public dataset: kept as it was sent, with its digest. Other data never leave in this way."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any, Final

from connector.datasets.model import Dataset
from connector.datasets.service import described
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.erase import sync
from connector.kit.runtime import Runtime
from vocab.errors import Refusal

Json = dict[str, Any]

#: How much is read and written at once.
PIECE: Final = 1 << 20


async def keep(runtime: Runtime, dataset: str, person: str, pieces: AsyncIterable[bytes]) -> Dataset:
    """Keeps the file of a public dataset, in place of an earlier one. What is under way reads the one it began with.

    Raises `Refusal("dataset-unknown" | "zone-only")`.
    """
    row = await runtime.store.read(lambda session: described(session, dataset))
    _demand_public(row)
    folder = runtime.settings.folder / "public"
    await asyncio.to_thread(folder.mkdir, 0o700, exist_ok=True)
    scratch = folder / f"{uuid.uuid4()}.new"
    try:
        size, digest = await _written(scratch, pieces)
        await asyncio.to_thread(_named, scratch, folder / digest)
    finally:
        await asyncio.to_thread(scratch.unlink, missing_ok=True)

    def note(unit: Unit) -> Dataset:
        kept = described(unit.session, dataset)
        _demand_public(kept)
        kept.content = {"bytes": size, "sha256": digest}
        journal.record(unit, "content-kept", now=runtime.now(), by=person, dataset=dataset, bytes=size)
        return kept

    return await runtime.store.run(note)


def file(folder: Path, row: Dataset | None) -> tuple[Path, Json]:
    """The file of a dataset and what is known of it. Raises `Refusal("no-content")`."""
    if row is None or row.non_public or row.content is None:
        raise Refusal("no-content", dataset=row.id if row else "–")
    return folder / "public" / row.content["sha256"], row.content


def _demand_public(row: Dataset) -> None:
    if row.non_public:
        raise Refusal("zone-only", rule="dataset.non_public", needed=False, seen=True)


async def _written(path: Path, pieces: AsyncIterable[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with await asyncio.to_thread(path.open, "xb") as out:
        async for piece in pieces:
            size += len(piece)
            await asyncio.to_thread(_more, out, digest, piece)
        await asyncio.to_thread(os.fsync, out.fileno())
    return size, digest.hexdigest()


def _more(out: Any, digest: Any, piece: bytes) -> None:
    digest.update(piece)
    out.write(piece)


def _named(scratch: Path, target: Path) -> None:
    scratch.rename(target)
    sync(target.parent)
