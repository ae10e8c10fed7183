"""Tasks at the zone: submitted, run on keys that hospitals released, stopped, found dead; each ends once."""

from tests.unit.zone.engines import Bare
from tests.unit.zone.tasks import ended, submitted
from tests.unit.zone.world import World


async def test_a_task_runs_on_what_the_hospitals_gave_keys_for(both: World, engine: Bare) -> None:
    seen: dict[str, bytes] = {}

    def work(inputs, executors):  # type: ignore[no-untyped-def]
        seen.update(inputs)
        return {"metrics.json": b"{}", "undeclared.txt": b"x"}

    engine.work = work
    found = await ended(both, await submitted(both, engine))
    assert found["state"] == "COMPLETE", found
    assert seen["h01.train.parquet"] == b"train of h01"
    assert seen["train.py"] == b"print('train')\n"
    log = found["logs"][0]
    assert [one["path"] for one in log["outputs"]] == ["/out/metrics.json"]
    assert "undeclared outputs: 1" in log["system_logs"]
