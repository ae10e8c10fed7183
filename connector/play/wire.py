"""What only somebody with a node's key could try: the play borrows it from the folder and speaks the wire itself."""

import hashlib
import time
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Final, Self

import httpx

from connector.identity.tokens import issue
from connector.kit.keys import Keys
from connector.play.hands import Said
from connector.play.second import NODE
from connector.play.stage import Play

Json = dict[str, Any]
CIPHERTEXT: Final = b"not really sealed, but the zone cannot know " * 100


class Impostor:
    """Speaks to `target` as `node` would, inside the block."""

    def __init__(self, play: Play, node: str, target: str) -> None:
        self._keys = Keys(play.space.folder / node / "keys")
        self._did, self._target = play.did(node), play.did(target)
        self._client = httpx.AsyncClient(
            base_url=play.space.nodes[target].url,
            trust_env=False,
            timeout=60,
            headers={"accept-language": play.report.lang},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def send(self, method: str, path: str, **rest: Any) -> Any:
        """One request with a fresh token. Raises `Said` for a no."""
        token = issue(self._keys, self._did, self._target, round(time.time() * 1000))
        headers = {"authorization": f"Bearer {token}", **rest.pop("headers", {})}
        answer = await self._client.request(method, path, headers=headers, **rest)
        if not answer.is_success:
            raise Said(answer.status_code, answer.json(), str(self._client.base_url).rstrip("/"))
        return answer.json() if answer.content else None


async def crooked_staging(play: Play, ready: Awaitable[tuple[str, Json]]) -> None:
    """A study of its own: walls below the level asked for, a flipped byte, a token used twice. Then it is closed."""
    operator, report = play.hand("p01", "operator"), play.report
    async with Impostor(play, NODE, "p01") as hospital:
        await operator.post("/api/walls", {"at_most": "thin"})
        try:
            with report.refused(10, "low-walls"):
                study, agreement = await ready
                wanted = await _slot(play, agreement)
                await hospital.send("POST", "/slots", json=wanted)
        finally:
            await operator.post("/api/walls", {"at_most": "full"})
        wanted["min_walls"] = "thin"
        slot = await hospital.send("POST", "/slots", json=wanted)
        path = f"/slots/{slot['slot']}/train"
        with report.refused(10, "flipped"):
            flipped = bytes([CIPHERTEXT[0] ^ 1]) + CIPHERTEXT[1:]
            await hospital.send("PUT", path, content=flipped, headers={"slot-token": slot["token"]})
        slot = await hospital.send("POST", "/slots", json=wanted)
        await hospital.send("PUT", path, content=CIPHERTEXT, headers={"slot-token": slot["token"]})
        with report.refused(10, "token-twice"):
            await hospital.send("PUT", path, content=CIPHERTEXT, headers={"slot-token": slot["token"]})
    await play.hand("a02", "pi").post(f"/api/studies/{study}/close")


async def _slot(play: Play, agreement: Json) -> Json:
    """What H03 would ask the zone for, with a ciphertext of our own."""
    steward = play.hand(NODE, "steward")
    rows = await steward.get("/api/receipts", study=agreement["study"], type="agreement")
    row = await steward.get(f"/api/receipts/{rows[0]['id']}")
    one = {
        "name": "train",
        "object": f"{agreement['id']}/train",
        "bytes": len(CIPHERTEXT),
        "sha256": hashlib.sha256(CIPHERTEXT).hexdigest(),
    }
    return {
        "study": agreement["study"],
        "permit": agreement["permit"],
        "agreement": agreement["id"],
        "consumer": agreement["consumer"],
        "dataset": agreement["dataset"],
        "snapshot": row["envelope"]["body"]["subject"]["snapshot"],
        "site": "crooked",
        "key_id": "none",
        "synthetic": True,
        "min_walls": "user",
        "parts": [one],
        "receipt": {name: row[name] for name in ("envelope", "payload", "salt", "proof")},
    }
