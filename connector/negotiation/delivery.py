"""Protocol messages on their way out: promised with the state they follow from, delivered in order, reconciled.

A peer that is down or busy is asked again for long. "Not yet" (404, 409 on a process that both know) is asked again for
seconds; then the peer's own state decides whether it has had the message. Any other 4xx is its answer: it is over.
"""

import json
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import insert

from connector.identity.service import ask
from connector.kit.db import Unit
from connector.kit.outbox import Promise, TryLater, promise
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.negotiation.model import Negotiation, ProtocolMessage
from connector.negotiation.states import PROGRESS, Message, Side
from vocab.messages import problems

Json = dict[str, Any]

EFFECT: Final = "negotiation-message"
#: How often "not yet" is taken for an answer: about ten seconds in all.
NOT_YET: Final = 6

#: Where each message goes, below the peer's address; the first one goes where no process is named.
_PATHS: Final[dict[tuple[Side, Message], str]] = {
    (Side.CONSUMER, Message.REQUEST): "/negotiations/{pid}/request",
    (Side.CONSUMER, Message.ACCEPTED): "/negotiations/{pid}/events",
    (Side.CONSUMER, Message.VERIFICATION): "/negotiations/{pid}/agreement/verification",
    (Side.CONSUMER, Message.TERMINATION): "/negotiations/{pid}/termination",
    (Side.PROVIDER, Message.OFFER): "/negotiations/{pid}/offers",
    (Side.PROVIDER, Message.AGREEMENT): "/negotiations/{pid}/agreement",
    (Side.PROVIDER, Message.FINALIZED): "/negotiations/{pid}/events",
    (Side.PROVIDER, Message.TERMINATION): "/negotiations/{pid}/termination",
}

#: Made once: it is said for every message.
_MESSAGE: Final = insert(ProtocolMessage)


def send(unit: Unit, negotiation: Negotiation, kind: Message, message: Json, before: str, now: int) -> None:
    """Promises that `message` is delivered, after everything promised for this negotiation before. `before`: the state
    that it was sent from."""
    side = Side(negotiation.side)
    theirs = negotiation.provider_pid if side is Side.CONSUMER else negotiation.consumer_pid
    path = _PATHS[side, kind].replace("/{pid}", f"/{quote(theirs, safe='')}" if theirs else "")
    payload = {
        "negotiation": negotiation.id,
        "peer": negotiation.peer,
        "url": negotiation.address + path,
        "before": before,
        "state": negotiation.state,
        "process": f"{negotiation.address}/negotiations/{quote(theirs, safe='')}" if theirs else None,
        "message": message,
    }
    promise(unit, f"negotiation {negotiation.id}", EFFECT, payload, now=now, study=negotiation.study)
    text = json.dumps(message, ensure_ascii=False)
    keep(unit, negotiation, "out", message["@id"], message["@type"], text, now)


def keep(unit: Unit, row: Negotiation, direction: str, message: str | None, kind: str, body: str, now: int) -> None:
    """Keeps the bytes of a message that takes effect in this unit. `message`: its id."""
    given = {"process": row.id, "direction": direction, "peer": row.peer, "message": message, "kind": kind}
    unit.session.connection().execute(_MESSAGE, {**given, "body": body, "at": now})


async def deliver(runtime: Runtime, row: Promise) -> Answer | None:
    """Delivers one message. None: the peer turned out to have had it. Raises its refusal, or `TryLater`."""
    payload = row.payload
    answer = await ask(runtime, "POST", payload["url"], payload["peer"], json=payload["message"])
    if answer.ok:
        body = answer.body or {}
        theirs = "providerPid" if "consumerPid" in payload["message"] else "consumerPid"
        if not isinstance(body, dict) or (payload["process"] is None and not isinstance(body.get(theirs), str)):
            raise TryLater("the answer is none of the protocol's")  # to a first message it names the peer's process
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
