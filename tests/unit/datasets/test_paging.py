"""Pages of a catalogue: every dataset once, forwards and backwards, and a link is nothing that a peer can bend."""

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.datasets.paging import Page, links, opened
from vocab.errors import Refusal
from vocab.messages.catalogue import LARGEST_PAGE

ADDRESS = "https://h01.example/dsp/2025-1/catalog/request"
IDS = st.lists(st.text("ABCDE012", min_size=1, max_size=4), unique=True, max_size=40).map(sorted)


def followed(header: str | None, rel: str) -> str | None:
    found = re.search(rf'<([^>]+)>; rel="{rel}"', header or "")
    if found is None:
        return None
    assert found[1].startswith(ADDRESS + "?page=")
    return parse_qs(urlsplit(found[1]).query)["page"][0]


@given(IDS, st.integers(1, 12))
def test_next_shows_every_dataset_once_and_previous_leads_back(ids: list[str], limit: int) -> None:
    page, seen, firsts = Page(0, limit), [], []
    while True:
        seen += ids[page.first : page.first + page.limit]
        firsts.append(page.first)
        token = followed(links(page, ids, ADDRESS), "next")
        if token is None:
            break
        page = opened(token, ids)
    assert seen == ids
    while (token := followed(links(page, ids, ADDRESS), "previous")) is not None:
        firsts.pop()
        page = opened(token, ids)
        assert page.first == firsts[-1]
    assert page.first == 0


@given(IDS.filter(lambda ids: len(ids) > 3), st.data())
def test_a_dataset_that_comes_or_goes_meanwhile_shifts_nothing(ids: list[str], data: st.DataObject) -> None:
    token = followed(links(Page(0, 2), ids, ADDRESS), "next")
    assert token is not None
    changed = sorted({*ids[1:], data.draw(st.text("ABCDE012", min_size=1, max_size=4))})
    assert changed[opened(token, changed).first] == min(one for one in changed if one >= ids[2])


NOT_OURS = [7, [], ["A"], ["A", 0], ["A", -1], ["A", True], ["A", LARGEST_PAGE + 1], [1, 2], {"A": 1}, ["A", 1.5]]
WRITTEN = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in NOT_OURS]


@pytest.mark.parametrize("token", ["", "x", "!!!", "é", *WRITTEN])
def test_anything_else_is_no_link_of_ours(token: str) -> None:
    with pytest.raises(Refusal, match="message-malformed"):
        opened(token, ["A", "B"])
