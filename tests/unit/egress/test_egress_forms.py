"""Only tables, metrics and the zone's own models leave, whatever a file is called."""

import io
import pickle
import zipfile
from hashlib import sha256

import pytest
from egress_files import METRICS, TABLE, checked, codes
from hypothesis import given
from hypothesis import strategies as st

from compute.egress.findings import Finding
from compute.egress.formats import Form, form
from vocab.errors import LANGUAGES, render

ONNX = b"\x08\x08\x12\x00:\x00"


def test_a_table_metrics_and_a_reencoded_model_pass():
    outcome = checked(table__csv=TABLE, metrics__json=METRICS, model__onnx=ONNX, reencoded=(sha256(ONNX).hexdigest(),))
    assert outcome.findings == ()
    assert {file.name: file.kind for file in outcome.files} == {
        "table.csv": "aggregate",
        "metrics.json": "metric",
        "model.onnx": "model",
    }
    assert all(file.facts()["structural_ok"] for file in outcome.files)


def test_a_model_that_the_zone_did_not_reencode_is_refused():
    assert codes(checked(model__onnx=ONNX + b"\x00", reencoded=(sha256(ONNX).hexdigest(),))) == {"format-refused"}


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("rows.csv", "secret")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        *[(pickle.dumps({"weights": [1.0]}, protocol=protocol), "pickle") for protocol in range(6)],
        *[(pickle.dumps([1, "a"], protocol=protocol), "pickle") for protocol in range(6)],
        (b"cos\nsystem\n(S'true'\ntR.", "pickle"),
        (zipped(), "zip"),
        (b"%PDF-1.7\n", "pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "markup"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"PAR1abcPAR1", "parquet"),
        (b"\x93NUMPY\x01\x00", "numpy"),
        (b"\xef\xbb\xbfsex,count\nF,20\n", "byte order mark"),
        (b"\x00" * 64, "unknown"),
        (b"sex,count\nF,20\n\x00\x01", "unknown"),
        ("sex,count\nF\u202e,20\n".encode(), "unknown"),
        (b"", "unknown"),
        (TABLE + zipped(), "unknown"),
    ],
)
@pytest.mark.parametrize("name", ["model__onnx", "table__csv", "metrics__json"])
def test_other_forms_are_refused_under_any_name(name, raw, seen):
    outcome = checked(**{name: raw})
    assert codes(outcome) == {"format-refused"}
    assert {finding.seen for finding in outcome.findings} == {seen}
    assert not outcome.files[0].facts()["structural_ok"]


@pytest.mark.parametrize("tail", [b"\x00", b"{}", b"PK\x03\x04", b"x", pickle.dumps(1)])
def test_nothing_hides_behind_metrics(tail):
    assert codes(checked(metrics__json=METRICS + tail)) == {"format-refused"}


def test_a_name_with_other_characters_is_refused_and_not_repeated():
    name = "rows\u202e.csv"
    outcome = checked(**{name: TABLE})
    assert codes(outcome) == {"format-refused"}
    assert all(name not in str(finding.to_json()) for finding in outcome.findings)


def test_too_many_files_are_refused_without_reading_one():
    assert codes(checked(**{f"t{number}": TABLE for number in range(51)})) == {"too-large"}


@given(st.binary(max_size=300))
def test_bytes_are_never_a_model_by_looks(raw):
    assert form(raw, ())[0] is not Form.ONNX


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_get_an_answer(raw):
    outcome = checked(file__bin=raw)
    assert len(outcome.files) == 1


@pytest.mark.parametrize(
    "code",
    [
        "format-refused", "record-level", "small-cell", "differencing", "table-shape", "text-in-table", "metrics-shape",
        "too-precise", "too-large", "overlap", "pseudonyms-shared", "leakage", "control-failed", "memorised",
        "model-refused", "report-broken",
    ],
)  # fmt: skip
def test_every_code_explains_itself_in_both_languages(code):
    finding = Finding(code, "t.csv", "needed", "seen", "rule")
    for language in LANGUAGES:
        shown = render(finding.refusal(), language)
        assert shown.what
        assert shown.do
        assert "–" not in shown.what
