"""What counts as an answer of a peer, and what is waited out."""

import pytest

from connector.kit.http import MOST_DEPTH, answered
from connector.kit.ports import Unreachable


def test_what_we_hold_already_may_be_said_to_be_so_still() -> None:
    assert answered("u", 304, "", b"").status == 304


@pytest.mark.parametrize("status", [301, 302, 307, 308, 429, 500, 502, 503])
def test_redirects_and_passing_trouble_are_no_answer(status: int) -> None:
    with pytest.raises(Unreachable):
        answered("u", status, "application/json", b"{}")


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"a":' * (MOST_DEPTH + 2) + b"1" + b"}" * (MOST_DEPTH + 2)])
def test_json_that_cannot_be_read_under_the_caps_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable):
        answered("u", 200, "application/json", body)


def test_a_page_is_no_answer() -> None:
    with pytest.raises(Unreachable):
        answered("u", 200, "text/html; charset=utf-8", b"<html>")
