"""Protocol messages on their way out: promised with the state they follow from, delivered in order, reconciled.

As in the negotiation room: a peer that is down is asked again for long, "not yet" for seconds, then its own state
decides whether it has had the message. Any other 4xx is its answer.
"""

import json
from typing import Any, Final
from urllib.parse import quote

from connector.identity.service import ask
from connector.kit.db import Unit
from connector.kit.outbox import Promise, TryLater, promise
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation.states import Side
from connector.transfer.model import Transfer, TransferMessage
from connector.transfer.states import PROGRESS, Message
from vocab.messages import problems

Json = dict[str, Any]

EFFECT: Final = "transfer-message"
#: How often "not yet" is taken for an answer: about ten seconds in all.
NOT_YET: Final = 6

#: Where each message goes, below the peer's address.
_PATHS: Final = {
    Message.REQUEST: "/transfers/request",
    Message.START: "/transfers/{pid}/start",
    Message.SUSPENSION: "/transfers/{pid}/suspension",
    Message.COMPLETION: "/transfers/{pid}/completion",
    Message.TERMINATION: "/transfers/{pid}/termination",
}


def send(unit: Unit, transfer: Transfer, kind: Message, message: Json, before: str, now: int) -> None:
    """Promises that `message` is delivered, after everything promised for this transfer before. `before`: the state
    that it was sent from."""
    theirs = transfer.provider_pid if transfer.side == Side.CONSUMER else transfer.consumer_pid
    payload = {
        "transfer": transfer.id,
        "peer": transfer.peer,
        "url": transfer.address + _PATHS[kind].format(pid=quote(theirs or "", safe="")),
        "before": before,
        "state": transfer.state,
        "process": f"{transfer.address}/transfers/{quote(theirs, safe='')}" if theirs else None,
        "message": message,
    }
    promise(unit, f"transfer {transfer.id}", EFFECT, payload, now=now, study=transfer.study)
    unit.session.add(
        TransferMessage(
            process=transfer.id,
            direction="out",
            peer=transfer.peer,
            message=message["@id"],
            kind=kind,
            body=json.dumps(without_secrets(message), ensure_ascii=False),
            at=now,
        )
    )


def without_secrets(message: Json) -> Json:
    """The message as it is kept: the values of an address's properties are keys to data."""
    if "dataAddress" not in message:
        return message
    address = message["dataAddress"]
    properties = [{**one, "value": "…"} for one in address.get("endpointProperties", ())]
    return {**message, "dataAddress": {**address, "endpointProperties": properties}}


async def deliver(runtime: Runtime, row: Promise) -> Answer | None:
    """Delivers one message. None: the peer turned out to have had it. Raises its refusal, or `TryLater`."""
    payload = row.payload
    answer = await ask(runtime, "POST", payload["url"], payload["peer"], json=payload["message"])
    if answer.ok:
        body = answer.body or {}
        if not isinstance(body, dict) or (payload["process"] is None and not isinstance(body.get("providerPid"), str)):
            raise TryLater("the answer is none of the protocol's")  # to a first request it names the provider's process
        return answer
    if answer.status in (404, 409) and payload["process"]:
        if await _had(runtime, payload):
            return None
        if row.attempts < NOT_YET:
            raise TryLater(f"status {answer.status}", 0.3 * 1.6**row.attempts)
    raise problems.said(answer.body, answer.status).refusal()


async def _had(runtime: Runtime, payload: Json) -> bool:
    """Whether the peer's own state shows that it has had the message: our earlier attempt arrived after all."""
    try:
        answer = await ask(runtime, "GET", payload["process"], payload["peer"])
    except Unreachable:
        return False
    theirs = answer.body.get("state") if answer.ok and isinstance(answer.body, dict) else None
    return theirs != payload.get("before") and PROGRESS.get(str(theirs), -1) >= PROGRESS[payload["state"]]
