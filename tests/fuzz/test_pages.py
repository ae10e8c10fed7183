"""Pages and their forms are doors too, though no document lists them: odd addresses and odd fields get a page or an
explained no.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import pytest

from tests.fuzz.verdicts import Findings, answered, faults
from tests.fuzz.world import NODES, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: What stands in a gap of an address or in a field.
ODD: Final = (
    "0",
    "-1",
    "9" * 30,
    "x" * 3000,
    "가\u202e",
    "🤦",
    "{}",
    "../..",
    "a/b",
    "%",
    "\x00",
    "' or 1=1 --",
)
#: Fields that forms have, and one that none has.
FIELDS: Final = ("reason", "what", "verdict", "complete", "vote", "next", "snapshot", "more")


@pytest.mark.parametrize("node", NODES)
def test_every_page_and_form_answers_whatever_is_asked(fuzzed: World, node: str) -> None:
    found = Findings()
    for route in fuzzed.pages(node):
        for method in route.methods or ():
            for number, (path, value) in enumerate(addresses(fuzzed, route.path)):
                form = dict.fromkeys(FIELDS[: number % len(FIELDS) + 1], value) if method == "POST" else None
                query = {"after": value, "study": value, "q": value} if method == "GET" else None
                response = fuzzed.session.request(
                    method,
                    fuzzed.url(node) + path,
                    data=form,
                    params=query,
                    headers=fuzzed.person(node),
                    timeout=60,
                    allow_redirects=False,
                    stream=True,
                )
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    response.close()
                    continue
                answer = answered(response)
                found.statuses[answer.status] += 1
                for fault in faults(route.path, answer):
                    how = f"{method} {path[:300]} {form or query}\n    {answer.status} {answer.text[:400]}"
                    found.add(f"{method} {route.path}", fault, how)
    found.nothing(f"pages of {node}")


def addresses(world: World, path: str) -> Iterator[tuple[str, str]]:
    """An address with each odd value in its gaps, and with ids that exist."""
    gaps = path.count("{")
    for value in (*ODD, world.small.study, world.did("h01"), "D-H01-DM"):
        filled = path
        for _ in range(gaps):
            before, _, rest = filled.partition("{")
            filled = before + quote(value, safe="") + rest.partition("}")[2]
        yield filled, value
