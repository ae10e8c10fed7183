"""A real Chromium before the real layout. What is missing is named with the one command that installs it."""

import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.browser import app as pages
from tests.conftest import need

CHROMIUM = Path("/usr/bin/chromium")
CACHE = Path(os.environ.get("DURE_SERVERS", Path.home() / ".cache/dure-servers"))
AXE = CACHE / "axe/node_modules/axe-core/axe.min.js"
INSTALL = "bash tests/tools/browser.sh install"
#: The browser can reach nothing but this machine.
ARGS = ["--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]


@dataclass
class Tab:
    """One page in one language, one colour scheme, one width; and what the browser complained about."""

    page: Any
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Loads a page until its fonts are there."""
        self.page.goto(self.base + path, wait_until="load")
        self.page.evaluate("document.fonts.ready.then(() => true)")

    def heard(self, message: Any) -> None:
        """A line on the browser's console."""
        if message.type == "error":
            self.complaints.append(message.text)

    def sign_in(self, base: str | None = None, token: str = pages.TOKEN) -> None:
        """As a person does it; at another node, all that follows is there."""
        self.base = base or self.base
        self.open("/login")
        self.page.locator("#token").fill(token)
        self.page.locator("main button").click()
        self.page.wait_for_url(self.base + "/")

    def fonts(self) -> dict[str, int]:
        """Which fonts drew how many glyphs of the page."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("DOM.enable")
        session.send("CSS.enable")
        root = session.send("DOM.getDocument")["root"]["nodeId"]
        found: dict[str, int] = {}
        for selector in ("h1", "p", "th", "td", "button", "dt", "dd", "label", "textarea", "summary", "a", "legend"):
            for node in session.send("DOM.querySelectorAll", {"nodeId": root, "selector": selector})["nodeIds"]:
                for font in session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]:
                    name = f"{font['familyName']} {'' if font['isCustomFont'] else '(of the machine)'}".strip()
                    found[name] = found.get(name, 0) + int(font["glyphCount"])
        return found

    def violations(self) -> list[str]:
        """What axe finds by the rules of WCAG 2.2 AA, with the first place of each."""
        self.page.evaluate(AXE.read_text("utf-8"))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = self.page.evaluate("tags => axe.run({runOnly: tags})", tags)
        assert found["passes"]
        return [f"{item['id']}: {item['nodes'][0]['html'][:160]}" for item in found["violations"]]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """The browser, once for this ring: while it is there, this thread has an event loop that runs."""
    found = CHROMIUM.exists() and AXE.exists() and importlib.util.find_spec("playwright")
    need(found, INSTALL)
    from playwright.sync_api import sync_playwright

    arguments = [*ARGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, Any]]:
    """The sample pages on a free port, and their app."""
    app = pages.make()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until, "the sample pages did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def tab(chromium: Any, served: tuple[str, Any]) -> Iterator[Callable[..., Tab]]:
    """Opens tabs: `tab("ko", "dark", 390)`."""
    contexts = []

    def opened(language: str = "ko", scheme: str = "light", width: int = 1280, **more: Any) -> Tab:
        context = chromium.new_context(
            locale={"ko": "ko-KR", "en": "en-GB"}[language],
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
            **more,
        )
        contexts.append(context)
        context.set_default_timeout(60_000)
        found = Tab(context.new_page(), served[0])
        found.page.on("console", found.heard)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        return found

    yield opened
    for context in contexts:
        context.close()
