"""Step 8: each hospital cuts the study's snapshot, and a second person accepts it."""

import asyncio
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

from connector.kit.duck import connect, write_parquet
from connector.play import cast
from connector.play.hands import expect
from connector.play.stage import Play
from vocab.records.envelope import digest

Json = dict[str, Any]

#: Patients that the defective cutter puts into both parts.
DOUBLED: Final = 50


async def step_8(play: Play) -> None:
    """Columns outside the permit, columns from the future, leaks, one person twice: all refused."""
    report = play.report
    for node in cast.DATASETS:
        await play.until(f"the permit reaches {node}", lambda node=node: _permit(play, node))  # type: ignore[misc]
    with report.done(8, "pseudonym-key"):
        for node in cast.DATASETS:
            await play.hand(node, "keykeeper").post(f"/api/studies/{play.study}/pseudonym-key")
    wanted = {"study": play.study, "dataset": cast.DATASETS["h01"]}
    steward = play.hand("h01", "steward")
    with report.refused(8, "column-outside"):
        await steward.post("/api/snapshots", {**wanted, "columns": [*cast.S1_COLUMNS, "birth_date"]})
    with report.refused(8, "column-after-index"):
        await steward.post("/api/snapshots", {**wanted, "columns": [*cast.S1_COLUMNS, "egfr_followup"]})
    await _leak(play, "h03")
    for node, dataset in cast.DATASETS.items():
        with report.done(8, f"cut-{node}") as shown:
            cut = await play.hand(node, "steward").post("/api/snapshots", {**wanted, "dataset": dataset})
            play.kept[f"snapshot-{node}"] = cut
            shown.update(rows=cut["rows"], k=cut["k"], digest=cut["digest"][:16])
    mine = play.kept["snapshot-h01"]["id"]
    with report.refused(8, "same-person"):
        await steward.post(f"/api/snapshots/{mine}/accept")
    with report.done(8, "accept"):
        for node in cast.DATASETS:
            snapshot = play.kept[f"snapshot-{node}"]["id"]
            await play.hand(node, "acceptor").post(f"/api/snapshots/{snapshot}/accept")
    with report.done(8, "same-digest") as shown:
        again = await steward.post(f"/api/snapshots/{mine}/recheck")
        expect(again["digest"] == play.kept["snapshot-h01"]["digest"], again)
        shown["digest"] = play.kept["snapshot-h01"]["digest"][:16]
    with report.done(8, "register") as shown:
        rows = await steward.get("/api/register", study=play.study)
        expect(rows, "no row in the register")
        shown["rows"] = len(rows)


async def _permit(play: Play, node: str) -> Json | None:
    rows = await play.hand(node, "steward").get("/api/permits", limit=500)
    return next((row for row in rows if row["study"] == play.study), None)


async def _leak(play: Play, node: str) -> None:
    """A source in which telephone numbers got into a medical column: the scan of what would leave finds them."""
    steward, folder = play.hand(node, "steward"), play.space.folder / node
    wanted = {"study": play.study, "dataset": cast.DATASETS[node]}
    leaky = folder / "leaky.sqlite"
    await asyncio.to_thread(_spoil, folder / "source.sqlite", leaky)
    try:
        await steward.post("/api/sources", {"dataset": wanted["dataset"], "file": leaky.name})
        with play.report.refused(8, "leak"):
            await steward.post("/api/snapshots", wanted)
    finally:
        await steward.post("/api/sources", {"dataset": wanted["dataset"], "file": "source.sqlite"})
        leaky.unlink(missing_ok=True)


def _spoil(source: Any, leaky: Any) -> None:
    shutil.copyfile(source, leaky)
    leaky.chmod(0o600)
    with sqlite3.connect(leaky) as database:
        database.execute("UPDATE patients SET cvd = CAST(replace(phone, '-', '') AS INTEGER) WHERE rowid % 400 = 0")
    database.close()


def doubled(hospital: Path, snapshot: str) -> None:
    """What a defective cutter would have left: patients of `train` also in `holdout`, and digests that say the same."""
    place = hospital / "snapshots" / snapshot
    train, holdout = place / "train.parquet", place / "holdout.parquet"
    both = f"SELECT * FROM '{holdout}' UNION ALL (SELECT * FROM '{train}' ORDER BY pseudonym LIMIT {DOUBLED})"  # noqa: S608
    with connect() as connection:
        write_parquet(connection, f"SELECT * FROM ({both}) ORDER BY pseudonym", holdout)  # noqa: S608
    database = sqlite3.connect(hospital / "node.sqlite", timeout=30)
    with database:
        query = "SELECT study, parts, columns, document FROM snapshot WHERE id = ?"
        study, *rest = database.execute(query, (snapshot,)).fetchone()
        parts, columns, document = map(json.loads, rest)
        content = holdout.read_bytes()
        part = parts["holdout"]
        part |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": part["rows"] + DOUBLED}
        frozen = {
            "study": study,
            "parts": {name: {"sha256": one["sha256"], "rows": one["rows"]} for name, one in parts.items()},
            "columns": columns,
            "profile": document["profile"],
        }
        change = "UPDATE snapshot SET parts = ?, digest = ? WHERE id = ?"
        database.execute(change, (json.dumps(parts), digest(frozen), snapshot))
    database.close()
