"""A table is counts of groups: not rows of persons, no small cell, no free text."""

import pytest
from egress_files import TABLE, checked, codes
from hypothesis import given
from hypothesis import strategies as st

from compute.egress.tables import Cell

PATIENTS = "age,sex,egfr,outcome\n" + "".join(f"{35 + row % 9 * 5},F,{60 + row},{row % 2}\n" for row in range(30))


def test_a_table_becomes_cells_with_what_applies_added():
    cells = checked(t__csv=b"sex,count,n_outcome\nF,100,20\nall,250,40\n").cells["t.csv"]
    assert cells == (
        Cell(frozenset({("sex", "F")}), 100, "t.csv:2"),
        Cell(frozenset({("sex", "F"), ("n_outcome", "yes")}), 20, "t.csv:2"),
        Cell(frozenset(), 250, "t.csv:3"),
        Cell(frozenset({("n_outcome", "yes")}), 40, "t.csv:3"),
    )


def test_a_cell_survives_the_ledger():
    cells = checked(t__csv=TABLE).cells["t.csv"]
    assert tuple(Cell.from_json(cell.to_json()) for cell in cells) == cells


@pytest.mark.parametrize(
    "raw",
    [
        PATIENTS,
        "pseudonym,count\n" + "".join(f"{row},10\n" for row in range(30)),
        "sex,patient_id,count\nF,1,10\n",
        "sex,count\n" + "".join(f"{row:016x},12\n" for row in range(30)),
        "age,sex,count\n" + "".join(f"{35 + row},F,1\n" for row in range(30)),
        "sex,count\nF,20\nF,20\n",
        "sex,count\nF,010-0000-1234\n",
        "age\n" + "40\n" * 5000,
    ],
)
def test_rows_of_persons_are_records(raw):
    outcome = checked(rows__csv=raw.encode())
    assert codes(outcome) == {"record-level"}
    assert [file.kind for file in outcome.files] == ["record"]


@pytest.mark.parametrize(
    ("count", "found"), [(0, {"small-cell"}), (3, {"small-cell"}), (9, {"small-cell"}), (10, set())]
)
def test_a_cell_of_few_is_named_by_its_row_only(count, found):
    outcome = checked(t__csv=f"sex,count\nF,{count}\nM,120\n".encode())
    assert codes(outcome) == found
    assert [finding.seen for finding in outcome.findings] == ["row 2"] * len(found)


def test_what_applies_to_few_is_a_small_cell():
    assert codes(checked(t__csv=b"sex,count,n_outcome\nF,120,4\nM,120,40\n")) == {"small-cell"}


@pytest.mark.parametrize("value", ["서울에서 온 환자 하나", "F;M", "x" * 18, "'=1+1'", "F|M|other|more"])
def test_free_text_is_no_category(value):
    assert codes(checked(t__csv=f"sex,count\n{value},20\n".encode())) == {"text-in-table"}


@pytest.mark.parametrize(
    "raw",
    [
        "sex,count\nF,20,extra\n",
        "sex,count\nF,2e3\n",
        "sex,count\nF,-20\n",
        "sex,count\nF,020\n",
        "sex,count\nF,20.5\n",
        "sex,sex,count\nF,F,20\n",
        "hba1c,count\n7,20\n",
        "age,sex,residence,outcome,count\n40,F,home,1,20\n",
        '"sex",count\nF,20\n',
        "sex,count\n\nF,20\n",
        "sex,count\n" + "F,20\n" * 501,
    ],
)
def test_another_shape_is_no_table(raw):
    assert codes(checked(t__csv=raw.encode())) == {"table-shape"}


def test_a_long_file_is_not_read():
    assert codes(checked(t__csv=b"sex,count\n" + b"F,20\n" * 20_000)) == {"too-large"}


@given(st.text(alphabet="ab,FM0123456789\n.", max_size=200))
def test_what_passes_is_counts_of_ten_and_more(text):
    outcome = checked(t__csv=f"sex,count\n{text}".encode())
    if not outcome.findings:
        assert all(cell.count >= 10 for cell in outcome.cells["t.csv"])
        assert outcome.cells["t.csv"]


@given(st.dictionaries(st.sampled_from(["F", "M", "other", "all"]), st.integers(0, 400), min_size=1))
def test_a_table_passes_exactly_when_no_group_of_few_follows(groups):
    rows = "".join(f"{name},{count}\n" for name, count in groups.items())
    parts = [count for name, count in groups.items() if name != "all"]
    rest = groups["all"] - sum(parts) if "all" in groups and parts else 10
    good = min(groups.values()) >= 10 and (rest == 0 or rest >= 10)
    assert (codes(checked(t__csv=f"sex,count\n{rows}".encode())) == set()) == good
