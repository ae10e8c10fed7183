"""Pages of a catalogue: `next` and `previous` in a Link header (RFC 8288), each an address that is opaque to peers.

A page is named by the dataset that it begins with, so that none is shown twice or left out when others come or go.
"""

import base64
import binascii
import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass

from vocab.errors import Refusal
from vocab.messages.catalogue import LARGEST_PAGE


@dataclass(frozen=True, slots=True)
class Page:
    """From which dataset on, and how many."""

    first: int
    limit: int


def opened(token: str, ids: Sequence[str]) -> Page:
    """The page that a link of ours names. Raises `Refusal("message-malformed")` for anything else."""
    try:
        start, limit = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
        known = isinstance(start, str) and type(limit) is int and 0 < limit <= LARGEST_PAGE
    except (ValueError, TypeError, UnicodeEncodeError, binascii.Error):
        known = False
    if not known:
        raise Refusal("message-malformed", where="page", why="not a link of ours")
    return Page(bisect.bisect_left(ids, start), limit)


def links(page: Page, ids: Sequence[str], address: str) -> str | None:
    """The Link header of a page; None where there is nothing before or after it."""
    found = []
    if page.limit and page.first + page.limit < len(ids):
        found.append(_link(address, ids[page.first + page.limit], page.limit, "next"))
    if page.limit and page.first > 0 and ids:
        found.append(_link(address, ids[max(0, page.first - page.limit)], page.limit, "previous"))
    return ", ".join(found) or None


def _link(address: str, start: str, limit: int, rel: str) -> str:
    token = base64.urlsafe_b64encode(json.dumps([start, limit]).encode()).decode()
    return f'<{address}?page={token}>; rel="{rel}"'
