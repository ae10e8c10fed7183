"""One small study through real nodes: a few hundred patients, one program that only counts. Each step is a function, so
that a test can break something between any two of them.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, select

from compute.engines.service import Engines
from connector.evidence.model import Entry
from connector.kit.db import Store
from connector.kit.outbox import waiting
from connector.play import cast
from connector.play.apply import REASONS, permit_of
from connector.play.hands import Late
from connector.sources.cohort import make_source
from tests.conftest import need
from tests.flows.evidence import unfinished
from tests.space import Space, eventually
from vocab.records.code import code_digest

Json = dict[str, Any]

ALL: Final = ("op", "h01", "h03", "a02", "a03", "p01")
PATIENTS: Final = 500
STEPS: Final = (
    "published",
    "applied",
    "decided",
    "cut",
    "agreed",
    "staged",
    "counted",
    "released",
    "closed",
    "settled",
)
ENDED: Final = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"}

#: What the study runs: looks for its two files, or waits until somebody ends it.
COUNT: Final = {
    "count.py": "import json, pathlib\n"
    "parts = [one.stat().st_size for one in pathlib.Path('/in').iterdir()]\n"
    "assert len(parts) == 2 and all(parts), parts\n"
    "metrics = {'format': 'dure-metrics-1', 'metrics': {'inner_auc': 0.75}}\n"
    "pathlib.Path('/out/metrics.json').write_text(json.dumps(metrics))\n"
}
WAIT: Final = {"wait.py": "import time\ntime.sleep(300)\n"}


@contextlib.asynccontextmanager
async def opened(
    folder: Path, databases: Mapping[str, str] | None = None, names: Iterable[str] = ALL
) -> AsyncIterator["Small"]:
    """The nodes of the demonstration with small sources, joined."""
    async with Space(folder, [], databases=databases) as space:
        for name, hospital in (("h01", "H01"), ("h03", "H03")):
            make_source(folder / name / "source.sqlite", hospital, PATIENTS, seed=1)
        space.names = list(names)
        for name in space.names:
            await space.start(name)
        await space.join()
        yield Small(space)


class Small:
    """The study under way."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.study = ""
        self.permit = ""
        self.ran = ""

    def did(self, name: str) -> str:
        """A node's DID."""
        return self.space.space.nodes[name].did

    def hand(self, name: str, person: str) -> Any:
        """A person."""
        return self.space.hand(name, person)

    @property
    def walls(self) -> bool:
        """Whether tasks can run on this machine."""
        engine = self.space.nodes["p01"].runtime.get(Engines).engine
        return engine is not None and engine.capabilities.level != "none"

    def need_walls(self) -> None:
        """Skips where no walls can be put up."""
        need(self.walls, "apt-get install bubblewrap")

    async def published(self) -> None:
        """Both hospitals connect their source, describe their dataset and offer it."""
        for node, dataset in cast.DATASETS.items():
            steward = self.hand(node, "steward")
            await steward.post("/api/sources", {"dataset": dataset, "file": "source.sqlite"})
            await steward.post("/api/datasets", cast.description(self.space.space, node, PATIENTS))
            await steward.post(f"/api/datasets/{dataset}/offers", cast.offer(self.space.space, node))
            until = self.space.clock.now() + 365 * cast.DAY_MS
            await steward.post("/api/delegations", {"datasets": [dataset], "until": until})

    async def plan(self, **changed: Any) -> Json:
        """A02's plan: one program that counts, one that waits."""
        pi = self.hand("a02", "pi")
        image = "sha256:" + "0" * 64
        if self.walls:
            zones = await pi.get("/api/zones")
            image = zones[0]["images"][0]["digest"]
        made = cast.plan(self.space.space, now=self.space.clock.now(), code_digest="", image_digest=image, **changed)
        codes = [{name: text.encode() for name, text in one.items()} for one in (COUNT, WAIT)]
        return {**made, "code_digests": [code_digest(one) for one in codes]}

    async def applied(self, **changed: Any) -> None:
        """A02 applies with its complete plan."""
        pi, plan = self.hand("a02", "pi"), await self.plan(**changed)
        self.study = (await pi.post("/api/studies", {"title": plan["title"], "plan": plan}))["id"]
        await pi.post(f"/api/studies/{self.study}/apply")

    async def decided(self) -> None:
        """The board approves; the permit reaches everybody whom it names."""
        path = f"/api/applications/{self.study}"
        await self.hand("op", "secretary").post(f"{path}/prescreen", {"complete": True, "reason": "서류가 모두 있다."})
        for member, reason in REASONS.items():
            await self.hand("op", member).post(f"{path}/votes", {"vote": "yes", "reason": reason})
        await self.hand("op", "chair").post(f"{path}/decide")
        for node, person in (("a02", "pi"), ("h01", "steward"), ("h03", "steward"), ("p01", "operator")):
            if node in self.space.nodes:
                found = await eventually(partial(permit_of, self, self.study, node, person), f"the permit at {node}")
                self.permit = found["id"]

    async def cut(self) -> None:
        """Both hospitals cut the study's snapshot; a second person accepts."""
        for node, dataset in cast.DATASETS.items():
            await self.hand(node, "keykeeper").post(f"/api/studies/{self.study}/pseudonym-key")
            wanted = {"study": self.study, "dataset": dataset}
            made = await self.hand(node, "steward").post("/api/snapshots", wanted)
            await self.hand(node, "acceptor").post(f"/api/snapshots/{made['id']}/accept")

    async def agreements(self) -> list[Json]:
        """The study's agreements as A02 has them."""
        found: list[Json] = await self.hand("a02", "pi").get("/api/agreements", study=self.study)
        return found

    async def agreed(self) -> None:
        """Both agreements are final, signed by both sides and proven."""
        await self.hand("a02", "pi").post(f"/api/studies/{self.study}/negotiate")

        async def proven() -> bool:
            rows = await self.agreements()
            return len(rows) == len(cast.DATASETS) and all(
                one["state"] == "FINALIZED" and one["receipt_complete"] for one in rows
            )

        await eventually(proven, "both agreements with their proofs")

    async def staged(self) -> None:
        """Ciphertext lies in the zone; its receipts are complete."""
        pi = self.hand("a02", "pi")
        begun = await pi.post(f"/api/studies/{self.study}/transfers")
        for row in begun:

            async def complete(transfer: str = row["id"]) -> bool:
                found = await pi.get(f"/api/transfers/{transfer}")
                assert found["state"] != "TERMINATED", found
                return bool(found["state"] == "COMPLETED")

            await eventually(complete, "the transfer")

    async def submit(self, program: Mapping[str, str] = COUNT, *outputs: str) -> str:
        """A task is sent off."""
        (file,) = program
        wanted = {
            "name": file,
            "code": dict(program),
            "commands": [["python3", "-I", f"/code/{file}"]],
            "outputs": list(outputs) or ["metrics.json"],
            "cpu_cores": 1,
            "ram_gb": 0.25,
            "max_seconds": 300,
        }
        begun = await self.hand("a02", "pi").post(f"/api/studies/{self.study}/tasks", wanted)
        return str(begun["id"])

    async def task(self, task: str) -> Json:
        """A task as its company sees it."""
        found: Json = await self.hand("a02", "pi").get(f"/api/studies/{self.study}/tasks/{task}")
        return found

    async def reached(self, task: str, *states: str) -> Json:
        """Waits until a task is in one of `states`."""

        async def there() -> Json | None:
            row = await self.task(task)
            return row if row["state"] in states else None

        found: Json = await eventually(there, f"the task is {' or '.join(states)}", 120)
        return found

    async def counted(self) -> str:
        """One task has run to its end."""
        self.ran = await self.submit()
        row = await self.reached(self.ran, *ENDED)
        assert row["state"] == "COMPLETE", row
        return self.ran

    async def released(self) -> str:
        """Its metrics have left the zone after two people said yes."""
        task = self.ran
        pi, path = self.hand("a02", "pi"), f"/api/studies/{self.study}/releases"
        asked = await pi.post(path, {"task": task, "files": ["metrics.json"]})
        assert asked["state"] == "review", asked
        verdict = {"verdict": "release", "reason": "집계 값 하나뿐이다."}
        for person in ("reviewer-1", "reviewer-2"):
            await self.hand("p01", person).post(f"/api/releases/{asked['id']}/reviews", verdict)
        assert b"dure-metrics-1" in await pi.download(f"{path}/{asked['id']}/files/metrics.json")
        return str(asked["id"])

    async def closed(self) -> None:
        """The study is closed: the zone has certified, the permit has ended."""
        pi = self.hand("a02", "pi")
        zone = f"/api/studies/{self.study}/zone"
        await pi.post(f"/api/studies/{self.study}/close")
        await eventually(lambda: _closed(pi, zone), "the closing certificate", 120)

        async def over() -> bool:
            return bool((await pi.get(f"/api/studies/{self.study}"))["state"] == "closed")

        await eventually(over, "the study is over")
        await self.proven()

    @property
    def stores(self) -> dict[str, Store]:
        """Every node's store."""
        return {name: node.runtime.store for name, node in self.space.nodes.items()}

    async def proven(self) -> None:
        """Every receipt of the study has two signatures and the log's proof."""

        async def whole() -> bool:
            return not unfinished(self.stores, self.study)

        try:
            await eventually(whole, "every receipt is proven")
        except Late as late:
            raise AssertionError(f"{unfinished(self.stores, self.study)}\n{await self.held_up()}") from late

    async def settled(self) -> Json:
        """The operator's clerk settles, once everything is in the log; every party answers."""
        clerk = self.hand("op", "clerk")
        run: Json = await clerk.post("/api/settlements", {"study": self.study})

        async def answered() -> Json | None:
            found: Json = await clerk.get(f"/api/settlements/{run['id']}")
            return found if all(one["state"] in ("accepted", "own") for one in found["statements"]) else None

        found: Json = await eventually(answered, "every party has answered")
        return {**found, "new": run["new"]}

    async def held_up(self) -> str:
        """What every node waits for or refused: what a failed test should say."""

        def look(session: Session) -> list[str]:
            promises = [f"{one.kind} {one.attempts}x {one.last_error}" for one in waiting(session) if one.attempts]
            refused = session.exec(select(Entry).where(Entry.outcome != "done")).all()
            return [*promises, *(f"{one.kind}: {one.code} {one.values} {one.needed} {one.seen}" for one in refused)]

        nodes = self.space.nodes.items()
        found = [(name, line) for name, node in nodes for line in await node.runtime.store.read(look)]
        return "\n".join(f"{name}: {line}" for name, line in found)

    async def played(self, upto: str = "settled") -> Json:
        """All of it, or up to one step."""
        kept: Json = {}
        for step in STEPS:
            begun = time.monotonic()
            try:
                kept[step] = await getattr(self, step)()
            except Late as late:
                raise AssertionError(f"{step}: {late}\n{await self.held_up()}") from late
            kept[f"{step} seconds"] = round(time.monotonic() - begun, 2)
            if step == upto:
                return kept
        return kept


async def _closed(pi: Any, path: str) -> Json | None:
    found: Json = await pi.get(path)
    return found if found["state"] == "closed" else None
