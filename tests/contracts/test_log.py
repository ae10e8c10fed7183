"""The operator's log on every backend: many receipts at once get indexes without a gap, and all become provable."""

import asyncio
from pathlib import Path

from connector.evidence.model import Receipt
from connector.evidence.offline import verify_log
from connector.evidence.service import author
from connector.kit.db import Unit
from tests.space import Space
from tests.unit.evidence.evidence_parties import KIND, logged, restarted, waits

EACH = 12


async def test_receipts_from_everybody_at_once_are_logged_without_a_gap(database: str, tmp_path: Path) -> None:
    async with Space(tmp_path, ["op", "h01", "a02"], databases={"op": database}) as space:
        await space.join()

        async def many(name: str) -> list[Receipt]:
            runtime = space.nodes[name].runtime

            def made(unit: Unit) -> list[Receipt]:
                return [
                    author(unit, runtime, KIND, about=str(n), subject={}, payload={}, counterparty=None)
                    for n in range(EACH)
                ]

            return await runtime.store.run(made)

        wanted = dict(zip(space.names, await asyncio.gather(*map(many, space.names)), strict=True))
        await restarted(space, "op")
        for name, rows in wanted.items():
            for row in rows:
                await waits(space, name, row.id, lambda found: found.proof)
        entries = await logged(space)
        assert [entry.index for entry in entries] == list(range(len(entries)))
        assert {entry.receipt for entry in entries} == {row.id for rows in wanted.values() for row in rows}
        folder = space.space.nodes["op"].folder
        assert verify_log(folder / "log", folder / "log.policy")["size"] == 3 * EACH
