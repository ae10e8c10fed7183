"""To the won: the golden file of the scenario, and what no list of receipts may do to a settlement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_receipts import A02, H01, H02, OP, P01, STUDY, Ledger, golden, tariff

from vocab.errors import Refusal
from vocab.money.facts import Logged, facts
from vocab.money.lines import DRB_OFFICE
from vocab.money.run import code_digest, settle
from vocab.money.statement import parties, statement
from vocab.money.tariff import from_json, read
from vocab.money.won import split

DRB = OP + DRB_OFFICE
COUNTS = st.lists(st.integers(0, 50_000), min_size=1, max_size=27)


def test_the_golden_study_comes_out_to_the_won():
    run = golden().run()
    won = {(line.kind, line.payee): 0 for line in run.lines}
    for line in run.lines:
        won[line.kind, line.payee] += line.won
    assert won == {
        ("preparation", H01): 599_860,
        ("preparation", H02): 289_700,
        ("drb", DRB): 300_000,
        ("zone", P01): 2_520,
        ("egress-review", OP): 100_000,
        ("operator-fee", OP): 45_222,
        ("reward", H01): 985_265,
        ("reward", H02): 14_735,
    }
    assert run.body["totals"] == {
        A02: {"payable_won": 2_337_302, "receivable_won": 0},
        DRB: {"payable_won": 0, "receivable_won": 300_000},
        H01: {"payable_won": 0, "receivable_won": 1_585_125},
        H02: {"payable_won": 0, "receivable_won": 304_435},
        OP: {"payable_won": 0, "receivable_won": 145_222},
        P01: {"payable_won": 0, "receivable_won": 2_520},
    }
    assert 2_337_302 - 1_000_000 == 1_337_302 == 1_292_080 + 45_222


def test_each_line_names_the_receipts_that_say_so():
    ledger = golden()
    known = {(one.envelope["body"]["id"], one.index) for one in ledger.entries}
    for line in ledger.run().lines:
        assert line.kind == "operator-fee" or {(one.receipt, one.index) for one in line.sources} <= known
        assert line.kind == "operator-fee" or line.sources


def test_the_same_log_gives_the_same_run_in_whatever_order_it_is_read():
    ledger = golden()
    other = facts(STUDY, OP, list(reversed(ledger.entries)), ledger.keys, len(ledger.entries))
    assert settle(other, tariff(), ledger.log, code="code").digest == ledger.run().digest
    ledger.task("task-2", 1)
    assert ledger.run().digest != golden().run().digest


def test_a_second_run_bills_only_what_is_new():
    ledger = golden()
    settled = [one.envelope["body"]["id"] for one in ledger.entries]
    assert ledger.run(settled=settled).lines == ()
    ledger.task("late", 10)
    assert [(line.kind, line.won) for line in ledger.run(settled=settled).lines] == [
        ("zone", 600),
        ("operator-fee", 21),
    ]


def test_an_unlogged_meter_reading_is_refused():
    ledger = golden()
    loose = Ledger(dids=ledger.dids)
    envelope = loose.task("task-9", 600)
    size = len(ledger.entries)
    for index in (size, -1, None, True):
        with pytest.raises(Refusal, match="not-in-the-log"):
            facts(STUDY, OP, [*ledger.entries[1:], Logged(index, envelope)], ledger.keys, size)  # type: ignore[arg-type]


NUMBERS = {
    "minutes": lambda ledger, value: ledger.task("task-2", value),
    "patients": lambda ledger, value: ledger.agreement(H01, "D-2", value),
    "reward": lambda ledger, value: ledger.decision(value),
}


@pytest.mark.parametrize("value", [3.0, 3.5, "3", None, True, -1])
@pytest.mark.parametrize("which", NUMBERS)
def test_what_is_not_a_whole_number_never_becomes_money(which, value):
    ledger = Ledger() if which == "reward" else golden()
    NUMBERS[which](ledger, value)
    with pytest.raises(Refusal, match="money-not-integer"):
        ledger.run()


@pytest.mark.parametrize("text", ["60.0", "60.5", '"60"', "true", "-60", "6e1", "nan"])
def test_a_tariff_with_anything_but_integers_is_refused(text):
    lines = [f"{name} = 1" for name in tariff().to_json() if name not in ("version", "zone_minute", "operator_fee")]
    good = "\n".join(['version = "t"', "[won]", *lines, "zone_minute = 60", "[basis_points]", "operator_fee = 350"])
    assert read(good).zone_minute == 60
    with pytest.raises(Refusal, match="money-not-integer"):
        read(good.replace("zone_minute = 60", f"zone_minute = {text}"))


def test_a_tariff_names_every_price_once_and_nothing_else():
    whole = tariff().to_json()
    assert from_json(whole) == tariff()
    wrong: list[object] = [{**whole, "more": 1}, {**whole, "operator_fee": 10_001}, {**whole, "version": ""}, [], None]
    wrong.append({name: value for name, value in whole.items() if name != "drb_study"})
    for given_ in wrong:
        with pytest.raises(Refusal, match="tariff-malformed"):
            from_json(given_)
    for text in ("", "version = ", 'version = "t"\n[won]\noperator_fee = 1\n[basis_points]\noperator_fee = 1'):
        with pytest.raises(Refusal, match="tariff-malformed"):
            read(text)


def test_a_receipt_that_does_not_fit_blocks_only_its_own_line():
    ledger = golden()
    whole = ledger.run().body["totals"]
    ledger.task("task-2", 500, both=False)
    ledger.add("task-end", P01, H01, {"started_minutes": 500}, about="task-3")
    ledger.task("task-1", 500)
    ledger.add("agreement", H01, A02, {"permit": "another", "dataset": "D", "patients": 9}, about="agreement D")
    ledger.add("agreement", H01, A02, {"permit": "urn:uuid:permit", "patients": 9}, about="agreement E")
    body = ledger.run().body
    assert [one["why"] for one in body["held"]] == ["one-sided", "other-party", "twice", "other-permit", "malformed"]
    assert body["totals"] == whole


def test_a_decision_of_somebody_else_is_no_decision():
    ledger = Ledger()
    subject = {"outcome": "approved", "applicant": A02, "permit": "p", "outcome_reward": 5}
    ledger.add("decision", H01, None, subject, about=STUDY)
    ledger.add("decision", OP, None, {**subject, "outcome": "rejected"}, about=STUDY)
    ledger.add("decision", OP, None, {"outcome": "approved"}, about=STUDY)
    with pytest.raises(Refusal, match="nothing-to-settle"):
        ledger.run()


def test_an_altered_receipt_is_refused():
    ledger = golden()
    body = ledger.entries[1].envelope["body"]
    ledger.entries[1].envelope["body"] = {**body, "subject": {**body["subject"], "patients": 19_994}}
    with pytest.raises(Refusal, match="signature-invalid"):
        ledger.run()


def test_statements_together_are_the_run():
    run = golden().run()
    found = [statement(run.body, party) for party in parties(run.body)]
    assert sum(one["payable_won"] for one in found) == sum(one["receivable_won"] for one in found) == 2_337_302
    assert {one["digest"] for one in found} == {run.digest}
    assert {one["run"] for one in found} == {run.id}
    own = next(one for one in found if one["party"] == H01)
    assert [line["kind"] for line in own["lines"]] == ["preparation", "reward"]
    assert statement(run.body, "did:web:nobody.example")["lines"] == []


@given(COUNTS, st.integers(0, 10**12), COUNTS)
def test_what_is_paid_is_what_is_received(patients, reward, minutes):
    ledger = Ledger()
    ledger.decision(reward)
    for number, count in enumerate(patients):
        ledger.agreement(f"did:web:h{number % 5}.example", f"D-{number}", count)
    for number, count in enumerate(minutes):
        ledger.task(f"task-{number}", count)
    run = ledger.run()
    totals = run.body["totals"]
    assert sum(one["payable_won"] for one in totals.values()) == sum(one["receivable_won"] for one in totals.values())
    rewards = sum(line.won for line in run.lines if line.kind == "reward")
    assert rewards == (reward if sum(patients) else 0)
    assert ledger.run().digest == run.digest


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), min_size=1), st.integers(0, 10**12))
def test_a_split_hands_out_exactly_what_there_is(weights, amount):
    shares = split(amount, weights)
    total = sum(weights.values())
    assert sum(shares.values()) == (amount if total else 0)
    assert all(0 <= shares[one] - amount * weights[one] // max(total, 1) <= 1 for one in weights)


@given(COUNTS, st.integers(0, 10**9), st.data())
def test_splitting_one_hospital_in_two_moves_no_more_than_the_won_of_rounding(counts, amount, data):
    weights = {f"h{number}": count for number, count in enumerate(counts)}
    part = data.draw(st.integers(0, counts[0]))
    before = split(amount, weights)["h0"]
    after = split(amount, {**weights, "h0": part, "h0b": counts[0] - part})
    assert after["h0"] + after["h0b"] <= before + 1


def test_equal_remainders_go_by_id():
    assert split(2, {"c": 1, "a": 1, "b": 1}) == {"a": 1, "b": 1, "c": 0}


def test_the_code_has_a_name():
    assert len(code_digest()) == 64
