"""Signing in with a browser, and what other sites cannot do with it."""

import pytest
from web_node import BEARER, BROWSER, KIM, OURS, TOKEN, Visitor, Watch, make, signed_in_visitor

from connector.web.entrance import inside
from connector.web.session import LASTS_S


def test_a_token_opens_a_session_that_scripts_cannot_read() -> None:
    answer = Visitor(make()).post("/login", data={"token": f" {TOKEN}\n", "next": "/page?x=1"}, headers=OURS)
    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/page?x=1")
    assert cookie.startswith("dure-h01=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie


def test_over_tls_the_cookie_is_secure() -> None:
    answer = Visitor(make(), "https").post("/login", data={"token": TOKEN}, headers={"Origin": "https://testserver"})
    assert "; Secure" in answer.headers["set-cookie"]


def test_two_nodes_on_one_host_have_cookies_of_their_own() -> None:
    jars = [signed_in_visitor(make(node=node)).cookies for node in ("h01", "h03")]
    assert [list(jar) for jar in jars] == [["dure-h01"], ["dure-h03"]]


def test_signed_in_a_page_opens_and_names_the_person() -> None:
    page = signed_in_visitor(make()).get("/page", headers=BROWSER)
    assert page.status_code == 200
    assert "김하늘" in page.text


def test_the_menu_shows_what_the_persons_duties_open() -> None:
    page = signed_in_visitor(make()).get("/page", headers=BROWSER)
    assert 'href="/page"' in page.text
    assert 'href="/board"' not in page.text


def test_not_signed_in_a_browser_is_asked_and_a_program_refused() -> None:
    client = Visitor(make())
    page = client.get("/page?q=가&r=1", headers=BROWSER)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fpage%3Fq%3D%25EA%25B0%2580%26r%3D1")
    answer = client.get("/page")
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")


def test_a_wrong_token_shows_the_form_again_and_opens_nothing() -> None:
    answer = Visitor(make()).post("/login", data={"token": "x" * 40}, headers={**OURS, **BROWSER})
    assert answer.status_code == 401
    assert "이 토큰으로 등록된 사람이 없습니다" in answer.text
    assert "x" * 40 not in answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_ends_when_its_day_is_over() -> None:
    watch = Watch()
    client = signed_in_visitor(make(watch=watch))
    watch.seconds += LASTS_S - 1
    assert client.get("/page").status_code == 200
    watch.seconds += 1
    assert client.get("/page").status_code == 401


def test_signing_out_ends_the_session_on_the_node_and_not_only_in_the_browser() -> None:
    client = signed_in_visitor(make())
    cookies = dict(client.cookies)
    assert client.post("/logout", headers=OURS).headers["location"] == "/login"
    client.cookies.update(cookies)
    assert client.get("/page").status_code == 401


def test_guessing_is_slow_and_the_right_token_waits_too() -> None:
    watch = Watch()
    client = Visitor(make(watch=watch))
    for _ in range(5):
        assert client.post("/login", data={"token": "x"}, headers=OURS).status_code == 401
    late = client.post("/login", data={"token": TOKEN}, headers={**OURS, "Accept-Language": "en"})
    assert late.status_code == 429
    assert "try again in 60 s" in late.text
    watch.seconds += 61
    assert client.post("/login", data={"token": TOKEN}, headers=OURS).status_code == 303


def test_a_success_forgets_the_failures_before_it() -> None:
    client = Visitor(make())
    for _ in range(3):
        for _ in range(4):
            client.post("/login", data={"token": "x"}, headers=OURS)
        assert client.post("/login", data={"token": TOKEN}, headers=OURS).status_code == 303


FOREIGN = [
    {},
    {"Origin": "null"},
    {"Origin": "http://testserver.evil.example"},
    {"Origin": "http://testserver:81"},
    {"Origin": "http://evil.example#testserver"},
    {"Origin": "http://[bad"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/do", "/steward", "/logout"])
def test_another_site_cannot_act_with_my_session(path: str, headers: dict[str, str]) -> None:
    client = signed_in_visitor(make())
    answer = client.post(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
    assert client.get("/page").status_code == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_site_cannot_sign_me_in_as_someone(headers: dict[str, str]) -> None:
    answer = Visitor(make()).post("/login", data={"token": TOKEN}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers", [OURS, {"Sec-Fetch-Site": "same-origin"}, {**OURS, "Sec-Fetch-Site": "same-origin"}]
)
def test_our_own_pages_can(headers: dict[str, str]) -> None:
    assert signed_in_visitor(make()).post("/do", headers=headers).json() == KIM.id


def test_a_program_with_a_token_needs_no_origin() -> None:
    assert Visitor(make()).post("/do", headers=BEARER).json() == KIM.id


def test_a_wrong_token_is_not_rescued_by_a_session() -> None:
    client = signed_in_visitor(make())
    assert client.post("/do", headers={**OURS, "Authorization": "Bearer nobody"}).status_code == 401


def test_one_of_the_named_duties_is_enough_and_none_is_refused() -> None:
    client = Visitor(make())
    assert client.post("/steward", headers=BEARER).json() == KIM.id
    answer = client.post("/keys", headers=BEARER)
    assert answer.status_code == 403
    assert answer.json() | {"what": "", "do": ""} == {
        "code": "duty-missing",
        "needed": ["keys"],
        "seen": ["steward"],
        "what": "",
        "do": "",
    }


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/page\r\nSet-Cookie: a=b",
        "page",
        "",
        "http:/page",
        "//[bad",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(target: str) -> None:
    assert inside(target) == "/"
    answer = Visitor(make()).post("/login", data={"token": TOKEN, "next": target}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "a=b" not in answer.headers["set-cookie"]


def test_a_page_of_this_node_stays_the_target() -> None:
    assert inside("/hospital?study=urn:uuid:1&lang=en") == "/hospital?study=urn:uuid:1&lang=en"
