"""Step 8: each hospital cuts the study's snapshot, and a second person accepts it."""

import asyncio
import base64
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

from connector.kit.duck import connect, write_parquet
from connector.play import cast
from connector.play.hands import expect
from connector.play.proofs import keys
from connector.play.stage import Play
from vocab.records.envelope import digest, opened

Json = dict[str, Any]

#: Patients of a source with a leak, and how an identifier gets into it: as it is, encoded, hashed.
LEAKY: Final = 2000
_ONE: Final = "(SELECT resident_number FROM patients WHERE rowid = 1)"
LEAKS: Final = {
    "leak": "SET cvd = CAST(replace(phone, '-', '') AS INTEGER) WHERE rowid % 40 = 0",
    "leak-encoded": f"SET sex = base64({_ONE}) WHERE sex = 'M' AND rowid % 2 = 0",
    "leak-hashed": f"SET sex = sha256({_ONE}) WHERE sex = 'M' AND rowid % 2 = 0",
}
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
    await _leaks(play, "h03")
    for node, dataset in cast.DATASETS.items():
        with report.done(8, f"cut-{node}") as shown:
            cut = await play.hand(node, "steward").post("/api/snapshots", {**wanted, "dataset": dataset})
            play.kept[f"snapshot-{node}"] = cut
            scan = cut["scan"]
            expect(scan["clean"] and scan["planted"] and not scan["missed"], scan)
            held_out = cut["parts"]["holdout"]["rows"] / cut["rows"]
            expect(0.18 <= held_out <= 0.22, held_out)
            shown.update(rows=cut["rows"], holdout=f"{held_out:.0%}", k=cut["k"], digest=cut["digest"][:16])
            found = scan["planted"] - len(scan["missed"])
            shown.update(leaks=len(scan["found"]), control=f"{found}/{scan['planted']}")
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
    with report.done(8, "record") as shown:
        row = await steward.get(f"/api/snapshots/{mine}")
        body = opened(row["record"], "deidentification", await keys(play), play.did("h01"))
        expect(body["made_by"] != body["accepted_by"] and body["snapshot"] == row["digest"], body)
        shown.update(made_by=body["made_by"], accepted_by=body["accepted_by"], signed_by="h01")
    with report.done(8, "key-apart") as shown:
        shown.update(await asyncio.to_thread(_key_apart, play.space.folder))
    with report.done(8, "register") as shown:
        rows = await steward.get("/api/register", study=play.study)
        expect(rows, "no row in the register")
        shown["rows"] = len(rows)


def _key_apart(space: Path) -> Json:
    """No file of any node holds a pseudonym key, except the key's own, which only its owner may read."""
    places = [path for node in cast.DATASETS for path in (space / node / "pseudonym-keys").iterdir()]
    expect(places and all(path.stat().st_mode & 0o077 == 0 for path in places), places)
    sought = [form for path in places for form in (path.read_bytes(), path.read_bytes().hex().encode())]
    others = [path for path in space.rglob("*") if path.is_file() and path not in places]
    found = [str(path) for path in others if _holds(path, sought)]
    expect(not found, found)
    return {"keys": len(places), "other_files": len(others), "found_in": len(found)}


def _holds(path: Path, sought: list[bytes]) -> bool:
    """Whether a file holds one of these; one that a node has just put away holds nothing any more."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return any(one in content for one in sought)


async def _permit(play: Play, node: str) -> Json | None:
    rows = await play.hand(node, "steward").get("/api/permits", limit=500)
    return next((row for row in rows if row["study"] == play.study), None)


async def _leaks(play: Play, node: str) -> None:
    """Sources in which identifiers got into medical columns: the scan of what would leave finds them."""
    steward, folder = play.hand(node, "steward"), play.space.folder / node
    wanted = {"study": play.study, "dataset": cast.DATASETS[node]}
    leaky = folder / "leaky.sqlite"
    try:
        for key, change in LEAKS.items():
            await asyncio.to_thread(_spoil, folder / "source.sqlite", leaky, change)
            await steward.post("/api/sources", {"dataset": wanted["dataset"], "file": leaky.name})
            with play.report.refused(8, key):
                await steward.post("/api/snapshots", wanted)
    finally:
        await steward.post("/api/sources", {"dataset": wanted["dataset"], "file": "source.sqlite"})
        leaky.unlink(missing_ok=True)


def _spoil(source: Path, leaky: Path, change: str) -> None:
    shutil.copyfile(source, leaky)
    leaky.chmod(0o600)
    database = sqlite3.connect(leaky)
    with database:
        database.create_function("base64", 1, lambda text: base64.b64encode(text.encode()).decode())
        database.create_function("sha256", 1, lambda text: hashlib.sha256(text.encode()).hexdigest())
        database.execute("DELETE FROM patients WHERE rowid > ?", (LEAKY,))  # enough for classes of k
        database.execute(f"UPDATE patients {change}")
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
