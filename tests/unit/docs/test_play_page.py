"""docs/play.md names every row of the play under its step, and no other."""

import re

from connector.play.scenario import ROWS
from tests.tools.documents import DOCS

LINE = re.compile(r"^\| ([\d, -]+) \| (.+) \| (`.+`) \|$", re.MULTILINE)


def numbers(steps: str) -> set[int]:
    """`4, 5` and `14-17` as numbers."""
    runs = [[int(one) for one in part.split("-")] for part in steps.split(",")]
    return {number for run in runs for number in range(run[0], run[-1] + 1)}


def rows() -> list[tuple[tuple[int, str], str]]:
    """Every row that the page names, with the clause beside it."""
    found = []
    for steps, clause, keys in LINE.findall((DOCS / "play.md").read_text("utf-8")):
        for key in re.findall(r"`([^`]+)`", keys):
            places = [(step, key) for step in numbers(steps) if (step, key) in ROWS]
            assert len(places) == 1, (steps, key)
            found.append((places[0], clause))
    return found


def test_the_page_names_every_row_of_the_play_once() -> None:
    assert sorted(place for place, _ in rows()) == sorted(ROWS)


def test_what_is_not_built_is_called_so_and_what_must_be_refused_too() -> None:
    for place, clause in rows():
        row = ROWS[place]
        assert clause.startswith("not built") != row.built, place
        if clause.startswith("✗") and place != (3, "hospital-sees"):
            assert row.code, place
        if row.code and place != (3, "non-commercial"):
            assert clause.startswith("✗"), place
