"""What A02 does at the zone in these tests."""

from typing import Any

from tests.unit.zone.engines import Bare
from tests.unit.zone.world import PERMIT, STUDY, World

Json = dict[str, Any]
CODE = {"train.py": b"print('train')\n"}
TES = "/ga4gh/tes/v1"


def document(world: World, engine: Bare, **changed: Any) -> Json:
    """A training task on both hospitals' train parts."""
    inputs = [{"path": f"/code/{name}", "content": content.decode()} for name, content in CODE.items()]
    inputs += [
        {"url": f"dsp://agreement/{one.agreement}/train", "path": f"/in/{one.name}.train.parquet"}
        for one in world.hospitals.values()
    ]
    return {
        "name": "train",
        "inputs": inputs,
        "outputs": [
            {"path": f"/out/{name}", "url": "dure:held"} for name in ("model.onnx", "metrics.json", "table.csv")
        ],
        "executors": [{"image": f"dure-task@{engine.image.digest}", "command": ["python3", "/code/train.py"]}],
        "resources": {"cpu_cores": 2, "ram_gb": 1.0, "backend_parameters": {"max_seconds": "60"}},
        "tags": {"study": STUDY, "permit": PERMIT},
        **changed,
    }


async def submitted(world: World, engine: Bare, **changed: Any) -> str:
    status, said = await world.call("a02", "POST", f"{TES}/tasks", document(world, engine, **changed))
    assert status == 200, said
    return str(said["id"])


async def task(world: World, task_id: str, view: str = "FULL") -> Json:
    status, said = await world.call("a02", "GET", f"{TES}/tasks/{task_id}?view={view}")
    assert status == 200, said
    return dict(said)


async def ended(world: World, task_id: str) -> Json:
    """The task once it has ended."""

    async def look() -> Json | None:
        found = await task(world, task_id)
        done = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"}
        return found if found["state"] in done else None

    return dict(await world.eventually(look, f"the end of {task_id}"))


async def in_state(world: World, task_id: str, state: str) -> None:
    async def look() -> bool:
        return bool((await task(world, task_id, "MINIMAL"))["state"] == state)

    await world.eventually(look, f"{task_id} {state}")
