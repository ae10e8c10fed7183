"""Verification, request, review, release: who may, what may, and what the ledger remembers."""

import copy
import json
from typing import Any

import pytest

from compute.egress.model import Release, Verification
from tests.unit.verification.test_verification_report import GOOD
from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import ended, submitted
from tests.unit.zone.world import STUDY, World

Json = dict[str, Any]
MODEL = b"\x08\x08\x12\x04dure" + b"weights as the task wrote them"
REENCODED = b"\x08\x08\x12\x04dure" + b"weights as the zone wrote them"
METRICS = json.dumps({"format": "dure-metrics-1", "metrics": {"auc": 0.8412}}).encode()
TABLE = b"sex,count\nM,120\nF,140\n"
VERDICT = {"verdict": "release", "reason": "nothing of a patient in it"}


def left(**files: bytes) -> Any:
    """What a task leaves: a training task these files, the zone's own code its report and model."""
    report = files.pop("report", json.dumps(GOOD).encode())

    def work(_inputs: Any, executors: list[list[str]]) -> dict[str, bytes]:
        if any("verify" in word for word in executors[0]):
            return {"report.json": report, "model.onnx": REENCODED}
        return {"model.onnx": MODEL, "metrics.json": METRICS, "table.csv": TABLE, **files}

    return work


async def trained(world: World, engine: Bare, **files: bytes) -> str:
    engine.work = left(**files)
    found = await ended(world, await submitted(world, engine))
    assert found["state"] == "COMPLETE"
    return str(found["id"])


async def verify(world: World, task: str) -> tuple[int, Any]:
    asked = {"task": task, "model": "model.onnx", "control": None, "threshold": 0.2, "intended_use": "card-use"}
    return await world.call("a02", "POST", f"/studies/{STUDY}/verifications", asked)


async def verified(world: World, task: str) -> Json:
    status, said = await verify(world, task)
    assert status == 201, said

    async def look() -> Json | None:
        found = (await world.call("a02", "GET", f"/verifications/{said['id']}"))[1]
        return found if found["state"] != "running" else None

    return dict(await world.eventually(look, "the verification"))


async def asked(world: World, task: str, *files: str, requester: str = "analyst") -> Json:
    body = {"study": STUDY, "task": task, "files": list(files), "requester": requester}
    status, said = await world.call("a02", "POST", "/releases", body)
    assert status == 201, said
    return dict(said)


async def reviewed(world: World, release: Json, person: str, **verdict: str) -> tuple[int, Any]:
    return await world.call(person, "POST", f"/api/releases/{release['id']}/reviews", {**VERDICT, **verdict})


def codes(release: Json, file: str) -> set[str]:
    return {one["code"] for found in release["files"] if found["name"] == file for one in found["findings"]}


async def test_only_the_zones_own_bytes_of_a_model_leave(both: World, engine: Bare) -> None:
    task = await trained(both, engine)
    before = await asked(both, task, "model.onnx")
    assert before["state"] == "refused"
    assert "not-verified" in codes(before, "model.onnx")
    report = await verified(both, task)
    assert report["state"] == "passed", report
    after = await asked(both, task, "model.onnx", "metrics.json")
    assert after["state"] == "review"
    assert {one["name"]: one["sha256"] for one in after["files"]}["model.onnx"] == report["sha256"]
    assert after["residual_bytes"] == GOOD["model"]["capacity_bytes"]


async def test_a_fourth_verification_is_refused(both: World, engine: Bare) -> None:
    task = await trained(both, engine)
    for _ in range(3):
        await verified(both, task)
    status, said = await verify(both, task)
    assert (status >= 400, said["code"]) == (True, "verify-limit")
    assert len(await both.rows(Verification)) == 3


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [("parts.in_both", 3, "overlap"), ("model.membership.1.auc", 0.96, "memorised"), ("more", 1, "report-broken")],
)
async def test_what_the_report_says_stands_against_the_model(
    both: World, engine: Bare, path: str, value: Any, code: str
) -> None:
    report: Json = copy.deepcopy(GOOD)
    *names, last = path.split(".")
    at: Any = report
    for name in names:
        at = at[name]
    at[last] = value
    task = await trained(both, engine, report=json.dumps(report).encode())
    found = await verified(both, task)
    assert found["state"] == "failed"
    assert code in {one["code"] for one in found["findings"]} | {found["code"]}
    release = await asked(both, task, "model.onnx")
    assert release["state"] == "refused"


async def test_a_refused_file_stays_and_the_others_go_to_review(both: World, engine: Bare) -> None:
    people = "age,sex,outcome\n" + "".join(f"{35 + number},M,{number % 2}\n" for number in range(30))
    task = await trained(both, engine, **{"metrics.json": METRICS, "table.csv": people.encode()})
    release = await asked(both, task, "metrics.json", "table.csv")
    assert release["state"] == "review"
    assert {one["name"]: one["state"] for one in release["files"]} == {"metrics.json": "review", "table.csv": "refused"}
    assert "record-level" in codes(release, "table.csv")
    noted = await both.journal("file-refused")
    assert [row.code for row in noted] == ["record-level"]


