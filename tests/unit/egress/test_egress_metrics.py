"""A metrics file holds numbers by name: no text, no counts of few, no digits to spare."""

import json

import pytest
from egress_files import METRICS, checked, codes
from hypothesis import given
from hypothesis import strategies as st

from compute.egress.strict import NotStrict, parse


def metrics(**values: object) -> bytes:
    return json.dumps({"format": "dure-metrics-1", "metrics": values}).encode()


def test_metrics_pass_with_groups():
    assert codes(checked(m__json=metrics(auc=0.8331, by_sex={"f": 0.81, "m": 0.84}, n=5600))) == set()


@pytest.mark.parametrize("value", ["a note", [0.1] * 30, None, True, {"a": {"b": 0.1}}, {}])
def test_only_numbers_pass(value):
    expected = set() if value == {} else {"metrics-shape"}
    assert codes(checked(m__json=metrics(auc=value))) == expected


@pytest.mark.parametrize("name", ["환자", "a b", "A", "x" * 41, ""])
def test_names_are_plain_words(name):
    assert codes(checked(m__json=metrics(**{name: 0.5}))) == {"metrics-shape"}


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_a_count_of_few_is_a_small_cell_and_is_not_repeated(count):
    outcome = checked(m__json=metrics(n_events=count))
    assert codes(outcome) == {"small-cell"}
    assert [finding.seen for finding in outcome.findings] == ["$.n_events"]


def test_the_smallest_cell_is_the_boards():
    assert codes(checked(m__json=metrics(n=15), smallest=20)) == {"small-cell"}
    assert codes(checked(m__json=metrics(n=15), smallest=10)) == set()


def test_a_number_with_digits_to_spare_is_refused():
    assert codes(checked(m__json=metrics(auc=0.83312345678))) == {"too-precise"}
    assert codes(checked(m__json=metrics(auc=0.833123))) == set()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"format": "dure-metrics-1", "metrics": {"auc": NaN}}',
        b'{"format": "dure-metrics-1", "metrics": {"auc": 1e999}}',
        b'{"format": "dure-metrics-1", "metrics": {"auc": ' + b"1" * 5000 + b"}}",
        b'{"format": "dure-metrics-1", "metrics": {"n": ' + b"1" * 40 + b"}}",
        b'{"format": "dure-metrics-1", "metrics": {"auc": 0.5, "auc": 0.6}}',
        b"[" * 50_000,
        b'{"a":' * 9 + b"1" + b"}" * 9,
        b"{" + b'"' * 7,
        b'{"format": "\xff"}',
    ],
)
def test_json_bombs_and_doubles_are_no_json(raw):
    assert codes(checked(m__json=raw)) == {"format-refused"}


def test_a_large_file_is_not_read():
    assert codes(checked(m__json=METRICS + b" " * 64_000)) == {"too-large"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_what_is_read_is_what_was_written_or_nothing(value):
    deep = sum(map(json.dumps(value).count, "[{")) > 8
    try:
        read = parse(json.dumps(value).encode(), 100_000)
    except NotStrict:
        assert deep
    else:
        assert read == value


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=20), min_size=1, max_size=5))
def test_text_never_passes(values):
    assert codes(checked(m__json=metrics(**values))) == {"metrics-shape"}
