"""What all pages of one node share: whose node it is, its people, its menu, where its templates lie."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import Request

from connector.web.people import People
from connector.web.session import Sessions
from vocab.errors import Language

_HERE: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu; without duties it is for everyone who signed in."""

    path: str
    words_key: str
    duties: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    """The node as its pages know it. `templates` are the folders that the roles' own pages bring along.

    Rooms with pages add their lines to `items` when they are installed, in the order of the menu.
    """

    node: str
    ko: str
    en: str
    roles: tuple[str, ...]
    people: People
    sessions: Sessions
    menu: tuple[Item, ...] = ()
    templates: tuple[Path, ...] = ()
    items: list[Item] = field(default_factory=list)

    def name(self, language: Language) -> str:
        """The organisation's name."""
        return self.ko if language == "ko" else self.en

    @property
    def cookie(self) -> str:
        """The session cookie. Browsers share cookies between ports of one host, so each node has its own name."""
        return f"dure-{self.node}"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where templates are looked up: the shared ones first, so that no role can replace them."""
        return (_HERE, *self.templates)


def site_of(request: Request) -> Site:
    """The site that `install` gave this app."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - an app without `install` is a bug of ours
    return site
