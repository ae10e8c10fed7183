"""The report is read as a stranger's, the node stays free of the task's packages, and the card warns."""

import copy
import json
import subprocess
import sys
import zipfile
from importlib.resources import files
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.egress.card import card
from compute.egress.report import Limits, findings, not_estimable, read
from compute.verification import code
from connector.web.cards import panel
from vocab.errors import Refusal
from vocab.words import sentences, word
from vocab.words.values import Said

BOARD = json.loads(files("policies").joinpath("tables", "board.json").read_text("utf-8"))["board"]
LIMITS = Limits.of(BOARD)
ATTACK = {"auc": 0.51, "low": 0.49, "high": 0.53, "tpr": 0.011}
GOOD: dict[str, Any] = {
    "format": "dure-verification-1",
    "parts": {"in_both": 0, "shared_by_hospitals": 0, "train": 22400, "holdout": 5600},
    "refused": None,
    "model": {
        "submitted_auc": 0.834,
        "whole": {
            "auc": [0.833, 0.82, 0.849], "brier": 0.085, "slope": 1.01, "intercept": 0.02, "events": 700,
            "deciles": [{"from": 1, "to": 10, "risk": 0.12, "o_e": 1.02}],
            "at": {"threshold": 0.2, "ppv": 0.34, "npv": 0.94, "sensitivity": 0.6, "specificity": 0.84},
        },
        "groups": [
            {"kind": "site", "name": "h01", "estimable": True, "patients": 4000, "events": 470,
             "auc": [0.833, 0.81, 0.85], "o_e": 1.0, "ppv": 0.3, "npv": 0.9},
            {"kind": "site-age", "name": "h01 70+", "estimable": True, "auc": [0.76, 0.72, 0.8], "o_e": None,
             "ppv": None, "npv": None},
            {"kind": "site-age", "name": "h03 <50", "estimable": False},
        ],
        "weakest": "age:70+",
        "control": {"auc": 0.51, "models": 10},
        "membership": {"all": ATTACK, "0": ATTACK, "1": ATTACK | {"tpr": None}},
        "trees": None,
        "mantissa_bits": 6, "weights": 62, "capacity_bytes": 270, "bytes": 1397,
    },
}  # fmt: skip


def changed(path: str, value: object) -> bytes:
    """The good report with one value replaced."""
    document = copy.deepcopy(GOOD)
    at: Any = document
    *names, last = path.split(".")
    for name in names:
        at = at[name]
    at[last] = value
    return json.dumps(document).encode()


def test_a_good_report_has_no_finding():
    report = read(json.dumps(GOOD).encode())
    assert findings(report, LIMITS) == []
    assert not_estimable(report) == ["site-age:h03 <50"]
    assert report.facts() == {"mia": {"0": 510, "1": 510}, "residual_bytes": 270}


@pytest.mark.parametrize(
    ("path", "value", "code_", "rule"),
    [
        ("parts.in_both", 2, "overlap", None),
        ("parts.shared_by_hospitals", 1, "pseudonyms-shared", None),
        ("model.whole.auc", [0.92, 0.91, 0.93], "leakage", None),
        ("model.control", None, "control-failed", None),
        ("model.control.auc", 0.6, "control-failed", None),
        ("model.membership.1.auc", 0.61, "memorised", "AUC, outcome=1"),
        ("model.membership.0.tpr", 0.06, "memorised", "TPR@1%, outcome=0"),
        (
            "model.trees",
            {"trees": 9, "leaves": 90, "smallest_leaf": 4, "median_leaf": 9.0},
            "memorised",
            "people in a leaf",
        ),
    ],
)
def test_each_limit_has_its_code(path, value, code_, rule):
    assert [(item.code, item.rule) for item in findings(read(changed(path, value)), LIMITS)] == [(code_, rule)]


def test_a_model_that_was_not_measured_is_refused():
    document = GOOD | {"model": None, "refused": "not an ONNX file"}
    found = findings(read(json.dumps(document).encode()), LIMITS)
    assert [(item.code, item.seen) for item in found] == [("model-refused", "not an ONNX file")]
    silent = findings(read(json.dumps(document | {"refused": None}).encode()), LIMITS)
    assert [item.code for item in silent] == ["model-refused"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "dure-verification-2"),
        ("more", 1),
        ("parts.in_both", "0"),
        ("parts.in_both", -1),
        ("parts.in_both", True),
        ("model.capacity_bytes", 0),
        ("model.whole.auc", [0.8, 0.9]),
        ("model.whole.auc", [0.8, 0.7, 1.2]),
        ("model.membership", {"all": ATTACK}),
        ("model.groups", [{"kind": "site", "name": "h01", "estimable": True}]),
        ("model.groups", [{"kind": "site", "name": "<script>", "estimable": False}]),
        ("model.weakest", "age:70+\n"),
    ],
)
def test_a_report_of_another_shape_is_broken(path, value):
    with pytest.raises(Refusal) as refused:
        read(changed(path, value))
    assert refused.value.code == "report-broken"


@given(st.integers(0, len(json.dumps(GOOD)) - 1), st.integers(0, 255))
def test_no_flipped_byte_crashes_the_reader(place, byte):
    raw = bytearray(json.dumps(GOOD).encode())
    raw[place] = byte
    try:
        findings(read(bytes(raw)), LIMITS)
    except Refusal as refused:
        assert refused.code == "report-broken"  # noqa: PT017 - either answer is right, no other


def made(synthetic: bool = True):
    return card(
        read(json.dumps(GOOD).encode()), study="urn:uuid:1", model_sha256="ab", code_digest=code.digest(),
        intended_use="card-use", synthetic=synthetic, now=1,
    )  # fmt: skip


def test_the_card_always_says_what_it_is_not_for():
    assert made()["clinical_use"] is False
    assert {"card-synthetic", "card-not-clinical", "card-capacity"} <= set(made()["warnings"])
    assert "card-synthetic" not in made(synthetic=False)["warnings"]
    json.dumps(made())


def test_the_card_is_drawn_in_both_languages():
    shown = panel(made())
    keys = [*shown.groups.headers, *(figure.label_key for figure in shown.figures.items)]
    said = [*shown.warnings, shown.use, *(cell for row in shown.groups.rows for cell in row)]
    said += [figure.value for figure in shown.figures.items] + [figure.note for figure in shown.figures.items]
    for language in ("ko", "en"):
        assert all(word(key, language) for key in keys)
        for value in said:
            if isinstance(value, Said):
                assert value.key in sentences()
                assert word(value.key, language, **value.values)


def test_the_bundle_is_the_same_bytes_each_time_and_holds_all_sources():
    assert code.bundle.__wrapped__() == code.bundle()
    names = zipfile.ZipFile(BytesIO(code.bundle())).namelist()
    assert "inside/main.py" in names
    assert names == sorted(names)


def test_a_node_judges_outputs_without_the_tasks_packages():
    script = (
        "import sys, compute.egress.checks, compute.egress.report, compute.egress.card\n"
        "from compute.verification import code; code.bundle()\n"
        "sys.exit(bool({'numpy', 'onnx', 'sklearn', 'onnxruntime', 'duckdb'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
