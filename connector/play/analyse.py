"""Steps 11 to 13: A02 trains inside the zone's walls, the zone verifies, only results leave."""

import asyncio
from typing import Any, Final

from connector.play import cast
from connector.play.apply import code
from connector.play.hands import Hand, expect
from connector.play.proofs import keys, patients_in_both
from connector.play.stage import Play
from connector.sources.people import SHARED
from vocab.records.envelope import opened

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
        probed = await run(play, play.study, task("probes", "probe", knock, outputs=["doors.json"]))
        expect(probed["state"] == "COMPLETE", ended_how(probed))
        shown.update(state=probed["state"], open=0)
    with report.done(11, "train") as shown:
        made = ["model.onnx", "metrics.json", "table.csv", "controls.zip"]
        trained = await run(play, play.study, task("train", "train", [*TRAIN, "--controls"], outputs=made))
        expect(trained["state"] == "COMPLETE", ended_how(trained))
        play.kept["train"] = trained["id"]
        rows = await play.hand("p01", "operator").get("/api/tasks", study=play.study)
        limits = next(one["limits"] for one in rows if one["id"] == trained["id"])
        expect((limits["cpus"], limits["seconds"]) == (2, 600), limits)
        shown.update(_meter(trained), cpus=limits["cpus"], most_seconds=limits["seconds"])
    with report.done(11, "keys") as shown:
        for node in cast.DATASETS:
            house = await play.hand(node, "steward").get(f"/api/studies/{play.study}/house")
            mine = [one for one in house["keys"] if one["task"] == trained["id"]]
            expect(len(mine) == 1 and mine[0]["parts"] == ["train"] and house["rows_to_company"] == 0, house)
            shown[node] = len(mine)


async def run(play: Play, study: str, wanted: Json) -> Json:
    """Submits a task and waits for its end, which is after plaintext and key are gone."""
    pi, path = play.hand("a02", "pi"), f"/api/studies/{study}/tasks"
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


async def step_12(play: Play) -> None:
    """The zone's own code on `holdout`, on the bytes to be released; at most three times a study."""
    report = play.report
    with report.done(12, "verify") as shown:
        found = await verified(play, play.study, play.kept["train"], control=play.kept["train"])
        expect(found["state"] == "passed", {"state": found["state"], "findings": found["findings"]})
        model, parts = found["report"]["model"], found["report"]["parts"]
        auc, control = model["whole"]["auc"], model["control"]
        expect(0.80 <= auc[0] <= 0.88, auc)
        expect(control["auc"] < 0.60, control)
        expect(parts["in_both"] == 0 and parts["shared_by_hospitals"] == 0, parts)
        play.kept["verification"] = found
        estimable = sum(group["estimable"] for group in model["groups"])
        shared = await asyncio.to_thread(patients_in_both, play.space.folder)
        expect(shared == SHARED, shared)
        shown.update(
            auc=f"{auc[0]} ({auc[1]}-{auc[2]})",
            shuffled=control["auc"],
            slope=model["whole"]["slope"],
            brier=model["whole"]["brier"],
            estimable=f"{estimable}/{len(model['groups'])}",
            weakest=model["weakest"],
            residual_bytes=model["capacity_bytes"],
            shared_pseudonyms=f"{parts['shared_by_hospitals']}/{shared}",
        )
    with report.done(12, "card") as shown:
        card = opened(found["card"], "model-card", await keys(play), play.did("p01"))
        figures, groups = card["figures"], {group["kind"] for group in model["groups"]}
        expect(len(figures["deciles"]) and {"ppv", "npv", "threshold"} <= figures["at"].keys(), figures)
        expect({"site", "sex", "age"} <= groups, groups)
        expect(card["synthetic"] and card["clinical_use"] is False and card["intended_use"], card)
        expect(card["weakest"] is None or _apart(card, auc), card["weakest"])
        few = [f"{group['kind']}:{group['name']}" for group in model["groups"] if not group["estimable"]]
        expect(card["not_estimable"] == few, card["not_estimable"])
        shown.update(
            signed_by="p01",
            o_e=f"{figures['deciles'][0]['o_e']} … {figures['deciles'][-1]['o_e']}",
            **{name: figures["at"][name] for name in ("threshold", "ppv", "npv")},
            not_estimable=", ".join(few) or "–",
            warnings=len(card["warnings"]),
        )


