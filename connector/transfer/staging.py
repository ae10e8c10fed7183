"""The way out: sealed at home, announced to the zone, pushed, receipted. Each step can be begun again after a crash."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sqlmodel import Session, select

from connector.evidence import journal
from connector.evidence.service import author, find
from connector.identity.service import ask
from connector.identity.tokens import issue
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.erase import erase
from connector.kit.outbox import Performed, Promise, TryLater
from connector.kit.runtime import Runtime
from connector.rights.relay import relayed
from connector.rights.service import Rights, end_grant
from connector.sources import files
from connector.sources.model import Snapshot
from connector.transfer import core, judgement, keys
from connector.transfer.judgement import Given
from connector.transfer.model import DataKey, Transfer
from connector.transfer.states import TERMINAL, Message, State
from vocab import terms
from vocab.errors import Refusal
from vocab.messages import transfer as messages
from vocab.profile import Gate

Json = dict[str, Any]

PUSH: Final = "transfer-push"
#: Refusals of a zone that another try may cure: bytes that broke on their way, a token that a lost attempt used up, a
#: permit or member that the operator has not told it of yet.
PASSING: Final = frozenset(
    {"digest-differs", "token-used", "changed-meanwhile", "no-permit", "not-a-member", "peer-refused"}
)
#: How often such a refusal is taken for an accident.
TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be pushed, and under which agreement."""

    transfer: Transfer
    zone: str
    key: DataKey
    snapshot: Snapshot | None
    found: Given
    receipt: Json | None

    def wanted(self, site: str) -> Json:
        """The body of `POST /slots`: the same at each try."""
        agreement, dataset = self.found.agreement, self.found.dataset or {}
        return {
            "study": self.transfer.study,
            "permit": agreement.permit,
            "agreement": agreement.id,
            "consumer": agreement.consumer,
            "dataset": agreement.dataset,
            "snapshot": self.key.digest,
            "site": site,
            "key_id": self.key.id,
            "synthetic": dataset.get("synthetic"),
            "min_walls": dataset.get("min_walls"),
            "parts": listed(self.key),
            "receipt": self.receipt,
        }


async def seal(runtime: Runtime, row: Promise) -> Performed:
    """Effect `transfer-seal`: makes the ciphertext at home, then starts."""
    load = await runtime.store.read(lambda session: _load(session, row.payload["transfer"]))
    if load.transfer.state in TERMINAL:
        return None
    folder, made = runtime.settings.folder, (dict(load.key.parts), load.key.salt)
    if load.snapshot is None or load.snapshot.destroyed_at is not None or load.key.state != "held":
        raise Refusal("key-destroyed", key=load.key.id)
    place = keys.outgoing(folder, load.key.id)
    if not made[0] or not await asyncio.to_thread(place.is_dir):
        plain = files.snapshot(folder, load.snapshot.id)
        made = await asyncio.to_thread(keys.seal, folder, load.key.id, load.key.agreement, plain, load.snapshot.parts)

    def start(unit: Unit) -> None:
        transfer, key = unit.session.get(Transfer, load.transfer.id), unit.session.get(DataKey, load.key.id)
        if transfer is None or key is None or transfer.state != State.REQUESTED:
            return
        key.parts, key.salt = made
        now = runtime.now()
        message = messages.start(transfer.consumer_pid, transfer.id)
        core.sent(unit, transfer, Message.START, message, now)
        outbox.promise(unit, f"staging {transfer.id}", PUSH, {"transfer": transfer.id}, now=now, study=transfer.study)

    return start


async def push(runtime: Runtime, row: Promise) -> Performed:
    """Effect `transfer-push`: the gate once more, a slot of the zone, and each part that does not lie there yet."""
    load = await runtime.store.read(lambda session: _load(session, row.payload["transfer"]))
    if load.transfer.state in TERMINAL:
        return None
    if load.transfer.state == State.SUSPENDED:
        raise TryLater("suspended", 5.0)
    walls = (await judgement.about_zone(runtime, load.zone)).get("walls")
    slot = await _slot(runtime, load, row)
    where = {"kind": "push", "zone_did": load.zone, "slot": bool(slot["slot"])}
    judged = await judgement.judged(
        runtime,
        Gate.TRANSFER,
        load.found,
        {"action": terms.USE},
        walls,
        {"destination": where, "token": {"used": False}},
    )
    judged.demand()
    for part in listed(load.key):
        if part["name"] not in slot["staged"]:
            await _put(runtime, load, slot, part["name"], row)
    await asyncio.to_thread(erase, keys.outgoing(runtime.settings.folder, load.key.id))
    return lambda unit: _staged(unit, runtime, load, str(slot["slot"]))


