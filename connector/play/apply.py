"""Steps 6 and 7: A02 applies, the shared board deliberates."""

import time
from importlib.resources import files
from typing import Any, Final

from connector.play import cast
from connector.play.hands import Hand, expect
from connector.play.proofs import recounted
from connector.play.stage import Play
from vocab.records.code import code_digest
from vocab.words import word

Json = dict[str, Any]

#: The scripts that A02 brings; each set of files is one code digest on the permit.
CODES: Final = {"train": ("train.py",), "export": ("train.py", "export.py"), "probe": ("probe.py",)}
#: How each member votes in the play, with its reason.
REASONS: Final = {
    "chair": "연구 목적이 제28조의2의 과학적 연구에 해당하고 항목이 질문에 필요한 범위다.",
    "member-1": "이용 기간과 파기 의무가 분명하다.",
    "member-2": "환자에게 돌아올 이익이 있고 재식별 금지가 지켜질 구조다.",
    "member-3": "변수마다 기준일 이전의 시간 창이 정해져 있다.",
}


def code(name: str) -> dict[str, str]:
    """The files of one of A02's programs."""
    folder = files("connector.play").joinpath("study")
    return {file: folder.joinpath(file).read_text("utf-8") for file in CODES[name]}


def digest(name: str) -> str:
    """The code digest that the permit has to name."""
    return code_digest({file: text.encode() for file, text in code(name).items()})


async def whole_plan(play: Play, **changed: Any) -> Json:
    """A02's plan with the zone's image and all three programs."""
    zones = await play.hand("a02", "pi").get("/api/zones")
    image = next(one["images"][0]["digest"] for one in zones if one["did"] == play.did("p01"))
    plan = cast.plan(play.space, now=round(time.time() * 1000), code_digest=digest("train"), image_digest=image)
    plan["code_digests"] = [digest(name) for name in CODES]
    plan["datasets"].append({"id": cast.VETOED, "provider": play.did("h03"), "columns": ["hba1c"]})
    return {**plan, **changed}


async def step_6(play: Play) -> None:
    """Delegation, refused applications, the complete one."""
    report, pi, now = play.report, play.hand("a02", "pi"), round(time.time() * 1000)
    with report.done(6, "delegate"):
        for node, datasets in (("h01", [cast.DATASETS["h01"]]), ("h03", [cast.DATASETS["h03"], cast.VETOED])):
            wanted = {"datasets": datasets, "until": now + 365 * cast.DAY_MS}
            await play.hand(node, "steward").post("/api/delegations", wanted)
    plan = await whole_plan(play)
    foreign = [*plan["datasets"], {"id": cast.UNDELEGATED, "provider": play.did("h03"), "columns": ["hba1c"]}]
    draft = await pi.post("/api/studies", {"title": plan["title"], "plan": plan})
    for key, broken in (
        ("attestation", {**plan, "attestations": plan["attestations"][1:]}),
        ("irb-missing", {**plan, "irb": None}),
        ("irb-expired", {**plan, "irb": cast.irb(now + cast.DAY_MS)}),
        ("not-delegated", {**plan, "datasets": foreign}),
    ):
        with report.refused(6, key):
            await _corrected(pi, draft["id"], broken)
    with report.done(6, "apply") as shown:
        study = await _corrected(pi, draft["id"], plan)
        play.study = study["id"]
        play.remember()
        shown.update(study=play.study, datasets=len(plan["datasets"]), columns=len(cast.S1_COLUMNS))
    with report.done(6, "deadline") as shown:
        row = await play.hand("op", "secretary").get(f"/api/applications/{play.study}")
        left = row["deadline_at"] - row["submitted_at"]
        expect(row["state"] == "pre-screen" and left > 0, row["state"])
        shown.update(state=row["state"], days=round(left / cast.DAY_MS, 1))


