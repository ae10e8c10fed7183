"""Draws view models with the real templates, in both languages, and looks for what may never stand on a page."""

from types import SimpleNamespace
from typing import Any

from connector.web.layout import environments
from connector.web.people import People
from connector.web.session import Sessions
from connector.web.site import Site
from connector.web.timeline import Panel, Timeline
from vocab.errors import LANGUAGES

NOW = 1_795_410_309_000
STUDY = "urn:uuid:6f1c2f5e-8d2a-4f0e-9b50-2f4c1f3d7a11"
#: What a hostile peer writes wherever it may write something.
EVIL = "<script>alert(1)</script>\"'"

_SITE = Site("h01", "새빛대학병원", "Saebit", ("provider",), People([]), Sessions(People([]), lambda: 0.0))
_ENVIRONMENTS = environments(_SITE)


def drawn(page: Any, template: str = "timeline.html", **more: object) -> dict[str, str]:
    """The page in each language. A gap in its values is an error."""
    shared = {"site": _SITE, "person": None, "menu": [], "here": "/", "languages": []}
    return {
        language: _ENVIRONMENTS[language]
        .get_template(template)
        .render(shared, site_name=_SITE.name(language), page=page, **more)
        for language in LANGUAGES
    }


def panels(*found: Panel) -> dict[str, str]:
    """A timeline with these panels."""
    return drawn(Timeline(title="t", now_ms=NOW, refresh_url="/t", panels=found))


def harmless(pages: dict[str, str]) -> None:
    """The hostile words stand there, as text."""
    for html in pages.values():
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html


def name(who: str) -> Any:
    """Everybody by name, as the rights room would."""
    return f"«{who.rpartition(':')[2]}»" if who.startswith("did:") else who


def row(**fields: Any) -> Any:
    """Any row: views read members only."""
    return SimpleNamespace(**fields)
