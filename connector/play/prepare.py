"""Steps 1 to 3: hospitals prepare and publish, companies search."""

import asyncio
from importlib import import_module
from typing import Any

from connector.play import cast
from connector.play.hands import expect
from connector.play.stage import Play
from connector.sources.profile import KR_MED_1
from vocab import terms

Json = dict[str, Any]


async def step_1(play: Play) -> None:
    """De-identification on trial, in the hospitals' own zones."""
    report = play.report
    for node, dataset in cast.DATASETS.items():
        steward = play.hand(node, "steward")
        await steward.post("/api/sources", {"dataset": dataset, "file": "source.sqlite"})
        before = _files(play, node)
        with report.done(1, f"trial-{node}") as shown:
            trial = (await steward.post("/api/trials", {"dataset": dataset}))["result"]
            expect(trial["k"] >= 5, trial["k"])
            expect(trial["within_limit"], trial["suppressed_percent"])
            refused = [one for one in trial["lattice"] if one["verdict"] == "refused"]
            expect(refused, "no rung refused")
            expect(trial["quasi_identifiers"] == ["age", "sex", "residence", "index_year"], trial["quasi_identifiers"])
            age = next(one for one in trial["coded"] if one["column"] == "age")
            shown.update(
                patients=trial["patients"],
                quasi_identifiers=" x ".join(trial["quasi_identifiers"]),
                k=trial["k"],
                suppressed=f"{trial['suppressed_percent']} %",
                unique=f"{trial['unique_percent']} %",
                coded=len(trial["coded"]),
                age=f"<{age['bottom'] + 5} … {age['top']}+",
                all_event_classes=trial["all_event_classes"],
            )
            play.kept[f"trial-{node}"] = trial
        with report.done(1, f"rungs-{node}") as shown:
            for name, finer in (("sido", {"residence": "sido"}), ("exact_age", {"age": "exact"})):
                rungs = {"age": "5-year", "residence": "catchment", "index_year": "1-year", **finer}
                one = next(one for one in trial["lattice"] if rungs.items() <= one.items())
                expect(one["verdict"] == "refused", one)
                shown[name] = f"{one['suppressed_percent']} %"
            shown["refused"] = f"{len(refused)}/{len(trial['lattice'])}"
        if node == "h01":
            with report.done(1, "same-digest") as shown:
                again = (await steward.post("/api/trials", {"dataset": dataset}))["result"]
                expect(again["digest"] == trial["digest"], "another digest")
                shown["digest"] = again["digest"][:16]
            with report.done(1, "nothing-kept"):
                expect(_files(play, node) == before, sorted(_files(play, node) - before))
            await _bad_profiles(play, dataset)


async def _bad_profiles(play: Play, dataset: str) -> None:
    steward, good = play.hand("h01", "steward"), KR_MED_1.document()
    without_k = {name: value for name, value in good.items() if name != "k"}
    for key, profile in (
        ("free-text", {**good, "rungs": {**good["rungs"], "note": "as-is"}}),
        ("plain-hash", {**good, "pseudonym": "sha256"}),
        ("without-k", without_k),
    ):
        with play.report.refused(1, key):
            await steward.post("/api/trials", {"dataset": dataset, "profile": profile})


def _files(play: Play, node: str) -> set[str]:
    """What lies in the hospital's folder, its database aside."""
    folder = play.space.folder / node
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("node.sqlite")
    }


