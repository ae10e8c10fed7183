"""The consumer's side: asks each hospital to push to the permit's zone, and follows what becomes of it."""

import hashlib
import secrets
import uuid
from typing import Any

from sqlmodel import Session, select

from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.model import Agreement
from connector.negotiation.service import all_or_none
from connector.negotiation.states import Side
from connector.rights import peers
from connector.rights.model import PermitRow
from connector.rights.service import permit_for
from connector.transfer import core
from connector.transfer.model import Transfer
from connector.transfer.states import Message, State
from vocab.errors import Refusal
from vocab.messages import catalogue
from vocab.messages import transfer as messages
from vocab.records.envelope import digest

Json = dict[str, Any]


async def start(
    runtime: Runtime,
    person: str,
    *,
    provider: str,
    agreement: str,
    study: str | None = None,
    zone: str | None = None,
    target: Json | None = None,
    format: str = messages.PUSH_FORMAT,  # noqa: A002 - the protocol's word
) -> Transfer:
    """Asks `provider` for the data of `agreement`, by default pushed to the permit's zone. The hospital decides.

    Public data are fetched, or pushed to `target` (an endpoint with its authorization).
    Raises `Refusal`: not-a-member, no-permit, transfer-exists.
    """
    address, pid = peers.address(runtime, provider), str(uuid.uuid4())
    if address is None:
        raise Refusal("not-a-member", rule="provider", seen=provider, study=study)

    def read(session: Session) -> tuple[PermitRow | None, Agreement | None]:
        return permit_for(session, study) if study else None, session.get(Agreement, agreement)

    permit, known = await runtime.store.read(read)
    public = format in messages.PUBLIC_FORMATS and (known is None or known.permit is None)
    place = None if public else zone or (permit.fields["zone"] if permit else None)
    if not public and place is None:
        raise Refusal("no-permit", rule="permit", study=study)
    where, token = None, None
    if public and format == messages.HTTP_PUSH:
        if target is None:  # our own landing
            secret = secrets.token_urlsafe(32)
            token = hashlib.sha256(secret.encode()).hexdigest()
            target = {"endpoint": f"{runtime.settings.url.rstrip('/')}/landing/{pid}", "authorization": secret}
        where = messages.posted_to(target["endpoint"], target.get("authorization", ""))
    message = messages.request(
        pid,
        runtime.settings.url.rstrip("/") + catalogue.PATH,
        agreement,
        messages.to_zone(place) if place else where,
        study=study,
        permit=permit.id if permit else None,
        format=format,
    )

    def begin(unit: Unit) -> Transfer:
        now = runtime.now()
        taken = None if public else in_force(unit.session, agreement)
        if taken is not None:
            raise Refusal("transfer-exists", transfer=taken.id, state=taken.state, study=study)
        row = Transfer(
            id=pid,
            side=Side.CONSUMER,
            peer=provider,
            address=address,
            consumer_pid=pid,
            agreement=agreement,
            dataset=known.dataset if known else None,
            study=study,
            permit=permit.id if permit else None,
            format=format,
            zone=place,
            token=token,
            request=digest(message),
            by=person,
            begun_at=now,
            changed_at=now,
        )
        unit.session.add(row)
        core.sent(unit, row, Message.REQUEST, message, now)
        journal.record(unit, "transfer-asked", now=now, study=study, by=person, peer=provider, agreement=agreement)
        return row

    return await runtime.store.run(begin)


async def start_study(runtime: Runtime, person: str, study: str) -> list[Transfer]:
    """Asks for the data of all agreements of a study; one that is asked for already stays as it is.

    Raises `Refusal("no-agreement")` unless all of them are final, and as `start`.
    """

    def read(session: Session) -> list[tuple[Agreement, Transfer | None]]:
        permit = permit_for(session, study)
        wanted = [one["id"] for one in permit.fields["datasets"]] if permit else []
        return [(row, in_force(session, row.id)) for row in all_or_none(session, study, wanted)]

    found = await runtime.store.read(read)
    return [
        taken or await start(runtime, person, study=study, provider=row.provider, agreement=row.id)
        for row, taken in found
    ]


def in_force(session: Session, agreement: str) -> Transfer | None:
    """The transfer of this agreement that has not failed, if any."""
    query = select(Transfer).where(Transfer.agreement == agreement, Transfer.state != State.TERMINATED)
    return session.exec(query).first()
