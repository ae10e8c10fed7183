"""A run computed again: by the same code from the receipts, and by another engine (SQL) from the same facts."""

import copy
import dataclasses
import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from money_receipts import H01, OP, Ledger, golden, key, public, tariff

from vocab.errors import Refusal
from vocab.money.facts import Delivered, Facts, Reviewed, Used
from vocab.money.lines import DRB_OFFICE
from vocab.money.recompute import proven, recompute
from vocab.records.envelope import canonical, digest
from vocab.tlog import hash as tree
from vocab.tlog import note
from vocab.tlog.note import Algorithm, Checkpoint, Key, Note
from vocab.tlog.policy import Policy
from vocab.tlog.proof import Proof, inclusion

#: The whole settlement in SQL: integers, floor division, largest remainder by window.
SQL = """
WITH priced AS (
  SELECT 'drb ' || receipt AS id, 'drb' AS kind, payer, operator || $office AS payee, $drb_study AS won, idx, 0 AS part
  FROM decision
  UNION ALL SELECT 'preparation ' || f.receipt, 'preparation', payer, f.payee,
    $preparation_dataset + n * CASE unit WHEN 'patients' THEN $preparation_patient
                                         ELSE $preparation_imaging_study END, f.idx, 1
    FROM fact f, decision WHERE f.kind = 'delivered'
  UNION ALL SELECT 'zone ' || f.receipt, 'zone', payer, f.payee, n * $zone_minute, f.idx, 1
    FROM fact f, decision WHERE f.kind = 'used'
  UNION ALL SELECT 'egress-review ' || f.receipt, 'egress-review', payer, operator, $egress_review, f.idx, 1
    FROM fact f, decision WHERE f.kind = 'reviewed'
), fees AS (SELECT * FROM priced WHERE won > 0),
fee AS (
  SELECT 'operator-fee' AS id, 'operator-fee' AS kind, payer, operator AS payee,
    (SELECT sum(won * $operator_fee // 10000) FROM fees)::BIGINT AS won, 0 AS idx, 2 AS part FROM decision
), shares AS (
  SELECT payee, sum(n)::HUGEINT AS n, sum(sum(n)) OVER ()::HUGEINT AS whole, any_value(reward)::HUGEINT AS reward
  FROM fact, decision WHERE kind = 'delivered' GROUP BY payee HAVING sum(n) > 0
), floors AS (
  SELECT payee, reward, reward * n // whole AS share,
    row_number() OVER (ORDER BY reward * n % whole DESC, payee) AS turn, sum(reward * n // whole) OVER () AS given
  FROM shares
), reward AS (
  SELECT 'reward ' || f.payee AS id, 'reward' AS kind, payer, f.payee,
    (share + CASE WHEN turn <= f.reward - given THEN 1 ELSE 0 END)::BIGINT AS won, 0 AS idx, 3 AS part
  FROM floors f, decision
)
SELECT id, kind, payer, payee, won FROM
  (SELECT * FROM fees UNION ALL SELECT * FROM fee UNION ALL SELECT * FROM reward)
WHERE won > 0 ORDER BY part, idx, payee
"""


def in_sql(facts: Facts) -> list[tuple[str, str, str, str, int]]:
    """The lines as DuckDB computes them."""
    database = duckdb.connect()
    database.execute("CREATE TABLE decision (receipt TEXT, idx BIGINT, payer TEXT, operator TEXT, reward BIGINT)")
    database.execute("CREATE TABLE fact (kind TEXT, receipt TEXT, idx BIGINT, payee TEXT, unit TEXT, n BIGINT)")
    approved = facts.approved
    row = [approved.source.receipt, approved.source.index, approved.payer, facts.operator, approved.outcome_reward]
    database.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?)", row)
    for fact in facts.facts:
        source = [fact.source.receipt, fact.source.index]
        match fact:
            case Delivered():
                row = ["delivered", *source, fact.provider, fact.unit, fact.count]
            case Used():
                row = ["used", *source, fact.zone, "minutes", fact.minutes]
            case Reviewed():
                row = ["reviewed", *source, facts.operator, "release", 1]
        database.execute("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?)", row)
    prices = {name: value for name, value in tariff().to_json().items() if name != "version"}
    return database.execute(SQL, {**prices, "office": DRB_OFFICE}).fetchall()


