"""The layout: languages, strict templates, values that never become markup."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from web_node import BROWSER, Visitor, make, signed_in_visitor


@pytest.mark.parametrize(
    ("address", "headers", "language"),
    [
        ("/login", {}, "ko"),
        ("/login", {"Accept-Language": "en"}, "en"),
        ("/login", {"Accept-Language": "fr, en-GB;q=0.8, ko;q=0.9"}, "ko"),
        ("/login", {"Accept-Language": "fr, de;q=0.5"}, "ko"),
        ("/login", {"Accept-Language": "en;q=0, ko;q=0.1"}, "ko"),
        ("/login", {"Accept-Language": ",;q=x,en;q=abc"}, "ko"),
        ("/login?lang=en", {"Accept-Language": "ko"}, "en"),
        ("/login?lang=xx", {"Accept-Language": "en"}, "en"),
    ],
)
def test_a_page_speaks_the_asked_language_and_korean_otherwise(
    address: str, headers: dict[str, str], language: str
) -> None:
    page = Visitor(make()).get(address, headers=headers)
    assert f'<html lang="{language}">' in page.text
    assert ("로그인" if language == "ko" else "Sign in") in page.text


def test_the_chosen_language_stays_and_the_switch_keeps_the_place() -> None:
    client = Visitor(make())
    page = client.get("/login?next=/page", headers=BROWSER)
    assert 'href="/login?next=%2Fpage&amp;lang=en"' in page.text
    client.get("/login?lang=en", headers=BROWSER)
    assert '<html lang="en">' in client.get("/login", headers=BROWSER).text


def test_a_language_cannot_carry_a_header() -> None:
    answer = Visitor(make()).get("/login?lang=en%0d%0aX-Evil:%201")
    assert "x-evil" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_values_are_text_and_never_markup() -> None:
    page = signed_in_visitor(make()).get("/page", headers=BROWSER)
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page.text
    assert "<b>" not in page.text


def test_a_template_that_names_what_is_not_there_fails(tmp_path: Path) -> None:
    (tmp_path / "gap.html").write_text("{{ nothing }}")
    app = make((tmp_path,))
    template = app.state.environments["ko"].get_template("gap.html")
    with pytest.raises(UndefinedError):
        template.render()
    assert Visitor(app).get("/template/gap.html").status_code == 500


def test_a_role_cannot_replace_a_shared_template(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text("mine")
    assert "로그인" in Visitor(make((tmp_path,))).get("/login", headers=BROWSER).text
