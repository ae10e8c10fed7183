"""Publishing: grow, write the tiles, have the checkpoint cosigned by the quorum, show it, send the proofs.

One process, `log`. Whatever step a crash follows, the next round begins again and changes nothing that was shown: the
signed size and root are in the store before the first witness sees them, tiles are written from rows, the checkpoint
file comes last.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlmodel import Session, col, select

from connector.identity.service import Members, ask
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import FIRST, GROWTH, Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from governance.log import folder, service, tree, witnesses
from governance.log.model import LogEntry, LogHead
from governance.log.witnesses import Heard
from vocab.errors import Refusal
from vocab.tlog import note, tiles
from vocab.tlog.note import Note
from vocab.tlog.policy import Policy

#: The longest pause between rounds (seconds): receipts are promised to be provable within a minute.
PAUSE: Final = 10.0
NO_CAMPS: Final = "a hospital and a company must be members first"


def log_folder(runtime: Runtime) -> Path:
    """Where the public files lie."""
    return runtime.settings.folder / "log"


def policy_file(runtime: Runtime) -> Path:
    """The trust policy, beside them."""
    return runtime.settings.folder / "log.policy"


async def publish(runtime: Runtime, row: Promise) -> Performed:
    """Effect `publish`: one round."""
    state = await runtime.store.run(lambda unit: service.integrate(unit, runtime))
    trusted = await runtime.store.read(lambda session: service.trusted(session, runtime))
    if state.size == 0:
        return None
    if trusted is None:
        await _waits(runtime, state, row, [], NO_CAMPS)
    assert trusted is not None  # noqa: S101 - `_waits` raises
    text = bytes(trusted).decode()
    if (state.published_size, state.policy) == (state.size, text):
        return partial(_go_on, runtime=runtime)
    await _write_tiles(runtime, state.published_size, state.size)
    checkpoint, heard = await _cosigned(runtime, state, trusted)
    if not trusted.satisfied([one.seat.did for one in heard if one.signature]):
        missing = ", ".join(f"{one.seat.did}: {one.why}" for one in heard if not one.signature)
        await _waits(runtime, state, row, heard, missing)
    await show(runtime, {"checkpoint": checkpoint}, text)
    return partial(_published, runtime=runtime, size=state.size, checkpoint=checkpoint, policy=text, heard=heard)


async def send_proof(runtime: Runtime, row: Promise) -> Performed:
    """Effect `proof`: a party gets the newest proof of its receipt. Made anew each time, as the policy may change."""
    did, index = row.payload["did"], row.payload["index"]
    url = runtime.get(Members).urls.get(did)
    if url is None:
        raise TryLater(f"{did} is not in the standing list")

    def made(session: Session) -> tuple[str, str] | None:
        entry = session.get(LogEntry, index)
        if entry is None:
            return None
        return entry.receipt, bytes(service.proof_of(session, runtime, index)).decode()

    found = await runtime.store.read(made)
    if found is None:
        return None
    try:
        there = f"{url}/receipts/{quote(found[0], safe='')}/proof"
        answer = await ask(runtime, "POST", there, did, json={"proof": found[1]})
    except Refusal as refusal:
        raise TryLater(str(refusal)) from None
    if answer.status != 204:
        code = answer.body.get("code") if isinstance(answer.body, dict) else None
        raise TryLater(str(code or answer.status))
    return None


def again(runtime: Runtime, unit: Unit, _row: Promise, _refusal: Refusal) -> None:
    """A round is never given up: entries wait for as long as it takes."""
    service.want_publishing(unit, runtime)


async def show(runtime: Runtime, files: dict[str, bytes], policy: str) -> None:
    """Puts files where everybody can read them, and the policy under which they are believed."""
    await asyncio.to_thread(folder.write, log_folder(runtime), files)
    await asyncio.to_thread(folder.write, runtime.settings.folder, {policy_file(runtime).name: policy.encode()})


async def restore(runtime: Runtime) -> None:
    """On start: what was published is shown, also after a crash, a lost folder or a restored database.

    Raises `Refusal("log-rolled-back")` when the folder shows more than the store knows: going on would be a fork.
    """
    state = await runtime.store.read(lambda session: service.head(session, service.log_key(runtime).name))
    shown = await asyncio.to_thread(folder.read, log_folder(runtime) / "checkpoint")
    if shown is not None and size_of(shown) > state.size:
        raise Refusal("log-rolled-back", needed=size_of(shown), seen=state.size)
    if state.published and (shown is None or size_of(shown) < state.published_size):
        await _write_tiles(runtime, 0, state.published_size)
        await show(runtime, {"checkpoint": state.published.encode()}, state.policy)
    await runtime.store.run(lambda unit: _go_on(unit, runtime=runtime))


def size_of(checkpoint: bytes) -> int:
    """The size that a checkpoint speaks of."""
    return note.checkpoint(note.note(checkpoint).text).size


async def _write_tiles(runtime: Runtime, old: int, new: int) -> None:
    def grown(session: Session) -> dict[str, bytes]:
        return tiles.growth(old, new, tree.rows_of_hashes(session), tree.rows_of_entries(session))

    files = await runtime.store.read(grown)
    await asyncio.to_thread(folder.write, log_folder(runtime), files)


async def _cosigned(runtime: Runtime, state: LogHead, trusted: Policy) -> tuple[bytes, list[Heard]]:
    """The checkpoint with the cosignatures that came, in the policy's order."""
    own = note.note(state.note.encode())
    urls = runtime.get(Members).urls
    around = await runtime.store.read(lambda session: witnesses.seats(session, trusted, urls))
    heard = await witnesses.ask_all(runtime, trusted, around, bytes(own), note.checkpoint(own.text))
    signatures = {one.seat.did: one.signature for one in heard if one.signature is not None}
    inline = tuple(signatures[did] for did in trusted.witnesses if did in signatures)
    return bytes(Note(own.text, own.signatures + inline)), heard


