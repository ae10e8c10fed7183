"""A receipt's life between real nodes: signed by both, logged once, cosigned by both camps, proven to both."""

import hashlib
from pathlib import Path

import pytest

from connector.evidence.offline import verify_log
from connector.evidence.service import entry_bytes, proven
from connector.identity.service import Members, ask
from tests.space import Space
from tests.unit.evidence.evidence_parties import KIND, authored, kept, logged, ready, restarted, waits
from vocab.tlog.policy import policy
from vocab.tlog.proof import check_proof


async def test_a_receipt_is_signed_by_both_logged_and_proven_to_both(nodes: Space) -> None:
    completed = ready(nodes, "h01")
    receipt = await authored(nodes, "h01", "a02", "a-1")
    ours = await waits(nodes, "h01", receipt, lambda row: row.proof)
    theirs = await waits(nodes, "a02", receipt, lambda row: row.proof)
    assert (ours.state, theirs.state) == ("complete", "complete")
    assert completed == [receipt]
    assert entry_bytes(ours) == entry_bytes(theirs)
    (entry,) = await logged(nodes)
    assert entry.digest == hashlib.sha256(entry_bytes(ours)).hexdigest() == ours.entry_digest
    assert (ours.log_index, theirs.log_index) == (entry.index, entry.index)
    store = nodes.nodes["h01"].runtime.store
    assert await store.read(lambda session: proven(session, KIND, "a-1"))
    assert not await store.read(lambda session: proven(session, KIND, "a-2"))


async def test_a_proof_needs_a_majority_of_both_camps(nodes: Space) -> None:
    receipt = await authored(nodes, "h01", None, "s-1")
    row = await waits(nodes, "h01", receipt, lambda row: row.proof)
    trusted = policy(nodes.nodes["h01"].runtime.get(Members).log_policy.encode())
    signed = check_proof(str(row.proof).encode(), entry_bytes(row), trusted)
    camps = {name: set(trusted.groups[name].members) & set(signed.cosigners) for name in ("hospitals", "companies")}
    assert {name: len(found) for name, found in camps.items()} == {"hospitals": 2, "companies": 1}


async def test_the_published_folder_verifies_with_the_policy_beside_it(nodes: Space) -> None:
    first = await authored(nodes, "h01", "a02", "a-1")
    await waits(nodes, "a02", first, lambda row: row.proof)
    folder: Path = nodes.space.nodes["op"].folder
    old = folder / "old"
    old.write_bytes((folder / "log" / "checkpoint").read_bytes())
    await waits(nodes, "h03", await authored(nodes, "h03", "a02", "a-2"), lambda row: row.proof)
    found = verify_log(folder / "log", folder / "log.policy", old)
    assert found["holds"]
    assert found["size"] > found["grown_from"] > 0


async def test_a_disputed_receipt_is_not_logged_and_both_journals_say_why(nodes: Space) -> None:
    receipt = await authored(nodes, "h01", "a02", "a-1", agreement="lie")
    await waits(nodes, "h01", receipt, lambda row: row.state == "disputed")
    assert await kept(nodes, "a02", receipt) is None
    assert await logged(nodes) == []
    journal = await nodes.hand("h01", "steward").get("/api/journal", limit=500)
    (entry,) = [one for one in journal if one["code"] == "receipt-disputed"]
    assert (entry["needed"], entry["seen"]) == ("a-1", "lie")
    explained = await nodes.hand("h01", "steward").get(entry["link"])
    assert explained["do"]["ko"]
    assert explained["what"]["en"]


async def test_a_receipt_that_comes_too_early_is_not_a_dispute(nodes: Space) -> None:
    receipt = await authored(nodes, "h01", "a02", "a-1", agreement="early")

    def tried(row: object) -> bool:
        return any(path.endswith("/receipts") for _, _, path in nodes.network.sent)

    row = await waits(nodes, "h01", receipt, tried)
    assert row.state == "authored"


async def test_a_party_that_never_answers_leaves_a_one_sided_entry(nodes: Space) -> None:
    nodes.network.cut("h01", "a02")
    receipt = await authored(nodes, "h01", "a02", "a-1")
    nodes.clock.forward(25 * 3600)
    nodes.nodes["h01"].runtime.outbox.nudge()
    row = await waits(nodes, "h01", receipt, lambda row: row.state == "one-sided")
    nodes.network.heal()
    row = await waits(nodes, "h01", receipt, lambda row: row.log_index is not None)
    (entry,) = await logged(nodes)
    assert entry.one_sided
    store = nodes.nodes["h01"].runtime.store
    assert not await store.read(lambda session: proven(session, KIND, "a-1"))
    assert row.state == "one-sided"


@pytest.mark.parametrize("victim", ["h01", "a02", "op", "h03"])
@pytest.mark.parametrize("step", ["receipts", "entries", "add-checkpoint", "proof"])
async def test_a_kill_between_any_two_steps_leaves_exactly_one_entry_and_both_proofs(
    nodes: Space, victim: str, step: str
) -> None:
    """Each node in turn stops as soon as the step's first message was sent, and starts again on its database."""
    nodes.network.sent.clear()
    receipt = await authored(nodes, "h01", "a02", "a-1")

    def reached(row: object) -> bool:
        return any(path.split("/")[-1] == step for _, _, path in nodes.network.sent)

    await waits(nodes, "h01", receipt, reached)
    await restarted(nodes, victim)
    for name in ("h01", "a02"):
        row = await waits(nodes, name, receipt, lambda row: row.proof)
        assert row.state == "complete"
    assert [entry.receipt for entry in await logged(nodes)] == [receipt]


async def test_a_stranger_cannot_bring_proofs_and_a_wrong_proof_is_refused(nodes: Space) -> None:
    one = await authored(nodes, "h01", "a02", "a-1")
    two = await authored(nodes, "h01", "a02", "a-2")
    await waits(nodes, "a02", one, lambda row: row.proof)
    other = await waits(nodes, "a02", two, lambda row: row.proof)
    url, did = nodes.space.nodes["h01"].url, nodes.nodes["h01"].runtime.did

    async def bring(name: str, proof: str) -> str:
        there = f"{url}/receipts/{one}/proof"
        return str((await ask(nodes.nodes[name].runtime, "POST", there, did, json={"proof": proof})).body["code"])

    assert await bring("a02", str(other.proof)) == "operator-only"
    assert await bring("op", str(other.proof)) == "inclusion-broken"
    assert await bring("op", "c2sp.org/tlog-proof@v1\n") == "proof-malformed"