async def _corrected(pi: Hand, study: str, plan: Json) -> Json:
    """The draft with this plan, handed in."""
    await pi.patch(f"/api/studies/{study}", {"plan": plan})
    applied: Json = await pi.post(f"/api/studies/{study}/apply")
    return applied


async def step_7(play: Play) -> None:
    """The board: pre-screen, one recused, four of four yes, a veto kept out of the permit."""
    report, path = play.report, f"/api/applications/{play.study}"
    chair = play.hand("op", "chair")
    with report.done(7, "prescreen"):
        await play.hand("op", "secretary").post(f"{path}/prescreen", {"complete": True, "reason": "서류가 모두 있다."})
    await play.hand("h03", "steward").post(
        "/api/vetoes",
        {"application": play.study, "dataset": cast.VETOED, "reason": word("play.veto-reason", report.lang)},
    )
    with report.refused(7, "recused"):
        await play.hand("op", "member-4").post(f"{path}/votes", {"vote": "yes", "reason": "찬성한다."})
    with report.done(7, "vote") as shown:
        for member, reason in REASONS.items():
            await play.hand("op", member).post(f"{path}/votes", {"vote": "yes", "reason": reason})
        shown["votes"] = len(REASONS)
    with report.refused(7, "twice"):
        await play.hand("op", "member-1").post(f"{path}/votes", {"vote": "no", "reason": "다시 생각했다."})
    with report.done(7, "decide") as shown:
        decided = await chair.post(f"{path}/decide")
        expect(decided["outcome"] == "approved", decided)
        body = decided["decision"]["body"]
        numbers = body["arithmetic"]
        shown.update(yes=f"{numbers['yes']}/{numbers['cast']} (>= {numbers['needed']})")
        shown.update(present=f"{numbers['present']}/{numbers['seated']} (>= {numbers['quorum']})")
        shown.update(external=numbers["external"], recused=numbers["recused"], permit=decided["permit"]["id"])
    with report.done(7, "recount") as shown:
        permit = await play.until("the permit reaches A02", lambda: permit_of(play, play.study))
        numbers = await recounted(play, permit["decision"])
        expect(all(one["columns"] == list(cast.S1_COLUMNS) for one in permit["permit"]["datasets"]), permit["permit"])
        shown.update(numbers, signatures=1 + numbers["cast"], columns=len(cast.S1_COLUMNS))
    with report.refused(7, "veto") as shown:
        expect([one["dataset"] for one in body["vetoed"]] == [cast.VETOED], body["vetoed"])
        expect({one["id"] for one in permit["permit"]["datasets"]} == set(cast.DATASETS.values()), permit)
        play.kept["permit"] = permit
        shown.update(code="veto", dataset=cast.VETOED, why=body["vetoed"][0]["why"])


async def permit_of(play: Play, study: str, node: str = "a02", person: str = "pi") -> Json | None:
    """The permit of `study` as a node holds it."""
    rows = await play.hand(node, person).get("/api/permits", limit=500)
    return next((row for row in rows if row["study"] == study), None)


async def approved(play: Play, title: str, node: str, period_ms: int) -> str:
    """A further study of A02 on the dataset of one hospital, approved by the same board in the same way."""
    plan = await whole_plan(play, period_ms=period_ms, risk="low", outcome_reward=0, title=title)
    plan["datasets"] = [one for one in plan["datasets"] if one["id"] == cast.DATASETS[node]]
    pi = play.hand("a02", "pi")
    study: str = (await pi.post("/api/studies", {"title": plan["title"], "plan": plan}))["id"]
    await pi.post(f"/api/studies/{study}/apply")
    path = f"/api/applications/{study}"
    await play.hand("op", "secretary").post(f"{path}/prescreen", {"complete": True, "reason": "서류가 모두 있다."})
    for member, reason in REASONS.items():
        await play.hand("op", member).post(f"{path}/votes", {"vote": "yes", "reason": reason})
    await play.hand("op", "chair").post(f"{path}/decide")
    await play.until("the permit reaches A02", lambda: permit_of(play, study))
    return study
