"""The figures of the card against other people's code, and what they must not show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from compute.verification.inside.data import Rows
from compute.verification.inside.figures import about, brier, calibration, deciles, discrimination, predictive
from compute.verification.inside.groups import by_group, weakest
from compute.verification.inside.membership import membership


def cohort(n: int = 4000, seed: int = 1):
    random = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-random.normal(-2, 1.2, n)))
    return p, (random.random(n) < p).astype(np.int64)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=60))
def test_the_auc_is_the_foreign_one_with_ties(pairs):
    p = np.array([score / 6 for score, _ in pairs])
    y = np.array([int(event) for _, event in pairs])
    if 0 < y.sum() < len(y):
        assert discrimination(p, y)[0] == pytest.approx(roc_auc_score(y, p))


def test_the_interval_covers_as_often_as_it_says():
    p, y = cohort(60_000)
    truth = roc_auc_score(y, p)
    samples = np.array_split(np.arange(len(y)), 100)
    intervals = [discrimination(p[chosen], y[chosen]) for chosen in samples]
    assert sum(low <= truth <= high for _, low, high in intervals) >= 88
    assert np.mean([high - low for _, low, high in intervals]) < 0.15
    narrower = [(value - (value - low) / 2, value + (high - value) / 2) for value, low, high in intervals]
    assert sum(low <= truth <= high for low, high in narrower) < 88


def test_brier_and_calibration_are_the_foreign_ones():
    p, y = cohort()
    assert brier(p, y) == pytest.approx(brier_score_loss(y, p))
    flat = 1 / (1 + np.exp(-2 * np.log(p / (1 - p))))
    logit = np.log(np.clip(flat, 1e-3, 1 - 1e-3) / (1 - np.clip(flat, 1e-3, 1 - 1e-3))).reshape(-1, 1)
    foreign = LogisticRegression(C=np.inf, tol=1e-8).fit(logit, y)
    slope, intercept = calibration(flat, y)
    assert slope == pytest.approx(foreign.coef_[0][0], abs=1e-3)
    assert intercept == pytest.approx(foreign.intercept_[0], abs=1e-3)


@pytest.mark.parametrize("upside_down", [False, True])
def test_no_tenth_shows_fewer_than_ten_events(upside_down):
    p, y = cohort(900)
    p = 1 - p if upside_down else p
    shown = deciles(p, y)
    assert [shown[0]["from"], shown[-1]["to"]] == [1, 10]
    order = np.array_split(np.argsort(p, kind="stable"), 10)
    for row in shown:
        assert y[np.concatenate(order[row["from"] - 1 : row["to"]])].sum() >= 10
    assert deciles(p[:40], np.zeros(40, dtype=np.int64)) == []


def test_predictive_values_are_withheld_where_a_cell_is_small():
    p, y = cohort()
    assert predictive(p, y, 0.2)["ppv"] == pytest.approx(y[p >= 0.2].mean(), abs=0.001)
    assert predictive(p, y, 0.99)["ppv"] is predictive(p, y, 0.99)["npv"] is None


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (4, 0), (5, 10), (14, 10), (15, 20), (994, 990)])
def test_counts_are_to_the_nearest_ten(count, shown):
    assert about(count) == shown


def people(p, y, weak: bool):
    random = np.random.default_rng(4)
    age = random.choice([35, 55, 65, 75], len(y), p=[0.02, 0.38, 0.3, 0.3])
    p = np.where((age == 75) & weak, random.random(len(y)), p)
    sex = np.where(random.random(len(y)) < 0.5, "F", "M")
    return p, Rows(np.full(len(y), "h01"), np.arange(len(y)).astype(str), y, {"age": age, "sex": sex})


def test_a_weakest_group_is_named_only_when_it_differs():
    p, y = cohort()
    scores, rows = people(p, y, weak=True)
    assert weakest(by_group(rows, scores, 0.2), discrimination(scores, y)[0]) == "age:70+"
    scores, rows = people(p, y, weak=False)
    assert weakest(by_group(rows, scores, 0.2), discrimination(scores, y)[0]) is None


def test_a_group_with_few_events_says_nothing_of_itself():
    p, y = cohort(1500)
    scores, rows = people(p, y, weak=False)
    young = next(group for group in by_group(rows, scores, 0.2) if group["name"] == "<50")
    assert young == {"kind": "age", "name": "<50", "estimable": False}


def test_an_attack_by_class_sees_what_the_whole_hides():
    random = np.random.default_rng(6)
    y = (random.random(6000) < 0.1).astype(np.int64)
    honest = np.where(y == 1, 0.3, 0.1) + 0.1 * random.random(6000)
    learnt = honest + np.where(y == 1, 0.4, 0.0)
    found = membership(learnt, y, honest, y)
    assert found["1"]["auc"] > 0.99
    assert found["1"]["tpr"] > 0.99
    assert found["all"]["auc"] < 0.6
    assert found["0"]["auc"] == pytest.approx(0.5, abs=0.01)


def test_a_rate_at_one_percent_needs_rows_enough():
    y = np.array([0, 1] * 100)
    p = np.linspace(0, 1, 200)
    assert membership(p, y, p, y)["1"]["tpr"] is None
    assert membership(p, y, p, y)["all"]["tpr"] is not None