def given_up(runtime: Runtime, unit: Unit, row: Promise, refusal: Refusal) -> None:
    """The zone refused, our gate did, or nobody was reached in time: the transfer ends with the reason."""
    transfer = unit.session.get(Transfer, row.payload["transfer"])
    if transfer is not None and transfer.state not in TERMINAL:
        core.terminate(unit, runtime, transfer, refusal)


def listed(key: DataKey) -> list[Json]:
    """The parts as zone and receipt name them."""
    names = ("name", "object", "bytes", "sha256")
    return [{name: part[name] for name in names} for _, part in sorted(key.parts.items())]


def _load(session: Session, pid: str) -> Load:
    transfer = session.get(Transfer, pid)
    if transfer is None:
        raise Refusal("not-found", what=pid)
    key = session.exec(select(DataKey).where(DataKey.agreement == transfer.agreement)).one()
    kept = find(session, "agreement", transfer.agreement)
    receipt = (
        {"envelope": kept.envelope, "payload": kept.payload, "salt": kept.salt, "proof": kept.proof} if kept else None
    )
    found = judgement.given(session, transfer.agreement)
    return Load(transfer, str(transfer.zone), key, session.get(Snapshot, key.snapshot), found, receipt)


async def _slot(runtime: Runtime, load: Load, row: Promise) -> Json:
    """A slot of the zone with a fresh token. Asked again, the zone gives the same slot and says what lies in it."""
    url = _zone_url(runtime, load.zone)
    body = load.wanted(runtime.settings.name)
    answer = await ask(runtime, "POST", f"{url}/slots", load.zone, json=body)
    if not answer.ok:
        raise _no(relayed(answer), row)
    given = answer.body if isinstance(answer.body, dict) else {}
    if not isinstance(given.get("slot"), str) or not isinstance(given.get("token"), str):
        raise TryLater("the zone's answer names no slot")
    staged = given.get("staged")
    return {"slot": given["slot"], "token": given["token"], "staged": staged if isinstance(staged, list) else []}


async def _put(runtime: Runtime, load: Load, slot: Json, part: str, row: Promise) -> None:
    """The bytes go where the slot says, and nowhere that the consumer named."""
    zone = load.zone
    url = f"{_zone_url(runtime, zone)}/slots/{quote(slot['slot'], safe='')}/{part}"
    token = issue(runtime.keys, runtime.did, zone, runtime.now())
    headers = {"authorization": f"Bearer {token}", "slot-token": slot["token"]}
    path = keys.outgoing(runtime.settings.folder, load.key.id) / part
    if not await asyncio.to_thread(path.is_file):
        raise Refusal("snapshot-changed", what=part, needed=load.key.parts[part]["sha256"])
    answer = await runtime.peer.send_file("PUT", url, path, headers)
    if answer.status != 204:
        raise _no(relayed(answer), row)


def _no(refusal: Refusal, row: Promise) -> Exception:
    """What to do with a zone's no: try again for a while, or end the transfer."""
    return TryLater(refusal.code) if refusal.code in PASSING and row.attempts < TRIES else refusal


def _zone_url(runtime: Runtime, did: str) -> str:
    member = runtime.get(Rights).demand().member(did)
    if member is None:
        raise Refusal("not-a-member", rule="zone", seen=did)
    return member.url.rstrip("/")


def _staged(unit: Unit, runtime: Runtime, load: Load, slot: str) -> None:
    """Everything lies in the zone: the transfer is complete, and both will sign that it is."""
    transfer, now = unit.session.get(Transfer, load.transfer.id), runtime.now()
    if transfer is None or transfer.state != State.STARTED:
        return
    transfer.slot = slot
    message = messages.step("TransferCompletionMessage", transfer.consumer_pid, transfer.id)
    core.sent(unit, transfer, Message.COMPLETION, message, now)
    end_grant(unit, kind="transfer", id=transfer.id, now=now)
    wanted, parts = load.wanted(runtime.settings.name), listed(load.key)
    author(
        unit,
        runtime,
        "staging",
        about=slot,
        subject={
            "slot": slot,
            "parts": parts,
            **{name: wanted[name] for name in ("agreement", "snapshot", "study", "dataset")},
        },
        payload={name: wanted[name] for name in ("site", "key_id", "synthetic", "min_walls")},
        counterparty=transfer.zone,
        study=transfer.study,
    )
    journal.record(
        unit,
        "staged",
        now=now,
        study=transfer.study,
        by=transfer.zone,
        dataset=transfer.dataset,
        bytes=sum(part["bytes"] for part in parts),
    )
