"""What the play computes again itself: signatures, the board's arithmetic, what a receipt says. It believes no node."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from connector.play import cast
from connector.play.hands import expect
from connector.play.stage import Play
from vocab.records import decision
from vocab.records.envelope import opened, signers

Json = dict[str, Any]


async def keys(play: Play) -> dict[str, bytes]:
    """Everybody's receipt key by DID, from the standing list that A02 holds."""
    standing = (await play.hand("a02", "pi").get("/api/standing"))["standing"]
    return {one["did"]: bytes.fromhex(one["keys"]["receipt"]) for one in standing["members"]}


async def recounted(play: Play, envelope: Json) -> dict[str, int]:
    """The arithmetic of a decision, counted again from its votes; decision and votes are signed by whom they name."""
    body = opened(envelope, "decision", await keys(play), play.did("op"))
    numbers = decision.recounted(body).to_json()
    expect(not {one["member"] for one in body["recused"]} & set(body["present"]), body["present"])
    seats = {f"{play.did('op')}#people/{one['member']}": bytes.fromhex(one["key"]) for one in body["seated"]}
    votes = (await play.hand("op", "secretary").get(f"/api/applications/{body['application']}"))["votes"]
    expect(len(votes) == numbers["cast"] == sum(len(signers(vote, seats)) for vote in votes), votes)
    expect(all(vote["body"]["reason"] for vote in votes), votes)
    return {name: numbers[name] for name in ("cast", "yes", "needed", "external")}


async def receipt(play: Play, node: str, kind: str) -> Json:
    """What the study's receipt of this kind says, as `node` keeps it: logged, and signed by both. Empty: not yet."""
    steward = play.hand(node, "steward")
    rows = await steward.get("/api/receipts", study=play.study, type=kind)
    row = next((one for one in rows if one["proven"]), None)
    if row is None:
        return {}
    envelope = (await steward.get(f"/api/receipts/{row['id']}"))["envelope"]
    body = opened(envelope, kind, await keys(play), row["author"], row["counterparty"])
    subject: Json = body["subject"]
    return subject


def patients_in_both(space: Path) -> int:
    """How many people are in both hospitals' sources: no node could count that, but the play made both."""
    people = []
    for node in cast.DATASETS:
        with closing(sqlite3.connect(space / node / "source.sqlite")) as source:
            people.append({row[0] for row in source.execute("SELECT resident_number FROM patients")})
    return len(set.intersection(*people))