def in_python(ledger: Ledger) -> list[tuple[str, str, str, str, int]]:
    return [(line.id, line.kind, line.payer, line.payee, line.won) for line in ledger.run().lines]


def test_sql_gives_the_golden_lines_too():
    ledger = golden()
    assert digest(in_sql(ledger.facts())) == digest(in_python(ledger))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50_000)), max_size=20),
    st.lists(st.integers(0, 600), max_size=20),
    st.integers(0, 3),
    st.integers(0, 10**11),
)
def test_two_engines_give_one_digest(delivered, minutes, releases, reward):
    ledger = Ledger()
    ledger.decision(reward)
    for number, (hospital, count) in enumerate(delivered):
        unit = "imaging_studies" if number % 3 == 2 else "patients"
        ledger.agreement(f"did:web:h{hospital}.example", f"D-{number}", count, unit)
    for number, count in enumerate(minutes):
        ledger.task(f"task-{number}", count)
    for number in range(releases):
        ledger.release(f"release-{number}")
    assert digest([list(row) for row in in_sql(ledger.facts())]) == digest([list(row) for row in in_python(ledger)])


def test_the_receipts_give_the_run_again():
    ledger = golden()
    run = json.loads(json.dumps(ledger.run().body))
    found = recompute(run, ledger.entries, ledger.keys)
    assert found.equal
    assert not found.differs
    assert not found.same_code
    assert found.to_json()["digest"] == ledger.run().digest


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda run: run["lines"][1].update(amount_won=599_859), "lines"),
        (lambda run: run["lines"].pop(), "lines"),
        (lambda run: run["totals"][H01].update(receivable_won=1_585_126), "totals"),
        (lambda run: run["held"].append({"id": "x", "index": 1, "why": "one-sided"}), "held"),
        (lambda run: run.update(more=1), "more"),
    ],
)
def test_a_run_that_says_otherwise_is_found_and_named(change, named):
    ledger = golden()
    run = copy.deepcopy(ledger.run().body)
    change(run)
    found = recompute(run, ledger.entries, ledger.keys)
    assert not found.equal
    assert named in found.differs


def test_a_left_out_receipt_shows():
    ledger = golden()
    found = recompute(ledger.run().body, ledger.entries[:-1], ledger.keys)
    assert not found.equal


@pytest.mark.parametrize(
    "change",
    [{"formula": "other"}, {"log": None}, {"log": {"size": 3}}, {"study": 5}, {"settled": [1]}, {"code": None}],
)
def test_a_run_of_another_form_is_refused(change):
    ledger = golden()
    with pytest.raises(Refusal, match="run-malformed"):
        recompute({**ledger.run().body, **change}, ledger.entries, ledger.keys)


def _proofs(ledger: Ledger) -> tuple[Policy, list[dict[str, object]]]:
    log = Key(ledger.log.origin, Algorithm.ED25519, public(OP))
    leaves = [tree.leaf(canonical(one.envelope)) for one in ledger.entries]
    nodes = tree.grown(0, lambda level, index: b"", leaves)
    text = str(Checkpoint(ledger.log.origin, len(leaves), bytes.fromhex(ledger.log.root)))
    own = bytes(Note(text, (note.signed(text, log, key(OP).sign),)))
    read = lambda level, index: nodes[level, index]  # noqa: E731
    rows = [
        {
            "envelope": one.envelope,
            "proof": bytes(Proof(one.index, tuple(inclusion(one.index, len(leaves), read)), own)).decode(),
        }
        for one in ledger.entries
    ]
    return Policy((log,)), rows


def test_entries_are_believed_with_their_proofs_only():
    ledger = golden()
    policy, rows = _proofs(ledger)
    assert proven(ledger.run().body, rows, policy) == ledger.entries
    rows[3]["proof"], rows[4]["proof"] = rows[4]["proof"], rows[3]["proof"]
    with pytest.raises(Refusal, match="inclusion-broken"):
        proven(ledger.run().body, rows, policy)


def test_a_proof_from_another_checkpoint_is_refused():
    ledger = golden()
    policy, rows = _proofs(ledger)
    run = ledger.run().body
    other = {**run, "log": dataclasses.asdict(dataclasses.replace(ledger.log, size=7))}
    with pytest.raises(Refusal, match="not-in-the-log"):
        proven(other, rows, policy)
