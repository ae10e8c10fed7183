"""Public data: fetched from us with a token that is checked at every use, or posted to where the consumer says."""

import hashlib
import secrets
import uuid
from typing import Any, Final

from sqlmodel import Session, select

from connector.datasets.model import Dataset
from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation import approval
from connector.negotiation.states import Side
from connector.rights import peers
from connector.rights.service import grant
from connector.transfer import core, judgement
from connector.transfer.judgement import Given, Judgement
from connector.transfer.model import Transfer
from connector.transfer.states import Message, State
from vocab import terms
from vocab.errors import Refusal
from vocab.messages import transfer as messages
from vocab.messages.transfer import HTTP_PUSH, PUBLIC_FORMATS, TransferRequest
from vocab.profile import Gate

Json = dict[str, Any]

PUSH: Final = "public-push"
#: Where the data of a transfer are fetched.
PATH: Final = "/data"


async def receive_request(
    runtime: Runtime, by: Caller, message: TransferRequest, address: str, asked: str, found: Given
) -> Json:
    """A request for public data: started, or it waits for a person. Raises the gate's refusal, or `format-unknown`."""
    if message.format not in PUBLIC_FORMATS:
        raise Refusal("format-unknown", needed=", ".join(sorted(PUBLIC_FORMATS)), seen=message.format)
    target = message.address.to_json() if message.format == HTTP_PUSH and message.address else None
    if message.format == HTTP_PUSH and (target is None or not target["endpoint"]):
        raise Refusal("message-malformed", where="dataAddress", why="a push goes to an endpoint")
    judged = await demand(runtime, found, message.format)
    rules = await runtime.store.read(lambda session: approval.rules(session, by.did, found.agreement.dataset))
    pid = str(uuid.uuid4())

    def begin(unit: Unit) -> Json:
        now = runtime.now()
        spend(unit, by, now)
        kept = begun(unit.session, by.did, message.consumer_pid)
        if kept is not None:  # the same request, twice at once
            return core.shown(kept)
        judgement.still(unit.session, found)
        row = Transfer(
            id=pid,
            provider_pid=pid,
            side=Side.PROVIDER,
            peer=by.did,
            address=address,
            consumer_pid=message.consumer_pid,
            agreement=found.agreement.id,
            dataset=found.agreement.dataset,
            format=message.format,
            target=target,
            request=asked,
            decision=judged.decision.to_json(),
            begun_at=now,
            changed_at=now,
        )
        unit.session.add(row)
        unit.session.flush()
        core.received(unit, row, Message.REQUEST, message.id, message.raw, now)
        answer = core.shown(row)
        _hold(unit, runtime, row, found, judged, now)
        journal.record(unit, "public-transfer-granted", now=now, by=by.did, dataset=row.dataset, format=row.format)
        if approval.step_waits(rules):
            core.waiting(unit, row, now)
        else:
            start(unit, runtime, row)
        return answer

    return await runtime.store.run(begin)


async def demand(runtime: Runtime, found: Given, format: str) -> Judgement:  # noqa: A002 - the protocol's word
    """The gate's yes to public data on their way. Raises its refusal."""
    kind = "push" if format == HTTP_PUSH else "pull"
    where = {"kind": kind, "zone_did": None, "slot": False}
    more = {"destination": where, "token": {"used": False}}
    judged = await judgement.judged(runtime, Gate.TRANSFER, found, {"action": terms.USE}, None, more)
    judged.demand()
    return judged


def start(unit: Unit, runtime: Runtime, row: Transfer) -> None:
    """Starts or resumes: a fetched one gets a new token, a pushed one is on its way."""
    if row.format == HTTP_PUSH:
        outbox.promise(unit, f"public-push {row.id}", PUSH, {"transfer": row.id}, now=runtime.now())
    resumed(unit, runtime, row)


def resumed(unit: Unit, runtime: Runtime, row: Transfer) -> None:
    """Says that it is started, and where the data are fetched now. A push goes on by itself."""
    now, address = runtime.now(), None
    if row.format != HTTP_PUSH:
        token = secrets.token_urlsafe(32)
        row.token = digest_of(token)
        dataset = unit.session.get(Dataset, row.dataset)
        sha256 = dataset.content["sha256"] if dataset and dataset.content else None
        address = messages.over_http(f"{runtime.settings.url.rstrip('/')}{PATH}/{row.id}", token, sha256)
    core.sent(unit, row, Message.START, messages.start(*core.pids(row), address), now)


def holder(session: Session, pid: str, token: str) -> Transfer:
    """The transfer that runs under this token now. Raises `Refusal("token-dead")`, whatever the reason."""
    row = session.exec(select(Transfer).where(Transfer.token == digest_of(token))).first()
    if row is None or row.id != pid or row.state != State.STARTED or row.side != Side.PROVIDER:
        raise Refusal("token-dead")
    return row


def begun(session: Session, peer: str, consumer_pid: str) -> Transfer | None:
    """The transfer that this peer's request began."""
    query = select(Transfer).where(
        Transfer.peer == peer, Transfer.consumer_pid == consumer_pid, Transfer.side == Side.PROVIDER
    )
    return session.exec(query).first()


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _hold(unit: Unit, runtime: Runtime, row: Transfer, found: Given, judged: Judgement, now: int) -> None:
    grant(
        unit,
        kind="transfer",
        id=row.id,
        study=None,
        parties=peers.members(runtime, found.agreement.provider, found.agreement.consumer),
        revision=judged.decision.revision,
        valid_until=found.agreement.until,
        now=now,
        agreement=found.agreement.id,
        leans=judged.leans,
    )
