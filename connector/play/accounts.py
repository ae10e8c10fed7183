"""Steps 19 and 20: fees and rewards to the won, and the audit that believes nobody."""

import asyncio
import hashlib
import io
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from connector.cli.ask import audit, recompute
from connector.evidence.offline import verify_log
from connector.play import cast
from connector.play.hands import expect
from connector.play.stage import Play
from vocab.tlog.tiles import WIDTH
from vocab.words.values import Won

Json = dict[str, Any]


async def step_19(play: Play) -> None:
    """What was metered and agreed, computed again by whoever wants to."""
    report, clerk = play.report, play.hand("op", "clerk")
    with report.refused(19, "float"):
        tariff = files("policies").joinpath("tariff.toml").read_text().replace("zone_minute = 60", "zone_minute = 60.5")
        await clerk.post("/api/settlements/preview", {"study": play.study, "tariff": tariff})
    with report.refused(19, "unlogged"):
        missing = {"study": play.study, "receipts": ["urn:uuid:00000000-0000-4000-8000-000000000000"]}
        await clerk.post("/api/settlements", missing)
    with report.done(19, "settle") as shown:
        run = await play.until("the study can be settled", lambda: _settled(play), 60)
        play.kept["run"] = run["id"]
        shown.update(_sums(run))
    with report.done(19, "again") as shown:
        again = await clerk.post("/api/settlements", {"study": play.study})
        expect(again["id"] == run["id"] and not again["new"], again)
        shown["digest"] = run["digest"][:16]
    node = play.space.nodes["op"].url
    with report.done(19, "recompute") as shown:
        await play.until("the run's digest is in the log", lambda: _logged(play))
        found = await asyncio.to_thread(recompute, run["id"], node)
        expect(found["equal"], found)
        shown.update(digest=found["digest"][:16], log_index=found["logged"])
    with report.done(19, "own-statement") as shown:
        row = await play.until("H01 has answered its statement", lambda: _answered(play))
        mine = row["statement"].get("totals", {})
        shown.update(same_code=row["same_code"], **mine)


async def _settled(play: Play) -> Json | None:
    found: Json = await play.hand("op", "clerk").post("/api/settlements", {"study": play.study})
    return found


def _sums(run: Json) -> Json:
    """What was paid in and paid out: the two are equal."""
    totals = run["totals"].values()
    paid, received = (sum(one[side] for one in totals) for side in ("payable_won", "receivable_won"))
    expect(paid == received, run["totals"])
    return {"payable_won": Won(paid), "receivable_won": Won(received)}


async def _logged(play: Play) -> bool:
    rows = await play.hand("op", "clerk").get("/api/receipts", type="settlement", limit=500)
    return any(row["about"] == play.kept["run"] and row["proven"] for row in rows)


async def _answered(play: Play) -> Json | None:
    rows = await play.hand("h01", "steward").get("/api/statements")
    return next((row for row in rows if row["statement"]["run"] == play.kept["run"]), None)


async def step_20(play: Play) -> None:
    """Who could use D-H01-DM today, by which rule, and did they? Proofs, files, one flipped byte, a fork."""
    report, op = play.report, play.space.nodes["op"]
    today = (datetime.now(UTC) + timedelta(hours=9)).date().isoformat()
    with report.done(20, "audit") as shown:
        found = await asyncio.to_thread(audit, cast.DATASETS["h01"], today, op.url)
        mine = [one for one in found["could"] if one["study"] == play.study]
        expect(mine and mine[0]["did"], found)
        shown.update(could=len(found["could"]), tasks=len(mine[0]["did"]), proven=found["proven"])
    log, policy = play.space.folder / "op" / "log", play.space.folder / "op" / "log.policy"
    await _entry(play)
    with report.done(20, "verify") as shown:
        checked = await asyncio.to_thread(verify_log, log, policy, play.folder / "old-checkpoint")
        shown.update(size=checked["size"], witnesses=len(checked["witnesses"]), grown_from=checked["grown_from"])
    with report.refused(20, "flipped"):
        await asyncio.to_thread(_flipped, play, log)
        await asyncio.to_thread(verify_log, play.folder / "flipped", policy, None)
    with report.done(20, "fork") as shown:
        drill = await play.hand("op", "admin").post("/api/log/fork-drill")
        expect(drill["caught"] and drill["noticed"] == drill["asked"], drill)
        shown.update({name: drill[name] for name in ("size", "asked", "noticed", "first_ms")})
    with report.done(20, "evidence-pack") as shown:
        pack = await play.hand("op", "clerk").download(
            "/api/audit/packs", {"dataset": cast.DATASETS["h01"], "on": today}
        )
        await asyncio.to_thread((play.folder / "evidence-pack.zip").write_bytes, pack)
        shown.update(bytes=len(pack), **await asyncio.to_thread(_unpacked, pack))


async def old_checkpoint(play: Play) -> None:
    """Keeps the log's checkpoint of this moment: later the log must only have grown."""
    content = await play.hand("op", "clerk").download("/log/checkpoint")
    await asyncio.to_thread((play.folder / "old-checkpoint").write_bytes, content)


async def _entry(play: Play) -> None:
    """Keeps one log entry with its index, for tools of others."""
    steward = play.hand("h01", "steward")
    row = next(one for one in await steward.get("/api/receipts", study=play.study, type="agreement") if one["proven"])
    content = await steward.download(f"/api/receipts/{row['id']}/entry")
    await asyncio.to_thread((play.folder / "entry").write_bytes, content)
    await asyncio.to_thread((play.folder / "entry.index").write_text, str(row["log_index"]))


def _unpacked(pack: bytes) -> Json:
    """Every file of the pack is what its manifest says, and each leaf of the log comes with its proof."""
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = files.pop("manifest-sha256.txt").decode().splitlines()
    expect(manifest == [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)], manifest)
    leaves = {name.rpartition(".")[0] for name in files if name.startswith("leaves/")}
    expect(leaves and all(f"{leaf}.tlog-proof" in files for leaf in leaves), sorted(files))
    return {"files": len(files), "leaves_with_proof": len(leaves)}


def _flipped(play: Play, log: Path) -> None:
    """A copy of the log with one byte of one entry changed."""
    copy = play.folder / "flipped"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    size = int((copy / "checkpoint").read_text().splitlines()[1])
    bundle = copy / "tile" / "entries" / ("000" if size >= WIDTH else f"000.p/{size}")
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1  # in the middle it may be a length, and the file malformed instead
    bundle.write_bytes(data)