def _apart(card: Json, auc: list[float]) -> bool:
    """The interval of the weakest subgroup excludes the AUC of the whole."""
    weakest = next(one for one in card["groups"] if f"{one['kind']}:{one['name']}" == card["weakest"])
    return bool(weakest["auc"][2] <= auc[0])  # both are rounded


async def verified(play: Play, study: str, trained: str, control: str | None = None) -> Json:
    """Asks for a verification of a task's model, with the controls of task `control`, and waits for its report."""
    pi, path = play.hand("a02", "pi"), f"/api/studies/{study}/verifications"
    wanted: Json = {"task": trained, "model": "model.onnx"}
    if control is not None:
        wanted["control"] = {"task": control, "file": "controls.zip"}
    begun = await pi.post(path, wanted)

    async def ended() -> Json | None:
        row: Json = await pi.get(f"{path}/{begun['id']}")
        return row if row["state"] != "running" else None

    return await play.until("the verification ends", ended, 300)


async def step_13(play: Play) -> None:
    """What may not leave is refused, each for its own reason; model and metrics pass two reviewers."""
    report, pi = play.report, play.hand("a02", "pi")
    forest = [*TRAIN, "--forest"]
    made = await run(
        play, play.study, task("forest", "train", forest, outputs=["model.onnx", "metrics.json", "table.csv"])
    )
    expect(made["state"] == "COMPLETE", ended_how(made))
    with report.refused(13, "forest") as shown:
        remembered = await verified(play, play.study, made["id"], play.kept["train"])
        reason(shown, remembered["findings"], "memorised")
    export = ["python3", "-I", "/code/export.py"]
    tried = ["patients.csv", "small.csv", "total.csv", "part.csv", "model.pickle"]
    made = await run(play, play.study, task("export", "export", export, outputs=tried))
    expect(made["state"] == "COMPLETE", ended_how(made))
    for key, files in (
        ("record-level", ["patients.csv"]),
        ("small-cell", ["small.csv"]),
        ("differencing", ["total.csv", "part.csv"]),
        ("pickle", ["model.pickle"]),
    ):
        with report.refused(13, key) as shown:
            asked = await pi.post(f"/api/studies/{play.study}/releases", {"task": made["id"], "files": files})
            findings = [one for file in asked["files"] for one in file["findings"]]
            reason(shown, findings, report.wanted(13, key))
    await _release(play, pi)
    with report.refused(12, "fourth"):
        for _ in range(2):
            await verified(play, play.study, play.kept["train"], play.kept["train"])


def reason(shown: Json, findings: list[Json], wanted: str) -> None:
    """Puts the finding with the code `wanted` into the row, or the first one that there is."""
    codes = {one["code"]: one for one in findings}
    found = codes.get(wanted) or next(iter(codes.values()), {"code": None})
    shown.update({name: found.get(name) for name in ("code", "rule", "needed", "seen")})
    if also := sorted(set(codes) - {wanted}):
        shown["also"] = also


async def _release(play: Play, pi: Hand) -> None:
    report, path = play.report, f"/api/studies/{play.study}/releases"
    asked = await pi.post(path, {"task": play.kept["train"], "files": ["model.onnx", "metrics.json"]})
    expect(asked["state"] == "review", {"state": asked["state"], "files": asked["files"]})
    review = f"/api/releases/{asked['id']}/reviews"
    verdict = {"verdict": "release", "reason": "표의 칸과 모델 시험 결과를 보았고 기준을 지킨다."}
    with report.refused(13, "requester"):
        await play.hand("p01", "pi").post(review, verdict)
    with report.refused(13, "same-organisation"):
        await play.hand("p01", "reviewer-3").post(review, verdict)
    with report.done(13, "release") as shown:
        for person in ("reviewer-1", "reviewer-2"):
            row = await play.hand("p01", person).post(review, verdict)
            if row["state"] == "released":
                break
        expect(row["state"] == "released", row["state"])
        content = await pi.download(f"{path}/{asked['id']}/files/model.onnx")
        shown.update(bytes=len(content), residual_bytes=row["residual_bytes"], reviews=len(row["reviews"]))
        play.kept["release"] = row
