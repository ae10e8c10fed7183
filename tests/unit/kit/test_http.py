"""What counts as an answer of a peer, and what is waited out."""

import pytest

from connector.kit.http import MOST_DEPTH, answered, next_page
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


def test_what_names_no_type_and_looks_like_an_object_is_read_as_one() -> None:
    """A test kit answers so; a peer's answer must not be lost over a missing header."""
    assert answered("u", 200, "", b' {"providerPid": "p"}').body == {"providerPid": "p"}
    assert answered("u", 200, "", b"done").body is None
    assert answered("u", 200, "text/plain", b'{"a": 1}').body is None


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ('<https://h01.example/catalog/request?page=x>; rel="next"', "https://h01.example/catalog/request?page=x"),
        ("</catalog/request?page=x>; rel=next", "https://h01.example/catalog/request?page=x"),
        (
            '<https://h01.example/catalog/request?page=a>; rel="previous", </catalog/request?page=b>; rel="next"',
            "https://h01.example/catalog/request?page=b",
        ),
        ('<https://h01.example/catalog/request?page=x>; rel="previous"', None),
        ('<https://elsewhere.example/catalog/request?page=x>; rel="next"', None),
        ('<https://h01.example/other?page=x>; rel="next"', None),
        ('<http://h01.example/catalog/request?page=x>; rel="next"', None),
        ("", None),
        ("<" * 10_000, None),
    ],
)
def test_the_next_page_is_followed_only_below_the_address_that_was_asked(link: str, following: str | None) -> None:
    assert next_page("https://h01.example/catalog/request", link) == following
