"""A zone that holds ciphertext and asks for keys as the wire says; it checks tokens and digests for real."""

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import APIRouter, Body, Depends, Header, Request

from compute.staging.wanted import Wanted
from connector.evidence.service import Receipts
from connector.identity.service import ask, caller, spend
from connector.identity.tokens import Caller
from connector.kit.ports import Answer
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from tests.unit.negotiation.conftest import did, url
from vocab.errors import Refusal
from vocab.records.envelope import signed

Json = dict[str, Any]
Peer = Annotated[Caller, Depends(caller)]


@dataclass
class Zone:
    """What lies here."""

    walls: str = "full"
    slots: dict[str, Json] = field(default_factory=dict)
    lying: dict[str, bytes] = field(default_factory=dict)  # by object
    spent: set[tuple[str, str, str]] = field(default_factory=set)
    stopped: list[Json] = field(default_factory=list)
    receipts: list[Json] = field(default_factory=list)


router = APIRouter()


@router.get("/zone")
async def about(request: Request, by: Peer) -> Json:
    runtime: Runtime = request.app.state.runtime
    body = {
        "type": "zone",
        "zone": runtime.did,
        "walls": runtime.get(Zone).walls,
        "verify_code": ["sha256:verify"],
        "images": [],
        "at": runtime.now(),
        "valid_until": runtime.now() + 60_000,
    }
    return signed(body, runtime.did, runtime.keys.sign)


@router.post("/slots", status_code=201)
async def open_slot(request: Request, wanted: Wanted, by: Peer) -> Json:
    runtime: Runtime = request.app.state.runtime
    await runtime.store.run(lambda unit: spend(unit, by, runtime.now()))
    zone, asked = runtime.get(Zone), wanted.model_dump(exclude={"receipt"})
    slot = next((name for name, one in zone.slots.items() if one["agreement"] == wanted.agreement), None)
    if slot is not None and zone.slots[slot]["asked"] != asked:
        raise Refusal("slot-exists", what=wanted.agreement)
    slot, token = slot or str(uuid.uuid4()), secrets.token_urlsafe(16)
    parts = {part.name: part for part in wanted.parts}
    zone.slots[slot] = {"agreement": wanted.agreement, "asked": asked, "token": token, "parts": parts, "by": by.did}
    staged = [name for name, part in parts.items() if part.object in zone.lying]
    return {"slot": slot, "token": token, "url": f"{runtime.settings.url}/slots/{slot}", "staged": staged}


@router.put("/slots/{slot}/{part}", status_code=204)
async def put(request: Request, slot: str, part: str, by: Peer, slot_token: Annotated[str, Header()]) -> None:
    runtime: Runtime = request.app.state.runtime
    await runtime.store.run(lambda unit: spend(unit, by, runtime.now()))
    zone, content = runtime.get(Zone), await request.body()
    row = zone.slots[slot]
    assert row["by"] == by.did
    if row["token"] != slot_token or (slot, part, slot_token) in zone.spent:
        raise Refusal("token-used", rule="slot.token")
    zone.spent.add((slot, part, slot_token))
    announced, seen = row["parts"][part], hashlib.sha256(content).hexdigest()
    if seen != announced.sha256 or len(content) != announced.bytes:
        raise Refusal("digest-differs", part=part, needed=announced.sha256, seen=seen)
    zone.lying[announced.object] = content


@router.post("/studies/{study}/stop", status_code=202)
async def stop(request: Request, study: str, message: Annotated[Json, Body()], by: Peer) -> Json:
    runtime: Runtime = request.app.state.runtime
    await runtime.store.run(lambda unit: spend(unit, by, runtime.now()))
    assert set(message) == {"agreement", "snapshot", "reason"}
    runtime.get(Zone).stopped.append({"study": study, "by": by.did, **message})
    return {}


def install(runtime: Runtime) -> None:
    """Only p01 is a zone."""
    if runtime.did != did("p01"):
        return
    runtime.add(Zone())
    runtime.get(Receipts).checks["staging"] = lambda _, body, payload: runtime.get(Zone).receipts.append(
        {**body, "payload": payload}
    )


room = Room(install, (router,))


@dataclass
class Job:
    """A job in the zone, whose key was born in its process."""

    runtime: Runtime
    agreement: Json
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def request(self, **changed: Any) -> Json:
        """The body of its key request."""
        return {
            "type": "key-request",
            **{name: self.agreement[name] for name in ("study", "permit", "dataset", "snapshot")},
            "agreement": self.agreement["id"],
            "task": self.id,
            "kind": "train",
            "parts": ["train"],
            "code_digest": "sha256:code",
            "image_digest": "sha256:image",
            "walls": "full",
            "job_key": self.key.public_key().public_bytes_raw().hex(),
            "at": self.runtime.now(),
            **changed,
        }

    async def ask(self, **changed: Any) -> Answer:
        """What the hospital answers."""
        envelope = signed(self.request(**changed), self.runtime.did, self.runtime.keys.sign)
        return await self.send(envelope)

    async def send(self, envelope: Json) -> Answer:
        """The same with an envelope of the test's own."""
        return await ask(self.runtime, "POST", f"{url('h01')}/keys/release", did("h01"), json=envelope)

    async def code(self, **changed: Any) -> str:
        """The code of its refusal."""
        answer = await self.ask(**changed)
        assert not answer.ok
        return str(answer.body["code"])


def wrapped(answer: Answer) -> dict[str, bytes]:
    """The wrapped keys in an answer."""
    assert answer.ok, answer
    return {part: base64.b64decode(text) for part, text in answer.body["keys"].items()}
