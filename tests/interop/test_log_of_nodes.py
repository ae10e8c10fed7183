"""Strangers' programs read the log that a running operator published and its witnesses cosigned, and evidence packs.

Needs what `test_tlog.py` needs.
"""

from pathlib import Path

import pytest

from connector.evidence.model import Receipt
from connector.evidence.service import author, entry_bytes
from connector.kit.db import Unit
from tests.interop.test_tlog import HERE, built, told
from tests.space import Space
from tests.unit.evidence.evidence_parties import authored, ready, waits

#: More than one full tile, so that every kind of file is there.
RECEIPTS = 280


@pytest.fixture(scope="module")
def tlogcheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(HERE, "tlogcheck", tmp_path_factory.mktemp("tlogcheck"))


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """The operator's folder after many receipts, with an older checkpoint and one receipt's entry and proof."""
    async with Space(tmp_path, ["op", "h01", "h03", "a02"]) as space:
        await space.join()
        for name in space.names:
            ready(space, name)
        op = space.space.nodes["op"].folder
        row = await waits(space, "h01", await authored(space, "h01", "a02", "a-1"), lambda row: row.proof)
        (op / "old").write_bytes((op / "log" / "checkpoint").read_bytes())
        h03 = space.nodes["h03"].runtime

        def many(unit: Unit) -> list[Receipt]:
            return [
                author(unit, h03, "probe", about=str(n), subject={"n": n}, payload={}, counterparty=None)
                for n in range(RECEIPTS)
            ]

        rows = [await waits(space, "h03", one.id, lambda row: row.proof) for one in await h03.store.run(many)]
        # the script flips a bit of entry 0's hash, which a proof of entry 0 itself does not read
        middle = next(one for one in rows if one.log_index == RECEIPTS // 2)
        for name, kept in (("first", row), ("middle", middle)):
            (op / f"{name}.entry").write_bytes(entry_bytes(kept))
            (op / f"{name}.tlog-proof").write_text(str(kept.proof))
            (op / f"{name}.index").write_text(str(kept.log_index))
    return op


async def test_a_stranger_accepts_what_the_operator_published_and_refuses_nine_tampered_copies(
    log: Path, tlogcheck: Path
) -> None:
    policy, old = log / "log.policy", log / "old"
    run = told(tlogcheck, "-policy", policy, "-log", log / "log", "-all", "-old", old)
    assert run.returncode == 0, run.stderr
    assert "quorum both met" in run.stdout
    for name in ("first", "middle"):
        given = ("-proof", log / f"{name}.tlog-proof", "-entry", log / f"{name}.entry")
        run = told(tlogcheck, "-policy", policy, *given)
        assert run.returncode == 0, run.stderr
    index = (log / "middle.index").read_text()
    run = told(HERE / "tamper", tlogcheck, log / "log", policy, old, index, log / "middle.entry")
    assert run.returncode == 0, run.stdout
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["ok"] * 10
