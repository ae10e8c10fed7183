"""Every "no" at the edge: for programs and for people, in both languages, and without what it must not tell."""

import logging
from collections.abc import AsyncIterator

import pytest
from web_node import BEARER, BROWSER, OURS, TOKEN, Visitor, make

ENGLISH = {"Accept": "text/html", "Accept-Language": "en-US,en;q=0.9,ko;q=0.5"}


def test_a_program_gets_code_reason_remedy_and_values() -> None:
    answer = Visitor(make()).get("/refuse", headers={"Accept-Language": "en"})
    assert answer.status_code == 403
    assert answer.json() == {
        "code": "duty-missing",
        "what": "This needs a duty that you do not have.",
        "do": "Ask someone who has the duty: steward",
        "rule": "r<1>",
        "needed": ["steward"],
        "seen": ["analyst"],
    }


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (BROWSER, ("이 일을 할 직무가 없습니다.", "필요한 값", "확인된 값")),
        (ENGLISH, ("a duty that you do not have", "Needed", "Seen")),
    ],
)
def test_a_person_gets_the_same_as_a_page_in_their_language(headers: dict[str, str], words: tuple[str, ...]) -> None:
    page = Visitor(make()).get("/refuse", headers=headers)
    assert page.status_code == 403
    assert page.headers["content-type"].startswith("text/html")
    for shown in (*words, "duty-missing", "GET /refuse", "r&lt;1&gt;", "steward", "analyst"):
        assert shown in page.text, shown


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ({"count": "3", "name": "a"}, "body.count", "must be an integer"),
        ({"count": 3}, "body.name", "is missing"),
        ({"count": 3, "name": "a", "more": 1}, "body.more", "is not a known member"),
        ({"count": 3, "name": "secret-value"}, "body.name", "is too long"),
        ([], "body", "must be an object"),
    ],
)
def test_a_malformed_request_is_told_where_and_why_but_not_its_values(body: object, where: str, why: str) -> None:
    answer = Visitor(make()).post("/body", json=body, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["values"] == {"where": where, "why": why}
    assert "secret" not in answer.text


def test_what_is_not_json_is_malformed_too() -> None:
    for content in (b"{", b"\xff\xfe", b'"\xff"', b"", b"[" * 600, b"[" * 99_000, b"9" * 5_000):
        visitor = Visitor(make(most=100_000))
        answer = visitor.post("/body", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid"), content[:10]


@pytest.mark.parametrize(
    "content",
    [
        b'{"count": 3, "count": 4, "name": "a"}',
        b'{"count": 3, "name": "a\\u0000"}',
        b'{"count": 3, "name": "a", "more": NaN}',
        b'{"count": 3, "name": "a", "more": 1e999}',
        b'{"count": 3, "name": "a", "more": 18446744073709551616}',
        b'{"count": 3, "name": "a", "more": "\\ud800"}',
        b'{"count": 3, "name": "a", "more": ' + b"[" * 100 + b"]" * 100 + b"}",
        '{"count": 3, "name": "a"}'.encode("utf-16"),
    ],
)
def test_json_that_two_readers_would_read_differently_is_malformed(content: bytes) -> None:
    answer = Visitor(make()).post("/body", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["values"]["where"] == "body"


@pytest.mark.parametrize("path", ["/page?after=%00", "/page?%00=1", "/template/%00"])
def test_a_zero_byte_in_an_address_is_malformed(path: str) -> None:
    answer = Visitor(make()).get(path, headers=BEARER)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_a_zero_byte_in_a_form_is_malformed() -> None:
    for field in ("next", "more"):
        answer = Visitor(make()).post("/login", data={"token": TOKEN, field: "/\x00"}, headers=OURS)
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_unknown_addresses_and_methods_have_codes() -> None:
    client = Visitor(make())
    assert client.get("/nowhere").json()["code"] == "not-found"
    wrong = client.ask("PUT", "/body")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "method-not-allowed", "POST")


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b" " * 100


@pytest.mark.parametrize("path", ["/body", "/login", "/nowhere"])
def test_a_huge_body_is_refused_with_its_code_wherever_it_is_read(path: str) -> None:
    huge = Visitor(make()).post(path, content=b" " * 1_001, headers={"Content-Type": "application/json"})
    assert (huge.status_code, huge.json()["code"]) == (413, "body-too-large")


def test_a_huge_body_of_unknown_length_is_refused_too_and_people_get_a_page() -> None:
    client = Visitor(make())
    huge = client.post("/body", content=chunks(), headers={"Content-Type": "application/json"})
    assert (huge.status_code, huge.json()["code"]) == (413, "body-too-large")
    page = client.post("/body", content=b" " * 1_001, headers={**BROWSER, "Content-Type": "application/json"})
    assert (page.status_code, page.headers["content-type"][:9]) == (413, "text/html")
    assert "너무 큽니다" in page.text


def test_an_address_that_was_not_found_cannot_write_into_the_page() -> None:
    page = Visitor(make()).get("/%3Cscript%3Ealert(1)%3C/script%3E", headers=BROWSER)
    assert page.status_code == 404
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_our_own_fault_gives_a_number_and_no_trace(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "dure.web"):
        answer = Visitor(make()).get("/crash", headers=headers)
    assert answer.status_code == 500
    assert "bug" in answer.text
    assert "ZeroDivision" not in answer.text
    assert "630101" not in answer.text
    record = caplog.messages[0].removeprefix("bug ")
    assert len(record) == 12
    assert record in answer.text


def test_a_broken_page_is_still_answered() -> None:
    answer = Visitor(make()).get("/template/timeline.html", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (500, "text/html")


def test_htmx_is_told_to_load_the_whole_page() -> None:
    answer = Visitor(make()).get("/page", headers={**BROWSER, "HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (401, "true")


def test_every_page_forbids_foreign_content_and_framing() -> None:
    page = Visitor(make()).get("/login", headers=BROWSER)
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in page.text
    assert "<style" not in page.text


def test_openapi_says_how_to_authenticate() -> None:
    schema = Visitor(make()).get("/openapi.json", headers=BEARER).json()
    assert schema["paths"]["/do"]["post"]["security"] == [{"person": []}]
    assert "/login" not in schema["paths"]
