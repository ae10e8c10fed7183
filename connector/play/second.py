"""A second study, beside S1: cut by a defective cutter, then stopped by its hospital. And a permit of 15 seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from connector.play import cast
from connector.play.analyse import ENDED, TRAIN, ended_how, reason, run, task, verified
from connector.play.apply import approved, permit_of
from connector.play.hands import Said, expect
from connector.play.stage import Play

Json = dict[str, Any]
NODE: Final = "h03"
SHORT_SECONDS: Final = 15


async def defective_cut(play: Play, ready: Awaitable[tuple[str, Json]]) -> None:
    """H03's cutter put some patients into both parts: nothing that was measured on them counts."""
    with play.report.refused(12, "overlap") as shown:
        study, _ = await ready
        play.kept["stopped"] = study
        await _staged(play, study)
        trained = await run(play, study, task("doubled", "train", TRAIN, outputs=["model.onnx"]))
        expect(trained["state"] == "COMPLETE", ended_how(trained))
        found = await verified(play, study, trained["id"])
        reason(shown, found["findings"], "overlap")


async def stop_button(play: Play) -> None:
    """No further key, the running task gone in seconds, plaintext with it, a certificate issued."""
    study, pi = play.kept["stopped"], play.hand("a02", "pi")
    with play.report.done(11, "stop") as shown:
        path = f"/api/studies/{study}/tasks"
        forever = [*TRAIN, "--controls"]
        begun = await pi.post(path, task("long", "train", TRAIN, *[forever] * 3, outputs=["model.onnx"]))

        async def state(*wanted: str) -> Json | None:
            row: Json = await pi.get(f"{path}/{begun['id']}")
            return row if row["state"] in wanted else None

        await play.until("the task runs", lambda: state("RUNNING", *ENDED))
        pressed = time.monotonic()
        reason = {"reason": "환자 문의가 있어 확인할 때까지 멈춘다."}
        await play.hand(NODE, "acceptor").post(f"/api/studies/{study}/stop", reason)
        ended = await play.until("the task is gone", lambda: state(*ENDED))
        seconds = round(time.monotonic() - pressed, 2)
        expect(ended["state"] != "COMPLETE", ended_how(ended))
        certified = await play.until("the hospital has countersigned", lambda: _certified(play, study))
        try:
            await pi.post(path, task("again", "train", TRAIN, outputs=["model.onnx"]))
        except Said as said:
            shown["then"] = said.code
        expect("then" in shown, "a task on stopped data was accepted")
        shown.update(state=ended["state"], gone_after_s=seconds, certificate=certified["state"])
    await pi.post(f"/api/studies/{study}/close")


async def agreed(play: Play, title: str, spoil: Callable[[Path, str], None] | None = None) -> tuple[str, Json]:
    """A study with one hospital, approved, cut, accepted and agreed in the same way as S1; and its agreement.

    `spoil` does to the snapshot what something defective in the hospital would have done, before it is accepted.
    """
    study = await approved(play, title, NODE, 30 * cast.DAY_MS)
    play.beside.append(study)
    play.remember()
    dataset, steward = cast.DATASETS[NODE], play.hand(NODE, "steward")
    await play.until("the permit reaches the hospital", lambda: permit_of(play, study, NODE, "steward"))
    await play.hand(NODE, "keykeeper").post(f"/api/studies/{study}/pseudonym-key")
    cut = await steward.post("/api/snapshots", {"study": study, "dataset": dataset})
    if spoil is not None:
        await asyncio.to_thread(spoil, play.space.folder / NODE, cut["id"])
    await play.hand(NODE, "acceptor").post(f"/api/snapshots/{cut['id']}/accept")
    pi = play.hand("a02", "pi")
    await pi.post(f"/api/studies/{study}/negotiate")

    async def found() -> Json | None:
        rows = await pi.get("/api/agreements", study=study)
        return rows[0] if rows and rows[0]["receipt_complete"] else None

    return study, await play.until("the agreement is proven", found)


async def _staged(play: Play, study: str) -> None:
    pi = play.hand("a02", "pi")
    for row in await pi.post(f"/api/studies/{study}/transfers"):

        async def complete(transfer: str = row["id"]) -> bool:
            return bool((await pi.get(f"/api/transfers/{transfer}"))["state"] == "COMPLETED")

        await play.until("the ciphertext is staged", complete)


async def _certified(play: Play, study: str) -> Json | None:
    rows = await play.hand(NODE, "steward").get("/api/receipts", study=study, type="task-certificate")
    return next((row for row in rows if row["state"] == "complete"), None)


async def short_permit(play: Play) -> None:
    """A permit of 15 real seconds: approved now, looked at in step 18."""
    play.kept["short"] = await approved(play, "짧은 허가", "h01", SHORT_SECONDS * 1000)
    play.kept["short-until"] = (await permit_of(play, play.kept["short"]) or {})["until"]
