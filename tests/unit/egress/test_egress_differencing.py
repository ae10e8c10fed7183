"""Tables are judged together, with all that the study released before."""

import itertools
import random

import pytest
from egress_files import TABLE, checked, codes

from compute.egress.differencing import MAX_CELLS, revealed
from compute.egress.tables import Cell

TOTAL = b"age,count\n40,26\n"
PART = b"age,hospital,count\n40,h01,20\n"


def released(name: str, raw: bytes) -> tuple[Cell, ...]:
    """The ledger after `raw` has left."""
    outcome = checked(**{name: raw})
    assert outcome.findings == ()
    return tuple(Cell(cell.where, cell.count, f"r1/{cell.source}") for cell in outcome.cells[name])


def test_a_living_pair_is_refused_together_and_each_passes_alone():
    assert codes(checked(total__csv=TOTAL)) == codes(checked(part__csv=PART)) == set()
    outcome = checked(total__csv=TOTAL, part__csv=PART)
    assert {(finding.code, finding.file) for finding in outcome.findings} == {
        ("differencing", "total.csv"),
        ("differencing", "part.csv"),
    }
    assert all("6" not in finding.seen for finding in outcome.findings)


def test_a_living_pair_is_refused_over_two_releases():
    ledger = released("total", TOTAL)
    outcome = checked(ledger=ledger, part__csv=PART)
    assert [(finding.code, finding.file) for finding in outcome.findings] == [("differencing", "part.csv")]
    assert "r1/total:2" in outcome.findings[0].seen


def test_a_pair_within_one_table_is_refused():
    assert codes(checked(t__csv=b"hospital,count\nall,26\nh01,20\n")) == {"differencing"}


@pytest.mark.parametrize(("total", "found"), [(20, set()), (25, {"differencing"}), (30, set())])
def test_a_rest_of_nobody_or_of_many_reveals_nobody(total, found):
    assert codes(checked(t__csv=f"hospital,count\nall,{total}\nh01,20\n".encode())) == found


def test_conditions_apart_by_two_are_seen():
    assert codes(checked(a__csv=TOTAL, b__csv=b"age,hospital,sex,count\n40,h01,F,20\n")) == {"differencing"}


def test_a_cell_left_out_is_found_from_its_margins():
    body = "hospital,sex,count\nh01,F,100\nh01,M,120\nh03,F,80\n"
    assert codes(checked(t__csv=body.encode())) == set()
    assert codes(checked(t__csv=(body + "all,M,126\nall,F,180\n").encode())) == {"differencing"}
    assert codes(checked(t__csv=(body + "all,M,160\nall,F,180\n").encode())) == set()


def test_a_rest_of_nobody_in_the_whole_is_one_in_each_part():
    """F + M is everybody, so h01 has 60 - 40 = 20 M, and the others 22 - 20: found though no table says so."""
    table = "hospital,sex,count\nall,all,200\nall,F,{f}\nall,M,{m}\nh01,all,60\nh01,F,40\n"
    assert codes(checked(t__csv=table.format(f=178, m=22).encode())) == {"differencing"}
    assert codes(checked(t__csv=table.format(f=165, m=35).encode())) == set()


def test_a_margin_that_only_follows_from_its_parts_is_subtracted_from():
    """h01 has 20 + 20 patients, though no table says 40; 35 of them are forty years old."""
    sexes = b"hospital,sex,count\nall,all,400\nall,F,200\nall,M,200\nh01,F,20\nh01,M,20\n"
    assert codes(checked(a__csv=sexes, b__csv=b"hospital,age,count\nh01,40,35\n")) == {"differencing"}
    assert codes(checked(a__csv=sexes, b__csv=b"hospital,age,count\nh01,40,25\n")) == set()


def test_everybody_in_a_group_having_it_is_found():
    assert codes(checked(t__csv=b"sex,count,n_outcome\nF,50,50\nM,80,20\n")) == {"differencing"}
    assert codes(checked(t__csv=b"sex,count,n_outcome\nF,50,44\nM,80,20\n")) == {"differencing"}


def test_the_same_table_again_is_no_news():
    assert checked(ledger=released("t", TABLE), t__csv=TABLE).findings == ()


def test_a_second_count_of_one_group_is_another_population():
    assert codes(checked(ledger=released("t", b"sex,count\nF,100\n"), t__csv=b"sex,count\nF,99\n")) == {"differencing"}


def test_a_part_larger_than_its_whole_is_another_population():
    assert codes(checked(t__csv=b"hospital,sex,count\nall,F,50\nh01,F,60\n")) == {"differencing"}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("<50", "<45", {"differencing"}),
        ("40-49", "45-54", {"differencing"}),
        ("70+", ">=75", {"differencing"}),
        ("40-49", "42", {"differencing"}),
        ("40-49", "50-59", set()),
        ("<50", "50+", set()),
        ("home", "other", set()),
    ],
)
def test_overlapping_bands_are_refused(one, other, found):
    assert (
        codes(checked(a__csv=f"age,count\n{one},500\n".encode(), b__csv=f"age,count\n{other},300\n".encode())) == found
    )


def test_a_study_cannot_release_cells_without_end():
    ledger = tuple(Cell(frozenset({("age", str(year))}), 50, "r1/t:2") for year in range(MAX_CELLS))
    assert codes(checked(ledger=ledger, t__csv=b"sex,count\nF,100\n")) == {"too-large"}


def test_what_was_out_before_a_stricter_rule_does_not_block_the_rest():
    ledger = (Cell(frozenset(), 100, "r1/t:2"), Cell(frozenset({("hospital", "h01")}), 85, "r1/t:3"))
    assert codes(checked(ledger=ledger, smallest=20, t__csv=b"outcome,count\n1,40\n")) == set()


@pytest.mark.parametrize("seed", range(40))
def test_every_group_that_one_subtraction_gives_is_found(seed):
    """An oracle that only knows subtraction: random published cells of a random cohort, all nested pairs."""
    draw = random.Random(seed)
    people = [{"hospital": draw.choice("ab"), "sex": draw.choice("FM"), "age": draw.choice("345")} for _ in range(90)]
    conditions = [
        frozenset(zip(names, values, strict=True))
        for size in range(3)
        for names in itertools.combinations(("hospital", "sex", "age"), size)
        for values in itertools.product(*({"hospital": "ab", "sex": "FM", "age": "345"}[name] for name in names))
    ]
    counts = {where: sum(where <= set(person.items()) for person in people) for where in conditions}
    published = [where for where in conditions if counts[where] >= 10 and draw.random() < 0.5]
    pairs = [
        (whole, part)
        for whole, part in itertools.permutations(published, 2)
        if whole < part and 0 < counts[whole] - counts[part] < 10
    ]
    found = revealed([Cell(where, counts[where], "t:1") for where in published], 10)
    assert bool(found) or not pairs
    for group in found:
        where, rest = group.group
        assert rest is not None or where not in published
