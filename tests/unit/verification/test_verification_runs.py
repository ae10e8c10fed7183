"""The validation as the zone runs it, on generated cohorts: what passes, and what is refused for which reason."""

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from verification_cohort import write
from verification_runs import LIMITS, SIZES, found, metrics, numbers, study, trained, verify

from compute.egress.checks import check
from compute.egress.report import Report, findings, not_estimable

pytestmark = pytest.mark.slow

COLUMNS = ("age", "sex", "residence", "index_year", "outcome")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("regression"))


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return verify(folder)


def test_a_regression_passes_with_its_figures(report):
    assert found(report) == set()
    assert report.model is not None
    auc, low, high = report.model["whole"]["auc"]
    assert low < auc < high
    assert 0.70 < auc < 0.90
    assert {group["kind"] for group in report.model["groups"]} == {"site", "sex", "age", "site-age"}


def test_the_controls_predict_nothing(report):
    assert report.model["control"]["models"] == 10
    assert abs(report.model["control"]["auc"] - 0.5) < 0.1


def test_the_coarse_model_is_as_good_and_its_capacity_is_stated(report):
    assert report.model["whole"]["auc"][0] >= report.model["submitted_auc"] - 0.002
    assert report.model["mantissa_bits"] < 16
    assert report.model["weights"] * report.model["mantissa_bits"] / 8 < report.facts()["residual_bytes"] < 1000


def test_small_groups_are_withheld_and_counts_are_rounded(report):
    assert "site-age:h03 <50" in not_estimable(report)
    for group in report.model["groups"]:
        assert group["estimable"] or group.keys() == {"kind", "name", "estimable"}
        assert group.get("patients", 0) % 10 == group.get("events", 0) % 10 == 0


def test_metrics_and_table_of_the_study_may_leave(folder):
    files = {name: (folder / name).read_bytes() for name in ("metrics.json", "table.csv")}
    assert check(files, smallest=10, columns=COLUMNS, ledger=(), reencoded=()).findings == ()
    assert metrics(folder)["n_train"] == sum(SIZES.values()) * 4 // 5


def test_each_attempt_of_the_study_is_refused_for_its_own_reason(folder, tmp_path):
    for part in folder.glob("*.parquet"):
        shutil.copy(part, tmp_path)
    study("export.py", tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.suffix != ".parquet"}
    outcome = check(files, smallest=10, columns=COLUMNS, ledger=(), reencoded=())
    assert {file.name: {finding.code for finding in file.findings} for file in outcome.files} == {
        "patients.csv": {"record-level"},
        "small.csv": {"small-cell"},
        "total.csv": {"differencing"},
        "part.csv": {"differencing"},
        "model.pickle": {"format-refused"},
    }
    assert b",3\n" in files["small.csv"]


def test_the_same_secret_gives_the_same_bytes_and_another_one_others(folder):
    released = folder / "out" / "model.onnx"
    verify(folder)
    once = released.read_bytes()
    verify(folder)
    assert released.read_bytes() == once
    verify(folder, bytes(31) + b"\x01")
    assert released.read_bytes() != once


def test_a_forest_is_refused_by_class_while_over_all_rows_it_looks_better(tmp_path, folder):
    for file in [*folder.glob("*.parquet"), folder / "controls.zip"]:
        shutil.copy(file, tmp_path)
    study("train.py", tmp_path, "--forest")
    report = verify(tmp_path)
    assert found(report) == {"memorised"}
    rules = {finding.rule for finding in findings(report, LIMITS)}
    assert {"AUC, outcome=1", "people in a leaf"} <= rules
    attack = report.model["membership"]
    assert attack["1"]["auc"] > 0.9
    assert attack["all"]["auc"] < 0.7
    assert attack["all"]["tpr"] < LIMITS.membership_tpr
    assert report.model["trees"]["smallest_leaf"] < 5


def test_a_column_from_after_the_fact_is_leakage(tmp_path):
    def later(rows):
        return np.round(90 - 30 * rows["outcome"] + 5 * np.random.default_rng(5).normal(size=len(rows["outcome"])))

    assert found(verify(trained(tmp_path, egfr_followup=later))) == {"leakage"}


def test_somebody_in_both_parts_ends_the_validation(tmp_path):
    write(tmp_path, {"h01": 600})
    part, other = tmp_path / "h01.holdout.parquet", tmp_path / "h01.train.parquet"
    with duckdb.connect() as db:
        db.execute(f"copy (from '{part}' union all (from '{other}' limit 3)) to '{tmp_path}/new' (format parquet)")
    (tmp_path / "new").replace(part)
    report = verify(tmp_path)
    assert (report.parts["in_both"], report.model) == (3, None)
    assert found(report) == {"overlap"}


def test_pseudonyms_that_two_hospitals_share_are_found(tmp_path, folder):
    for file in [*folder.glob("*.parquet"), folder / "controls.zip", folder / "model.onnx"]:
        shutil.copy(file, tmp_path)
    shutil.copy(tmp_path / "h01.train.parquet", tmp_path / "h07.train.parquet")
    assert found(verify(tmp_path)) == {"pseudonyms-shared"}


def test_a_model_without_controls_is_not_released(tmp_path, folder):
    for file in [*folder.glob("*.parquet"), folder / "model.onnx"]:
        shutil.copy(file, tmp_path)
    assert found(verify(tmp_path)) == {"control-failed"}


def test_what_is_no_model_is_refused_without_figures(tmp_path, folder):
    for file in folder.glob("*.parquet"):
        shutil.copy(file, tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"\x80\x04N.")
    report = verify(tmp_path)
    assert report.model is None
    assert found(report) == {"model-refused"}
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_no_weight_leaves_as_it_was_handed_in(folder, report):
    before, after = numbers(folder / "model.onnx"), numbers(folder / "out" / "model.onnx")
    assert before.keys() == after.keys()
    for place, values in before.items():
        assert not set(values) & set(after[place]) - {0.0}
