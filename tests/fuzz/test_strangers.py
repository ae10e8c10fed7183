"""Whoever does not prove who they are: every door but the public ones is shut, and knocking leaves no trace."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from connector.identity.tokens import issue
from tests.fuzz.doors import doors, security
from tests.fuzz.verdicts import Findings, answered, faults
from tests.fuzz.world import NODES, World, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: Doors without a token, each with the reason why: docs/wire.md.
PUBLIC: Final = {
    "GET /.well-known/did.json",
    "GET /.well-known/dspace-version",
    "POST /standing",  # the pinned key's signature
    "POST /permits",  # the operator's signatures
    "POST /witness/add-checkpoint",  # the log's signature
    "GET /log/checkpoint",
    "GET /log/policy",
    "GET /log/tile/{path}",
    "GET /log/proofs/{digest}",
    "GET /settlements/{run}",
    "GET /settlements/{run}/receipts",
    "GET /audit",
    "GET /data/{pid}",  # the transfer's own token
    "POST /landing/{pid}",  # the same
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A space in which nothing happens by itself."""
    folder: Path = tmp_path_factory.mktemp("quiet")
    with world(folder, study=False) as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)


def test_the_public_doors_are_these(quiet: World) -> None:
    found = {door for node in NODES for door, token in security(quiet.document(node)).items() if token is None}
    assert found == PUBLIC


@pytest.mark.parametrize("node", NODES)
def test_without_a_token_that_counts_every_door_is_shut_and_nothing_is_kept(quiet: World, node: str) -> None:
    before, found = quiet.settled_rows(node), Findings()
    for door in doors(quiet.document(node)):
        if door.token is None:
            continue
        for what, headers in strangers(quiet, node).items():
            url = quiet.url(node) + door.filled("urn:uuid:00000000-0000-4000-8000-000000000000")
            answer = answered(quiet.session.request(door.method, url, json=door.body, headers=headers, timeout=60))
            found.statuses[answer.status] += 1
            how = f"{door.method} {url} {answer.status} {answer.text[:300]}"
            for fault in faults(door.path, answer):
                found.add(door.label, f"{what}: {fault}", how)
            if answer.status not in ((404,) if door.path.startswith("/dsp/") else (401, 403)):
                found.add(door.label, f"{what}: {answer.status}", how)
    found.nothing(f"strangers at {node}")
    assert quiet.settled_rows(node) == before


def strangers(world: World, node: str) -> dict[str, dict[str, str]]:
    """Everybody who is nobody here."""
    keys, now = world.keys("a03"), world.now()
    ours, theirs = world.did(node), world.did("a03")
    tokens = {
        "garbage": "garbage",
        "not ASCII": "\xe9\xff",
        "another node's person": world.token_of("h03"),
        "for somebody else": issue(keys, theirs, world.did("h03"), now),
        "of yesterday": issue(keys, theirs, ours, now - 86_400_000),
        "in another's name": issue(keys, world.did("h03"), ours, now),
        "of nobody's": issue(keys, "did:web:nobody.example", ours, now),
    }
    sent = {what: {"Authorization": f"Bearer {token}"} for what, token in tokens.items()}
    return {"none": {}, "empty": {"Authorization": "Bearer "}, "basic": {"Authorization": "Basic YTpi"}, **sent}