async def test_two_appointed_strangers_release_and_the_company_gets_a_receipt(both: World, engine: Bare) -> None:
    release = await asked(both, await trained(both, engine), "metrics.json")
    status, said = await reviewed(both, release, "reviewer-1")
    assert (status, said["state"]) == (201, "review")
    status, said = await both.call("a02", "GET", f"/releases/{release['id']}/files/metrics.json")
    assert (status, said["code"]) == (409, "not-released")
    assert (await reviewed(both, release, "reviewer-1"))[1]["code"] == "review-twice"
    status, said = await reviewed(both, release, "reviewer-3")
    assert (status, said["state"]) == (201, "released")
    assert (await reviewed(both, release, "reviewer-3"))[1]["code"] == "review-over"
    subject = (await both.authored("release"))[0].envelope["body"]["subject"]
    assert [one["name"] for one in subject["files"]] == ["metrics.json"]
    assert subject["reviews"] == 1
    assert (await both.call("a03", "GET", f"/releases/{release['id']}"))[1]["code"] == "not-found"
    assert (await both.call("a03", "GET", f"/releases/{release['id']}/files/metrics.json"))[1]["code"] == "not-found"


@pytest.mark.parametrize(
    ("person", "requester", "code"),
    [
        ("operator", "analyst", "duty-missing"),
        ("reviewer-2", "analyst", "same-organisation"),
        ("reviewer-1", "reviewer-1", "requester-reviews"),
    ],
)
async def test_who_asked_or_belongs_to_who_asked_does_not_review(
    both: World, engine: Bare, person: str, requester: str, code: str
) -> None:
    release = await asked(both, await trained(both, engine), "metrics.json", requester=requester)
    status, said = await reviewed(both, release, person)
    assert (status >= 400, said["code"]) == (True, code)
    assert (await both.rows(Release))[0].state == "review"


async def test_a_reviewer_whom_the_operator_no_longer_appoints_decides_nothing(
    both: World, engine: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await asked(both, await trained(both, engine), "metrics.json")
    monkeypatch.setattr("tests.unit.zone.world.REVIEWERS", {"reviewer-3": "환자권리연대"})
    await both.standing()
    assert (await reviewed(both, release, "reviewer-1"))[1]["code"] == "not-appointed"


async def test_a_refusal_ends_the_request_with_its_reason(both: World, engine: Bare) -> None:
    release = await asked(both, await trained(both, engine), "metrics.json")
    status, said = await reviewed(both, release, "reviewer-1", verdict="refuse", reason="too fine")
    assert (status, said["state"]) == (201, "rejected")
    assert said["reviews"][0]["reason"] == "too fine"
    assert await both.authored("release") == []


async def test_a_release_meanwhile_is_remembered_by_the_ledger(both: World, engine: Bare) -> None:
    """Two requests, each harmless when it was asked; together they give away a group of six."""
    total = b"age,sex,count\n40,M,26\n"
    part = b"age,sex,hospital,count\n40,M,h01,20\n"
    first = await asked(both, await trained(both, engine, **{"table.csv": total}), "table.csv")
    second = await asked(both, await trained(both, engine, **{"table.csv": part}), "table.csv")
    assert first["state"] == second["state"] == "review"
    for person in ("reviewer-1", "reviewer-3"):
        assert (await reviewed(both, first, person))[0] == 201
    status, said = await reviewed(both, second, "reviewer-1")
    assert (status >= 400, said["code"]) == (True, "differencing")


async def test_in_one_request_the_pair_is_seen_at_once(both: World, engine: Bare) -> None:
    files = {"total.csv": b"age,sex,count\n40,M,26\n", "metrics.json": b"age,sex,hospital,count\n40,M,h01,20\n"}
    engine.work = left(**{"table.csv": files["total.csv"], "metrics.json": files["metrics.json"]})
    task = str((await ended(both, await submitted(both, engine)))["id"])
    release = await asked(both, task, "table.csv", "metrics.json")
    assert "differencing" in codes(release, "table.csv") | codes(release, "metrics.json")


async def test_what_a_task_never_left_cannot_be_asked_for(both: World, engine: Bare) -> None:
    task = await trained(both, engine)
    body = {"study": STUDY, "task": task, "files": ["other.csv"], "requester": "analyst"}
    assert (await both.call("a02", "POST", "/releases", body))[1]["code"] == "not-found"
    assert (await both.call("a03", "POST", "/releases", {**body, "files": ["metrics.json"]}))[1]["code"] == "not-found"


async def test_nothing_is_released_after_the_hospital_stopped(both: World, engine: Bare) -> None:
    release = await asked(both, await trained(both, engine), "metrics.json")
    hospital = both.hospitals["h01"]
    stop = {"agreement": hospital.agreement, "snapshot": hospital.snapshot, "reason": "a complaint"}
    assert (await both.call("h01", "POST", f"/studies/{STUDY}/stop", stop))[0] == 202
    status, said = await reviewed(both, release, "reviewer-1")
    assert (status >= 400, said["code"]) == (True, "provider-stopped")
