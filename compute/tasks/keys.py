"""Each hospital is asked for its key, once a task: signed by the zone, wrapped to a key born in the job's process."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

from compute.launcher.model import Prepared
from compute.staging.model import Slot
from compute.tasks.judgement import Plan
from connector.identity.service import Members, ask
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.rights.relay import relayed
from vocab.errors import Refusal
from vocab.records.envelope import signed

_PAUSE = 0.5


def aad(agreement: str, part: str) -> str:
    """The context in which a part is sealed and its key wrapped."""
    return f"{agreement}|{part}"


async def released(runtime: Runtime, plan: Plan, prepared: Prepared, slots: list[Slot]) -> Mapping[str, bytes]:
    """The wrapped key of every input by its name. Raises the hospital's own `Refusal`."""
    answers = await asyncio.gather(*(_of(runtime, plan, prepared, slot) for slot in slots))
    by_agreement = {slot.agreement: keys for slot, keys in zip(slots, answers, strict=True)}
    return {one.name: by_agreement[one.agreement][one.part] for one in plan.inputs}


async def _of(runtime: Runtime, plan: Plan, prepared: Prepared, slot: Slot) -> dict[str, bytes]:
    parts = sorted({one.part for one in plan.inputs if one.agreement == slot.agreement})
    body: dict[str, Any] = {
        "type": "key-request",
        "study": plan.study,
        "permit": plan.permit,
        "agreement": slot.agreement,
        "dataset": slot.dataset,
        "snapshot": slot.snapshot,
        "task": plan.task,
        "kind": plan.kind,
        "parts": parts,
        "code_digest": plan.code_digest,
        "image_digest": plan.image_digest,
        "walls": prepared.level,
        "job_key": prepared.public_key.hex(),
        "at": runtime.now(),
    }
    envelope = signed(body, runtime.did, runtime.keys.sign)
    while True:  # the caller's deadline ends it
        url = runtime.get(Members).urls.get(slot.provider)
        if url is None:
            raise Refusal("not-a-member", rule="provider", seen=slot.provider)
        try:
            answer = await ask(runtime, "POST", f"{url}/keys/release", slot.provider, json=envelope)
            if not answer.ok:
                raise relayed(answer)
            return _keys(answer.body, parts, url)
        except Unreachable:
            await asyncio.sleep(_PAUSE)


def _keys(body: Any, parts: list[str], url: str) -> dict[str, bytes]:
    try:
        return {part: base64.b64decode(body["keys"][part], validate=True) for part in parts}
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Unreachable(url, f"no keys in the answer: {type(error).__name__}") from None
