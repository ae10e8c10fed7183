"""GA4GH TES 1.1 at the zone: views, pages, filters, cancel, strangers, and what no task may be."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.engines.model import Capabilities
from compute.tasks.profile import read
from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import TES, ended, submitted, task
from tests.unit.zone.world import PERMIT, STUDY, World
from vocab.errors import Refusal

Json = dict[str, Any]
ABLE = Capabilities("full", "", 4, 8192, 3600, 1)


async def test_service_info_names_tes(both: World) -> None:
    status, said = await both.call("a02", "GET", f"{TES}/service-info")
    assert (status, said["type"]) == (200, {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"})
    assert said["tesResources_backend_parameters"] == ["max_seconds"]


async def test_each_view_shows_what_tes_says(both: World, engine: Bare) -> None:
    engine.work = lambda *_: {"metrics.json": b"{}"}
    found = await submitted(both, engine)
    await ended(both, found)
    minimal, basic, full = [await task(both, found, view) for view in ("MINIMAL", "BASIC", "FULL")]
    assert minimal == {"id": found, "state": "COMPLETE"}
    assert "content" not in basic["inputs"][0]
    assert "system_logs" not in basic["logs"][0]
    assert full["inputs"][0]["content"] == "print('train')\n"
    assert full["logs"][0]["logs"][0]["exit_code"] == 0
    assert full["logs"][0]["outputs"][0]["size_bytes"] == "2"
    assert full["creation_time"].endswith("Z")
    assert full["tags"] == {"study": STUDY, "permit": PERMIT}
    assert (await both.call("a02", "GET", f"{TES}/tasks/{found}?view=WHOLE"))[0] == 422


async def test_what_the_client_says_of_state_and_logs_is_not_taken(both: World, engine: Bare) -> None:
    found = await submitted(both, engine, state="COMPLETE", id="mine", logs=[{"outputs": []}], creation_time="then")
    said = await task(both, found)
    assert said["id"] == found != "mine"
    assert said["creation_time"] != "then"


async def test_pages_follow_one_another_newest_first(both: World, engine: Bare) -> None:
    ids = [await submitted(both, engine, name=f"run-{number}") for number in range(5)]
    seen: list[str] = []
    query = "page_size=2"
    for _ in range(5):
        status, said = await both.call("a02", "GET", f"{TES}/tasks?{query}")
        assert status == 200
        seen += [one["id"] for one in said["tasks"]]
        if "next_page_token" not in said:
            break
        query = f"page_size=2&page_token={said['next_page_token']}"
    assert seen == ids[::-1]
    status, said = await both.call("a02", "GET", f"{TES}/tasks?name_prefix=run-3&tag_key=study&tag_value={STUDY}")
    assert [one["id"] for one in said["tasks"]] == [ids[3]]
    for query in ("tag_key=study&tag_value=other", "tag_key=other&tag_value=", "name_prefix=x", "state=PAUSED"):
        assert (await both.call("a02", "GET", f"{TES}/tasks?{query}"))[1] == {"tasks": []}
    for query in ("page_size=0", "page_size=5000", "page_token=x", "page_token=-1", "state=DONE", "view=x"):
        assert (await both.call("a02", "GET", f"{TES}/tasks?{query}"))[0] in (400, 422)


async def test_another_organisation_finds_no_task(both: World, engine: Bare) -> None:
    found = await submitted(both, engine)
    for method, path in (("GET", found), ("GET", f"{found}?view=FULL"), ("POST", f"{found}:cancel")):
        status, said = await both.call("a03", method, f"{TES}/tasks/{path}", {} if method == "POST" else None)
        assert (status, said["code"]) == (404, "not-found")
    assert (await both.call("a03", "GET", f"{TES}/tasks"))[1] == {"tasks": []}
    assert (await both.call("a02", "GET", f"{TES}/tasks/none"))[0] == 404


async def test_cancelling_what_has_ended_changes_nothing(both: World, engine: Bare) -> None:
    found = await submitted(both, engine)
    await ended(both, found)
    assert (await both.call("a02", "POST", f"{TES}/tasks/{found}:cancel", {}))[0] == 200
    assert (await task(both, found))["state"] == "COMPLETE"


@pytest.mark.parametrize("body", [[], "x", 3, None])
async def test_what_is_no_object_is_refused(both: World, body: Any) -> None:
    assert (await both.call("a02", "POST", f"{TES}/tasks", body))[0] == 422


def base() -> Json:
    return {
        "inputs": [
            {"path": "/code/train.py", "content": "pass"},
            {"url": "dsp://agreement/a-1/train", "path": "/in/h01.train.parquet"},
        ],
        "outputs": [{"path": "/out/model.onnx", "url": "dure:held"}],
        "executors": [{"image": "dure-task@sha256:" + "ab" * 32, "command": ["python3", "/code/train.py"]}],
        "tags": {"study": STUDY, "permit": PERMIT},
    }


def changed(path: str, value: Any) -> Json:
    found = base()
    *steps, last = path.split(".")
    at: Any = found
    for step in steps:
        at = at[int(step)] if step.isdecimal() else at.setdefault(step, {})
    at[int(last) if last.isdecimal() else last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("executors.0.image", "dure-task:latest"),
        ("executors.0.image", "dure-task@sha256:short"),
        ("executors.0.command", []),
        ("executors.0.command", "python3"),
        ("executors", []),
        ("executors", [base()["executors"][0]] * 5),
        ("executors.0.stdout", "/out/log"),
        ("executors.0.workdir", "/etc"),
        ("executors.0.ignore_error", True),
        ("inputs.1.url", "https://example.org/x"),
        ("inputs.1.url", "file:///etc/passwd"),
        ("inputs.1.url", "dsp://agreement/a-1/everything"),
        ("inputs.1.path", "/in/../etc/x"),
        ("inputs.1.path", "/code/h01"),
        ("inputs.1.type", "DIRECTORY"),
        ("inputs.0.path", "/in/train.py"),
        ("inputs.0.content", "x" * (600 * 1024)),
        ("inputs", []),
        ("outputs", []),
        ("outputs.0.url", "https://example.org/out"),
        ("outputs.0.path", "/tmp/model"),
        ("outputs.0.path", "/out/../in/x"),
        ("volumes", ["/data"]),
        ("tags", {}),
        ("tags", {"study": STUDY}),
        ("resources.cpu_cores", 99),
        ("resources.cpu_cores", "2"),
        ("resources.ram_gb", 1e9),
        ("resources.preemptible", True),
        ("resources.backend_parameters", {"max_seconds": "-1"}),
        ("resources.backend_parameters", {"max_seconds": "99999"}),
        ("resources.backend_parameters", {"gpu": "1"}),
    ],
)
def test_what_lies_outside_the_profile_is_named(path: str, value: Any) -> None:
    read(base(), ABLE)
    with pytest.raises(Refusal) as refused:
        read(changed(path, value), ABLE)
    assert refused.value.code == "task-outside-profile"
    assert refused.value.status == 400


def test_members_of_tes_that_mean_nothing_here_are_kept_and_harmless() -> None:
    assert read({**base(), "x-vendor": {"a": 1}, "description": "d"}, ABLE) == read(base(), ABLE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["inputs", "inputs.0", "inputs.1.url", "outputs", "outputs.0.path", "executors.0", "executors.0.env"]
PLACES += ["tags", "tags.study", "resources", "resources.ram_gb", "resources.backend_parameters", "name"]


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PLACES), value=JSON)
def test_nothing_hostile_gets_past_the_profile_but_as_a_refusal(path: str, value: Any) -> None:
    codes = set()
    try:
        read(changed(path, value), ABLE)
    except Refusal as refusal:
        codes.add(refusal.code)
    assert codes <= {"task-outside-profile"}
