"""Steps 11 to 13: A02 trains inside the zone's walls, the zone verifies, only results leave."""

import asyncio
import time
from typing import Any, Final

from connector.play.apply import code
from connector.play.hands import Hand, expect
from connector.play.stage import Play

Json = dict[str, Any]

#: Exit codes and reasons are all that a task shows before release: its output stays in the zone.
ENDED: Final = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"}
TRAIN: Final = ["python3", "-I", "/code/train.py"]


def task(name: str, program: str, *commands: list[str], outputs: list[str], **changed: Any) -> Json:
    """What A02 submits."""
    return {
        "name": name,
        "code": code(program),
        "commands": list(commands),
        "outputs": outputs,
        "cpu_cores": 2,
        "ram_gb": 0.75,
        "max_seconds": 600,
        **changed,
    }


async def step_11(play: Play) -> None:
    """Refusals, probes, training with its controls, the hospital's Stop button."""
    report, pi = play.report, play.hand("a02", "pi")
    path = f"/api/studies/{play.study}/tasks"
    small: Json = {"outputs": ["x.txt"]}
    with report.refused(11, "other-code"):
        await pi.post(path, {**task("other", "probe", ["python3", "-V"], **small), "code": {"x.py": "print(1)"}})
    with report.refused(11, "other-image"):
        await pi.post(path, task("image", "probe", ["python3", "-V"], **small, image="sha256:" + "0" * 64))
    with report.refused(11, "holdout"):
        await pi.post(path, task("holdout", "train", TRAIN, **small, parts=["train", "holdout"]))
    with report.refused(11, "without-permit"):
        await play.hand("a03", "pi").post(path, task("none", "train", TRAIN, **small))
    with report.done(11, "probes") as shown:
        knock = ["python3", "-I", "/code/probe.py"]
        probed = await run(play, pi, task("probes", "probe", knock, outputs=["doors.json"]))
        expect(probed["state"] == "COMPLETE", ended_how(probed))
        shown.update(state=probed["state"], open=0)
    with report.done(11, "train") as shown:
        controls, forest = [*TRAIN, "--shuffle-labels"], [*TRAIN, "--forest", "--out", "/out/forest"]
        made = ["model.onnx", "metrics.json", "table.csv", "controls.zip"]
        wanted = task("train", "train", TRAIN, controls, outputs=made)
        trained = await run(play, pi, wanted)
        expect(trained["state"] == "COMPLETE", ended_how(trained))
        play.kept.update(train=trained["id"], forest_command=forest)
        shown.update(task=trained["id"], **_meter(trained))


async def run(play: Play, pi: Hand, wanted: Json) -> Json:
    """Submits a task and waits for its end, which is after plaintext and key are gone."""
    path = f"/api/studies/{play.study}/tasks"
    begun = await pi.post(path, wanted)

    async def ended() -> Json | None:
        row: Json = await pi.get(f"{path}/{begun['id']}")
        return row if row["state"] in ENDED else None

    return await play.until(f"task {wanted['name']} ends", ended, 300)


def ended_how(row: Json) -> Json:
    """State, exit codes and reason codes of a task: all that anybody is shown before release."""
    return {"state": row["state"], "logs": row.get("logs")}


def _meter(row: Json) -> Json:
    metadata = row["logs"][0].get("metadata", {})
    return {name: metadata[name] for name in ("started_minutes", "cpu_ms", "peak_mb", "walls") if name in metadata}


async def stop_button(play: Play) -> None:
    """A hospital presses Stop while a task runs: no further key, the task is gone, plaintext with it, in seconds."""
    report, pi = play.report, play.hand("a02", "pi")
    path = f"/api/studies/{play.study}/tasks"
    with report.done(11, "stop") as shown:
        begun = await pi.post(path, task("long", "train", TRAIN, [*TRAIN, "--shuffle-labels"], outputs=["model.onnx"]))

        async def running() -> bool:
            return bool((await pi.get(f"{path}/{begun['id']}"))["state"] == "RUNNING")

        await play.until("the task runs", running)
        pressed = time.monotonic()
        await play.hand("h03", "acceptor").post(f"/api/studies/{play.study}/stop", {"reason": "환자 문의로 중단한다."})

        async def gone() -> Json | None:
            row: Json = await pi.get(f"{path}/{begun['id']}")
            return row if row["state"] in ENDED else None

        ended = await play.until("the task is gone", gone)
        expect(ended["state"] != "COMPLETE", ended_how(ended))
        shown.update(state=ended["state"], seconds=round(time.monotonic() - pressed, 2), **_meter(ended))
        await asyncio.sleep(0)
