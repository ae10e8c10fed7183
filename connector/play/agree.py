"""Steps 9 and 10: A02 agrees with both hospitals under one study; ciphertext is staged, keys stay home."""

import uuid
from functools import partial
from typing import Any

from connector.play import cast
from connector.play.crooked import agreement_changed
from connector.play.hands import Hand, Said, expect
from connector.play.proofs import receipt
from connector.play.stage import Play

Json = dict[str, Any]


async def step_9(play: Play) -> None:
    """Both agreements or none; whoever has no permit or other rules gets none."""
    report, pi = play.report, play.hand("a02", "pi")
    with report.refused(9, "no-permit"):
        await _outcome(play, play.hand("a03", "pi"), "h01", cast.offer(play.space, "h01"))
    changed = cast.offer(play.space, "h01")
    changed["permission"][0]["constraint"] = [
        one for one in changed["permission"][0]["constraint"] if "jobCount" not in str(one)
    ]
    with report.refused(9, "offer-changed"):
        await _outcome(play, pi, "h01", changed)
    with report.refused(9, "agreement-changed"):
        await agreement_changed(play)
    with report.done(9, "agree") as shown:
        await pi.post(f"/api/studies/{play.study}/negotiate")
        rows = await play.until("both negotiations are final", lambda: _final(play))
        play.kept["agreements"] = rows
        shown["agreements"] = len(rows)
    with report.done(9, "receipts") as shown:
        rows = await play.until("both receipts are signed by both and logged", lambda: _proven(play))
        for node in cast.DATASETS:
            subject = await play.until(f"{node} has the proof", partial(receipt, play, node, "agreement"))
            expect(subject["permit"] == play.kept["permit"]["id"], subject)
            expect(subject["snapshot"] == play.kept[f"snapshot-{node}"]["digest"], subject)
        shown["proven"] = len(rows)


async def _outcome(play: Play, who: Hand, node: str, offer: Json | None) -> None:
    """Starts one negotiation and waits for its end; raises `Said` with the reason when it was terminated."""
    wanted = {"provider": play.did(node), "dataset": cast.DATASETS[node], "study": play.study}
    begun = await who.post("/api/negotiations", wanted if offer is None else {**wanted, "offer": offer})

    async def ended() -> Json | None:
        row: Json = await who.get(f"/api/negotiations/{begun['id']}")
        return row if row["state"] in ("TERMINATED", "FINALIZED") else None

    row = await play.until("the negotiation ends", ended)
    if row["state"] == "TERMINATED":
        raise Said(409, {name: row[name] for name in ("code", "rule", "needed", "seen")})


async def _final(play: Play) -> list[Json] | None:
    rows: list[Json] = await play.hand("a02", "pi").get("/api/agreements", study=play.study)
    return rows if len(rows) == len(cast.DATASETS) else None


async def _proven(play: Play) -> list[Json] | None:
    rows = await _final(play)
    return rows if rows and all(row["receipt_complete"] for row in rows) else None


async def step_10(play: Play) -> None:
    """Only by push, only into the zone of permit and offer, only under an agreement."""
    report, pi = play.report, play.hand("a02", "pi")
    one = next(row for row in play.kept["agreements"] if row["dataset"] == cast.DATASETS["h01"])
    wanted = {"study": play.study, "provider": play.did("h01"), "agreement": one["id"]}
    for key, changed in (
        ("without-agreement", {"agreement": str(uuid.uuid4())}),
        ("outside-zone", {"zone": play.did("a02")}),
        ("pull", {"format": "HttpData-PULL"}),
    ):
        with report.refused(10, key):
            await _transferred(play, pi, {**wanted, **changed})
    with report.done(10, "stage") as shown:
        begun = await pi.post(f"/api/studies/{play.study}/transfers")
        for row in begun:
            await play.until("the transfer is complete", lambda row=row: _complete(pi, row["id"]))  # type: ignore[misc]
        shown["transfers"] = len(begun)
    with report.done(10, "digest") as shown:
        slots = await play.hand("p01", "operator").get("/api/slots", study=play.study)
        lies = {slot["dataset"]: slot["parts"] for slot in slots}
        for node, dataset in cast.DATASETS.items():
            subject = await play.until("the staging receipt", lambda node=node: receipt(play, node, "staging"))  # type: ignore[misc]
            said = {one["name"]: one["sha256"] for one in subject["parts"]}
            expect(said == {one["part"]: one["sha256"] for one in lies[dataset]}, lies[dataset])
            shown[node] = len(said)


async def _transferred(play: Play, pi: Hand, wanted: Json) -> None:
    """Starts a transfer and waits for its end; raises `Said` with the reason when it was terminated."""
    begun = await pi.post("/api/transfers", wanted)
    row = await play.until("the transfer ends", lambda: _complete(pi, begun["id"]))
    expect(row, "no transfer")


async def _complete(pi: Hand, transfer: str) -> Json | None:
    row: Json = await pi.get(f"/api/transfers/{transfer}")
    if row["state"] == "TERMINATED":
        raise Said(409, {name: row.get(name) for name in ("code", "rule", "needed", "seen")})
    return row if row["state"] == "COMPLETED" else None
