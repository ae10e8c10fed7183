"""Step 18: what was used is deleted, and the deletion is proven; a permit runs out by itself."""

import asyncio
import copy
import json
import secrets
import time
import uuid
from typing import Any

from connector.evidence.offline import verify_certificate
from connector.kit.keys import Keys
from connector.play import cast
from connector.play.analyse import TRAIN, task
from connector.play.apply import permit_of
from connector.play.hands import expect
from connector.play.second import SHORT_SECONDS
from connector.play.stage import Play
from connector.play.wire import Impostor
from vocab.records.envelope import commitment, digest, signed

Json = dict[str, Any]


async def step_18(play: Play) -> None:
    """S1 is closed; certificates are countersigned by both hospitals, logged and verified offline."""
    report, pi = play.report, play.hand("a02", "pi")
    with report.done(18, "second-permit") as shown:
        await asyncio.sleep(max(0.0, play.kept["short-until"] / 1000 - time.time()))
        ended = await play.until("the permit has ended everywhere", lambda: _ended(play))
        shown.update(state=ended["state"], seconds=SHORT_SECONDS)
    with report.done(18, "close") as shown:
        await pi.post(f"/api/studies/{play.study}/close")
        await play.until("the study is closed", lambda: _closed(play), 180)
        await play.until("the zone knows that the permit ended", lambda: _over(play))
        shown["state"] = "closed"
    with report.refused(18, "expired"):
        await pi.post(f"/api/studies/{play.study}/tasks", task("late", "train", TRAIN, outputs=["model.onnx"]))
    with report.done(18, "certificates") as shown:
        await _certificates(play, shown)
    with report.refused(18, "altered"):
        altered = json.loads((play.folder / "certificate.json").read_text())
        _spoil(altered)
        (play.folder / "altered.json").write_text(json.dumps(altered))
        await asyncio.to_thread(verify_certificate, play.folder / "altered.json")
    with report.refused(18, "omits"):
        await _omitting(play)
    with report.done(18, "register") as shown:
        rows = await play.hand("h01", "steward").get("/api/register", study=play.study)
        expect(rows and all(row["destroyed_at"] for row in rows), rows)
        shown["rows"] = len(rows)


async def _ended(play: Play) -> Json | None:
    """The short permit as H01, which it named, sees it once it is over."""
    row = await permit_of(play, play.kept["short"], "h01", "steward")
    return row if row and row["state"] == "ended" else None


async def _closed(play: Play) -> bool:
    return bool((await play.hand("a02", "pi").get(f"/api/studies/{play.study}"))["state"] == "closed")


async def _over(play: Play) -> bool:
    row = await permit_of(play, play.study, "p01", "operator")
    return row is not None and row["state"] == "ended"


async def _certificates(play: Play, shown: Json) -> None:
    for node in cast.DATASETS:
        closing = await play.until("the closing certificate is proven", lambda node=node: _proven(play, node))  # type: ignore[misc]
        steward = play.hand(node, "steward")
        play.kept[f"closing-{node}"] = closing
        content = await steward.download(f"/api/receipts/{closing['id']}/file")
        file = play.folder / ("certificate.json" if node == "h01" else f"certificate-{node}.json")
        await asyncio.to_thread(file.write_bytes, content)
        checked = await asyncio.to_thread(verify_certificate, file)
        body = checked["payload"]
        shown[f"result_{node}"] = body["result"]
        shown[f"objects_{node}"] = len(body["objects"])
        house = await steward.get(f"/api/studies/{play.study}/house")
        expect(house["keys_destroyed"] == 1, house["keys_destroyed"])
        shown[f"keys_destroyed_{node}"] = house["keys_destroyed"]
    tasks = await play.hand("h01", "steward").get("/api/receipts", study=play.study, type="task-certificate")
    scan = body["scan"]
    mine = await play.hand("p01", "operator").get(f"/api/studies/{play.study}/certificates")
    times = [one["body"]["times"] for one in mine if one["body"]["type"] == "task-certificate"]
    slowest = max(one["deleted"] - one["ended"] for one in times) / 1000
    shown.update(task_certificates=len(tasks), slowest_s=round(slowest, 1))
    shown.update(canaries=scan["found"], control=f"{scan['found_before']}/{scan['planted']}")


async def _proven(play: Play, node: str) -> Json | None:
    rows = await play.hand(node, "steward").get("/api/receipts", study=play.study, type="closing-certificate")
    return next((row for row in rows if row["state"] == "complete" and row["proven"]), None)


def _spoil(value: Json) -> None:
    """One digit of one object's digest is another."""
    one = value["payload"]["objects"][0]
    one["sha256"] = ("0" if one["sha256"][0] != "0" else "1") + one["sha256"][1:]


async def _omitting(play: Play) -> None:
    """Whoever holds the zone's key sends H01 a closing certificate that leaves out one of its objects."""
    real = await play.hand("h01", "steward").get(f"/api/receipts/{play.kept['closing-h01']['id']}")
    keys, salt = Keys(play.space.folder / "p01" / "keys"), secrets.token_bytes(16)
    payload, body = copy.deepcopy(real["payload"]), copy.deepcopy(real["envelope"]["body"])
    mine = next(one for one in payload["objects"] if one["provider"] == play.did("h01"))
    payload["objects"].remove(mine)
    body |= {"id": uuid.uuid4().urn, "payload": commitment(salt, payload)}
    body["subject"] |= {"certificate": digest(payload), "objects": len(payload["objects"])}
    message = {"envelope": signed(body, play.did("p01"), keys.sign), "payload": payload, "salt": salt.hex()}
    async with Impostor(play, "p01", "h01") as zone:
        await zone.send("POST", "/receipts", json=message)
