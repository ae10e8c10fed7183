"""The pages of real nodes before a real browser: accessible, in our letters, live, and with a Stop that stops."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from connector.play.hands import Said
from tests.browser.conftest import Tab
from tests.browser.real import Real

Opener = Callable[..., Tab]

#: One person of each kind: between them they see every page and every form.
PEOPLE = [
    ("op", "chair"),
    ("op", "member-1"),
    ("h01", "steward"),
    ("a02", "pi"),
    ("a03", "pi"),
    ("p01", "operator"),
    ("p01", "reviewer-1"),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with Real(tmp_path_factory.mktemp("space")) as found:
        yield found


def links(shown: Tab) -> list[str]:
    """Where this page's links lead on this node, files left out."""
    found = shown.page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
    return [
        one for one in found if one.startswith("/") and not one.startswith(("/api", "/log/")) and "lang=" not in one
    ]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize(("node", "person"), PEOPLE)
def test_every_page_that_a_person_finds_is_accessible(
    tab: Opener, real: Real, node: str, person: str, language: str
) -> None:
    shown = tab(language, width=390 if language == "en" else 1280)
    shown.sign_in(real.url(node), real.token(node, person))
    seen: set[str] = set()
    todo = ["/"]
    while todo:
        path = todo.pop()
        kind = path.rstrip("0123456789") if path.startswith("/why/") else path
        if kind in seen:
            continue
        seen.add(kind)
        shown.complaints.clear()
        shown.open(path)
        where = f"{node} {person} {language} {path}"
        assert shown.page.locator("html").get_attribute("lang") == language, where
        assert shown.violations() == [], where
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where} scrolls sideways"
        assert shown.complaints == [], where
        todo += links(shown)
        if folder := os.environ.get("DURE_SHOTS"):
            name = f"{node}-{person}-{language}-{len(seen):02}.png"
            shown.page.screenshot(path=str(Path(folder) / name), full_page=True)
    assert len(seen) >= 3


@pytest.mark.parametrize(("node", "person"), [("h01", "steward"), ("a02", "pi"), ("op", "chair"), ("p01", "operator")])
def test_hangul_is_drawn_with_our_font_and_no_other(tab: Opener, real: Real, node: str, person: str) -> None:
    shown = tab("ko")
    shown.sign_in(real.url(node), real.token(node, person))
    shown.open(f"/studies/{quote(real.small.study, safe='')}")
    found = shown.fonts()
    assert found.pop("Pretendard Variable", 0) > 200
    assert {name for name in found if "mono" not in name.lower()} == set(), found


def test_a_study_page_is_live(tab: Opener, real: Real) -> None:
    shown = tab("en")
    shown.sign_in(real.url("a02"), real.token("a02", "pi"))
    shown.open(f"/studies/{quote(real.small.study, safe='')}")
    before = shown.page.locator(".events > li").count()
    shown.page.evaluate("window.kept = true")

    assert real.do(refused(real)) == "code-not-on-permit"
    shown.page.locator(".events > li").nth(before).wait_for()
    assert shown.page.evaluate("window.kept"), "drawn again, not loaded again"
    assert shown.complaints == []


async def refused(real: Real) -> str:
    """Something that the journal of the company tells of the study: the zone's no to another program."""
    try:
        await real.small.submit({"other.py": "print()"})
    except Said as said:
        return said.code
    return "done"


def test_stop_takes_two_steps_and_stops(tab: Opener, real: Real) -> None:
    shown = tab("en")
    shown.sign_in(real.url("h01"), real.token("h01", "steward"))
    study = f"/studies/{quote(real.small.study, safe='')}"
    shown.open(study)
    assert not shown.page.locator(".danger button").is_visible()
    shown.page.locator(".danger summary").click()
    shown.page.locator(".danger textarea").fill("환자 단체가 요청했다.")
    shown.page.locator(".danger button").click()
    shown.page.wait_for_url(real.url("h01") + study)
    assert shown.page.locator(".danger").count() == 0, "what is stopped cannot be stopped again"
    assert shown.page.locator(".events > li[data-kind='stop-pressed']").count() == 1
    if real.task:
        real.do(real.small.reached(real.task, "CANCELED", "SYSTEM_ERROR"))
        shown.page.locator(".events > li[data-kind='stop-told']").wait_for()
        shown.open(study)
        assert "Deletion certificate of a task" in shown.page.locator("main").inner_text()
