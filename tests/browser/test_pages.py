"""Pages as people meet them: readable by everyone, in Korean letters that we chose, by keyboard, without scripts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import app as pages
from tests.browser.conftest import Tab

Opener = Callable[..., Tab]
PATHS = [*pages.PAGES, "/login", "/refused", "/nowhere"]
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_is_accessible_and_nothing_runs_out_of_it(
    tab: Opener, language: str, scheme: str, width: int
) -> None:
    shown = tab(language, scheme, width)
    shown.sign_in()
    for path in PATHS:
        shown.complaints.clear()
        shown.open(path)
        where = f"{language} {scheme} {width} {path}"
        assert shown.page.locator("html").get_attribute("lang") == language, where
        assert shown.violations() == [], where
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where} scrolls sideways"
        errors = [text for text in shown.complaints if "status of 40" not in text]
        assert errors == [], where
        if folder := os.environ.get("DURE_SHOTS"):
            name = f"{path.strip('/') or 'home'}-{language}-{scheme}-{width}.png"
            shown.page.screenshot(path=str(Path(folder) / name), full_page=True)


def test_a_bad_page_is_found_out(tab: Opener) -> None:
    shown = tab()
    shown.open("/bad")
    assert len(shown.violations()) >= 3


@pytest.mark.parametrize("path", ["/hospital", "/board", "/login"])
def test_hangul_is_drawn_with_our_font_and_no_other(tab: Opener, path: str) -> None:
    shown = tab("ko")
    shown.sign_in()
    shown.open(path)
    found = shown.fonts()
    ours = found.pop("Pretendard Variable", 0)
    assert ours > 50
    assert {name for name in found if "Mono" not in name and "mono" not in name} == set(), found


def test_the_skip_link_comes_first_and_leads_to_the_heading(tab: Opener) -> None:
    shown = tab()
    shown.sign_in()
    shown.open("/hospital")
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.className") == "skip"
    shown.page.keyboard.press("Enter")
    assert shown.page.evaluate("document.activeElement.id") == "title"


def test_stopping_takes_two_steps_with_the_keyboard_and_works_without_scripts(
    tab: Opener, served: tuple[str, Any]
) -> None:
    shown = tab(java_script_enabled=False)
    shown.sign_in()
    shown.page.goto(shown.base + "/hospital")
    before = served[1].state.stopped
    shown.page.locator(".danger summary").focus()
    assert not shown.page.locator(".danger button").is_visible()
    shown.page.keyboard.press("Enter")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Enter")
    shown.page.wait_for_url(shown.base + "/stop")
    assert served[1].state.stopped == before + 1


def test_a_live_page_draws_itself_again_when_the_node_says_so(tab: Opener, served: tuple[str, Any]) -> None:
    shown = tab()
    shown.sign_in()
    shown.open("/hospital")
    shown.page.locator(".danger summary").click()
    drawn = served[1].state.drawn
    shown.page.evaluate("document.querySelector('#live [role=status]').textContent = 'old'")
    served[1].state.changed.set()
    shown.page.locator("#live [role=status]", has_text="14:05").wait_for()
    assert served[1].state.drawn > drawn
    assert shown.page.locator(".danger button").is_visible(), "what a person has opened stays open"
    assert shown.complaints == []


def test_a_session_that_ended_leads_a_live_page_to_the_door(tab: Opener, served: tuple[str, Any]) -> None:
    shown = tab()
    shown.sign_in()
    shown.open("/hospital")
    shown.page.context.clear_cookies()
    served[1].state.changed.set()
    shown.page.wait_for_url(lambda url: "/login" in url)
    assert shown.page.locator("#token").is_visible()


def test_a_script_in_the_page_does_not_run(tab: Opener) -> None:
    shown = tab()
    shown.open("/inline")
    assert shown.page.title() != "inline"
    assert any("Content Security Policy" in text for text in shown.complaints)


def test_the_language_switch_keeps_the_page_and_stays(tab: Opener) -> None:
    shown = tab("ko")
    shown.sign_in()
    shown.open("/board")
    shown.page.locator("a[hreflang=en]").click()
    shown.page.wait_for_url("**/board?lang=en")
    shown.open("/log")
    assert shown.page.locator("h1").inner_text() == "Public log"
