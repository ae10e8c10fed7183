"""The provider's side of a request: judged at once; granted, it leaves a data key to be made and parts to be pushed."""

import uuid
from typing import Any, Final

from sqlmodel import select

from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.rights import peers
from connector.rights.service import grant
from connector.transfer import core, judgement, public
from connector.transfer.consumer import in_force
from connector.transfer.judgement import Given, Judgement
from connector.transfer.model import DataKey, Transfer
from connector.transfer.public import begun
from connector.transfer.states import Message, State
from vocab import terms
from vocab.errors import Refusal
from vocab.messages.transfer import PUSH_FORMAT, ZONE_ADDRESS, DataAddress, TransferRequest
from vocab.profile import Gate
from vocab.records.envelope import digest

Json = dict[str, Any]

SEAL: Final = "transfer-seal"


async def receive_request(runtime: Runtime, by: Caller, message: TransferRequest) -> Json:
    """A request: granted, or refused and nothing is created. The same request again gets the same answer.

    Raises `Refusal`: the gate's code (`zone-only`, `receipt-incomplete`, ...), no-agreement, transfer-exists,
    callback-foreign, peer-unreachable when the zone cannot say how high its walls are.
    """
    try:
        return await _receive_request(runtime, by, message)
    except Refusal as refusal:
        refusal.values.update(study=message.study, by=by.did)
        raise


async def _receive_request(runtime: Runtime, by: Caller, message: TransferRequest) -> Json:
    address = peers.callback(runtime, by.did, message.callback)
    wanted = destination(message.format, message.address)
    asked = digest({"agreement": message.agreement, "callback": address, **wanted})
    kept = await runtime.store.read(lambda session: begun(session, by.did, message.consumer_pid))
    if kept is not None:
        return await runtime.store.run(lambda unit: _again(unit, runtime, by, kept.id, asked))
    found = await runtime.store.read(lambda session: judgement.given(session, message.agreement, by.did))
    if found.public:
        return await public.receive_request(runtime, by, message, address, asked, found)
    walls = None
    if found.zone is not None and wanted == {"kind": "push", "zone_did": found.zone, "slot": True}:
        walls = await _walls(runtime, found.zone)
    judged = await judgement.judged(
        runtime, Gate.TRANSFER, found, {"action": terms.USE}, walls, {"destination": wanted, "token": {"used": False}}
    )
    judged.demand()
    pid, now = str(uuid.uuid4()), runtime.now()
    row = Transfer(
        id=pid,
        provider_pid=pid,
        side=Side.PROVIDER,
        peer=by.did,
        address=address,
        consumer_pid=message.consumer_pid,
        agreement=found.agreement.id,
        dataset=found.agreement.dataset,
        study=found.agreement.study,
        permit=found.agreement.permit,
        format=message.format,
        zone=str(found.zone),
        request=asked,
        decision=judged.decision.to_json(),
        begun_at=now,
        changed_at=now,
    )
    return await runtime.store.run(lambda unit: _begin(unit, runtime, by, row, message, found, judged))


async def _walls(runtime: Runtime, zone: str) -> object:
    """How high the zone's walls are. The consumer asks again when the zone cannot say it now."""
    try:
        return (await judgement.about_zone(runtime, zone)).get("walls")
    except Unreachable as error:
        raise Refusal("peer-unreachable", peer=zone, why=error.why) from None


def destination(format: str, address: DataAddress | None) -> Json:  # noqa: A002 - the protocol's word
    """Where a request wants the data, as the gate is told. `slot`: nothing but a slot of the zone can be meant."""
    zone = address.endpoint if address is not None and address.endpoint_type == ZONE_ADDRESS else None
    return {
        "kind": "push" if format == PUSH_FORMAT else "pull",
        "zone_did": zone,
        "slot": zone is not None and address is not None and not address.properties,
    }


def hold(unit: Unit, row: Transfer, found: Given, judged: Judgement, now: int) -> None:
    """Notes that the transfer leans on permit, agreement, snapshot and memberships."""
    grant(
        unit,
        kind="transfer",
        id=row.id,
        study=row.study,
        parties=[found.agreement.provider, found.agreement.consumer, str(row.zone)],
        revision=judged.decision.revision,
        valid_until=found.agreement.until,
        now=now,
        permit=found.agreement.permit,
        agreement=found.agreement.id,
        snapshot=found.agreement.snapshot,
        leans=judged.leans,
    )


def _again(unit: Unit, runtime: Runtime, by: Caller, pid: str, asked: str) -> Json:
    spend(unit, by, runtime.now())
    kept = core.load(unit.session, pid, by.did)
    if kept.request != asked:
        raise Refusal("process-exists", pid=kept.consumer_pid)
    return core.shown(kept)


def _begin(
    unit: Unit, runtime: Runtime, by: Caller, row: Transfer, message: TransferRequest, found: Given, judged: Judgement
) -> Json:
    """Creates transfer and data key together, and promises that the parts are sealed."""
    now = runtime.now()
    spend(unit, by, now)
    kept = begun(unit.session, by.did, row.consumer_pid)
    if kept is not None:  # the same request, twice at once
        return core.shown(kept)
    judgement.still(unit.session, found)
    taken = in_force(unit.session, row.agreement)
    if taken is not None:
        raise Refusal("transfer-exists", transfer=taken.id, state=taken.state)
    transfer = Transfer(**row.model_dump())
    unit.session.add(transfer)
    _data_key(unit, found, now)
    unit.session.flush()
    core.received(unit, transfer, Message.REQUEST, message.id, message.raw, now)
    hold(unit, transfer, found, judged, now)
    journal.record(
        unit,
        "transfer-granted",
        now=now,
        study=row.study,
        by=by.did,
        dataset=row.dataset,
        zone=row.zone,
    )
    outbox.promise(unit, f"staging {row.id}", SEAL, {"transfer": row.id}, now=now, study=row.study)
    return core.shown(transfer, State.REQUESTED)


def _data_key(unit: Unit, found: Given, now: int) -> None:
    """The agreement's data key: one, also when an earlier transfer failed. Raises `Refusal("key-destroyed")`."""
    assert found.snapshot is not None  # noqa: S101 - no gate says yes without one
    kept = unit.session.exec(select(DataKey).where(DataKey.agreement == found.agreement.id)).first()
    if kept is None:
        unit.session.add(
            DataKey(
                id=str(uuid.uuid4()),
                agreement=found.agreement.id,
                study=str(found.agreement.study),
                snapshot=found.snapshot.id,
                digest=found.snapshot.digest,
                made_at=now,
            )
        )
    elif kept.state != "held":
        raise Refusal("key-destroyed", key=kept.id)