async def step_2(play: Play) -> None:
    """Descriptions and offers."""
    report, steward = play.report, play.hand("h01", "steward")
    good = cast.description(play.space, "h01", _rounded(play, "h01"))
    with report.refused(2, "without-legal-basis"):
        await steward.post("/api/datasets", {**good, "legal_basis": []})
    with report.refused(2, "raw-count"):
        await steward.post("/api/datasets", {**good, "patients": 19_314})
    for node, dataset in cast.DATASETS.items():
        person = play.hand(node, "steward")
        with report.done(2, f"publish-{node}") as shown:
            await person.post("/api/datasets", cast.description(play.space, node, _rounded(play, node)))
            published = await person.post(f"/api/datasets/{dataset}/offers", cast.offer(play.space, node))
            shown.update(dataset=dataset, offer=published["id"])
    with report.done(2, "publish-lab"):
        said, rules = cast.laboratory(play.space, 40)
        await play.hand("h03", "steward").post("/api/datasets", said)
        await play.hand("h03", "steward").post(f"/api/datasets/{cast.VETOED}/offers", rules)
    with report.done(2, "conform") as shown:
        places = [*cast.DATASETS.items(), ("h03", cast.VETOED)]
        rows = [await play.hand(node, "steward").get(f"/api/datasets/{one}") for node, one in places]
        published = [row["description"] for row in rows]
        check = import_module("vocab.shapes.check")  # 1 s and 60 MB, which the hospitals of this process have paid
        found = await asyncio.to_thread(check.violations, published)
        expect(not found, found)
        counts = [count for one in published for count in _counts(one)]
        expect(counts and not [count for count in counts if count % 10], counts)
        shown.update(merged=len(published), violations=len(found), counts=counts)
    path = f"/api/datasets/{cast.DATASETS['h01']}/offers"
    with report.refused(2, "without-gate"):
        await steward.post(path, _with(play, "http://www.w3.org/ns/odrl/2/fileFormat", "eq", "text/csv"))
    with report.refused(2, "unsatisfiable"):
        await steward.post(path, _with(play, terms.SPATIAL, "eq", "JP"))


def _counts(node: Json) -> list[int]:
    """Every number of people or records that a description publishes."""
    names = [name for name in node if name.rpartition("#")[2].startswith("numberOf")]
    return [int(value["@value"]) for name in names for value in node[name]]


def _rounded(play: Play, node: str) -> int:
    patients: int = play.kept[f"trial-{node}"]["eligible"]
    return round(patients / 10) * 10


def _with(play: Play, left: str, operator: str, right: str) -> Json:
    """The good offer with one clause more."""
    offer = cast.offer(play.space, "h01")
    offer["@id"] = "offer-bad"
    offer["permission"][0]["constraint"].append({"leftOperand": left, "operator": operator, "rightOperand": right})
    return offer


async def step_3(play: Play) -> None:
    """A02 may apply; A03 is told why it may not."""
    with play.report.done(3, "search") as shown:
        found = await play.hand("a02", "pi").get("/api/search", q="당뇨 신장 예측", commercial=True)
        rows = found["rows"]
        may = {row["dataset"] for row in rows if row["outcome"] == "may-apply"}
        expect(may >= set(cast.DATASETS.values()), found)
        expect({row["outcome"] for row in rows} <= {"may-apply", "withheld"}, rows)  # never: allowed
        shown["may_apply"] = ", ".join(sorted(may))
    with play.report.refused(3, "non-commercial") as shown:
        closed = next(row for row in rows if row["dataset"] == cast.VETOED)
        shown.update(code=closed.get("code"), needed=closed.get("needed"), seen=closed.get("seen"))
    with play.report.refused(3, "a03") as shown:
        rows = (await play.hand("a03", "pi").get("/api/search", q="당뇨 신장"))["rows"]
        withheld = next(row for row in rows if row["dataset"] == cast.DATASETS["h01"])
        expect(withheld["outcome"] == "withheld", withheld)
        shown.update(code=withheld["code"], needed=withheld.get("needed"), seen=withheld.get("seen"))
    with play.report.done(3, "hospital-sees") as shown:
        entry = await play.until("H01 sees whom it turned away", lambda: _turned_away(play))
        shown.update(by="a03", reason=entry["code"], link=f"{play.space.nodes['h01'].url}/why/{entry['id']}")


async def _turned_away(play: Play) -> Json | None:
    """H01's own note of what A03 was not offered."""
    steward, after = play.hand("h01", "steward"), 0
    while rows := await steward.get("/api/journal", after=after, limit=500):
        for row in rows:
            if row["by"] == play.did("a03") and row.get("code") == "disease-outside-offer":
                return dict(row)
        after = rows[-1]["id"]
    return None