async def _waits(runtime: Runtime, state: LogHead, row: Promise, heard: list[Heard], why: str) -> None:
    """Remembers what this round lacked, for the page, and tries again. Raises `TryLater`."""

    def unit_function(unit: Unit) -> None:
        witnesses.remember(unit, heard, runtime.now())
        kept = unit.session.get(LogHead, state.origin)
        if kept is not None:
            kept.waits_for = why[:500]

    await runtime.store.run(unit_function)
    raise TryLater(why, min(PAUSE, FIRST * GROWTH ** min(row.attempts, 20)))


def _published(unit: Unit, *, runtime: Runtime, size: int, checkpoint: bytes, policy: str, heard: list[Heard]) -> None:
    """The checkpoint counts: each party of a new entry is promised its proof."""
    now, session = runtime.now(), unit.session
    state = session.get(LogHead, service.log_key(runtime).name)
    if state is None:
        return
    new = select(LogEntry).where(LogEntry.index >= state.published_size, LogEntry.index < size)
    for entry in session.exec(new.order_by(col(LogEntry.index))):
        for did in (entry.author, entry.counterparty):
            if did is not None and (did == entry.author or not entry.one_sided):
                payload = {"index": entry.index, "did": did}
                outbox.promise(unit, f"proof {entry.receipt} {did}", "proof", payload, now=now, study=entry.study)
    state.published_size, state.published, state.published_at = size, checkpoint.decode(), now
    state.policy, state.waits_for = policy, ""
    witnesses.remember(unit, heard, now)
    _go_on(unit, runtime=runtime)


def _go_on(unit: Unit, *, runtime: Runtime) -> None:
    """Another round when entries came meanwhile, or the members changed."""
    session = unit.session
    session.flush()
    state = service.head(session, service.log_key(runtime).name)
    trusted = service.trusted(session, runtime)
    text = bytes(trusted).decode() if trusted else state.policy
    if service.entries_count(session) > state.published_size or (state.size and text != state.policy):
        service.want_publishing(unit, runtime)
