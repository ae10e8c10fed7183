"""What members say to each other, changed: each message of a study is sent again by who sent it, with a fresh token,
with something in it changed and mostly signed anew. Whatever becomes of it, it is never our own fault.
"""

import copy
import json
import random
import uuid
from typing import Any, Final

import pytest

from tests.fuzz.bounds import SECONDS, dice, share
from tests.fuzz.verdicts import Findings, answered, faults
from tests.fuzz.world import World
from tests.space import Message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS * 3 + 600)]

#: What may stand anywhere.
ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 3, "3", 2**53 - 1, -(2**53) + 1, 0.5, 1e308, 5e-324, "", " ", "x" * 5000, "\n"),
    *([], {}, [[]], [{}], {"": ""}, [None], [1, "1"], {"@id": ""}, {"@value": "x", "@language": "ko"}),
    *("did:web:", "did:web:nobody.example", "urn:uuid:", "urn:uuid:00000000-0000-4000-8000-000000000000"),
    *("http://[", "http://localhost:1/x", "file:///etc/passwd", "//", "../..", "sha256:" + "0" * 64, "0" * 64),
    *(
        "2026-13-45T99:99:99Z",
        "9999-12-31T23:59:59Z",
        "P1D",
        "PT0S",
        "\u202e",
        "가",
        "𝔘",
        "\ue000",
        "\x7f",
        "%00",
        "{}",
    ),
    *("AAAA", "=", "e30.e30.e30", "a.b.c"),
)


def test_whatever_a_member_says_is_answered(fuzzed: World) -> None:
    found, left = Findings(), share(0.25)
    samples = [one for one in fuzzed.heard.values() if one.method != "GET" and is_json(one.content)]
    assert len(samples) > 15, sorted(fuzzed.heard)
    chances = [(one, dice("member", one.target, one.method, number)) for number, one in enumerate(samples)]
    while True:
        for message, chance in chances:
            said(fuzzed, message, changed(fuzzed, message, chance), found)
        if not left():
            break
    found.nothing(f"members, {len(samples)} kinds of messages")


def said(world: World, message: Message, content: bytes, found: Findings) -> None:
    """Says it again."""
    headers = {name: value for name, value in message.headers.items() if name.lower() != "authorization"}
    headers |= world.member(message.target, message.source)
    answer = answered(world.session.request(message.method, message.url, data=content, headers=headers, timeout=60))
    found.statuses[answer.status] += 1
    asked = f"{message.source}: {message.method} {message.url}\n    {content[:1500]!r}"
    how = f"{asked}\n    {answer.status} {answer.text[:400]}"
    for fault in faults(message.path, answer):
        found.add(f"{message.method} {message.target} {message.path}", fault, how)


def is_json(content: bytes) -> bool:
    """Whether it is a message that can be changed."""
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


def changed(world: World, message: Message, chance: random.Random) -> bytes:
    """The message with one to three changes."""
    document = copy.deepcopy(json.loads(message.content))
    for _ in range(chance.choice((1, 1, 2, 3))):
        change(document, chance)
    if chance.random() < 0.5:
        document = {name: fresh(value) if name in ("@id", "consumerPid") else value for name, value in document.items()}
    if chance.random() < 0.7:
        document = resigned(world, document)
    return json.dumps(document).encode()


def change(document: Any, chance: random.Random) -> None:
    """One change somewhere in it."""
    places = [(document, key) for key in document]
    for holder, key in places:
        inner = holder[key]
        if isinstance(inner, dict):
            places += [(inner, name) for name in inner]
        elif isinstance(inner, list):
            places += [(inner, number) for number in range(len(inner))]
    if not places:
        return
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(("more", "", "@type", "type", "@context", "x" * 300))] = chance.choice(ODD)
        case 2 if isinstance(holder, list):
            holder.extend(copy.deepcopy(holder) * chance.choice((1, 30)))
        case 3:
            other_holder, other = chance.choice(places)
            holder[key] = copy.deepcopy(other_holder[other])
        case _:
            holder[key] = copy.deepcopy(chance.choice(ODD))


def fresh(value: Any) -> Any:
    """Another id of the same kind, so that it is not taken for one that was heard before."""
    return uuid.uuid4().urn if isinstance(value, str) and value.startswith("urn:uuid:") else value


def resigned(world: World, document: Any) -> Any:
    """Every envelope in it signed again by its first signer, so that the change is not refused as a forgery."""
    if not isinstance(document, dict):
        return document
    body, signatures = document.get("body"), document.get("signatures")
    if isinstance(body, dict) and isinstance(body.get("type"), str) and isinstance(signatures, list) and signatures:
        first = signatures[0]
        did = first.get("did") if isinstance(first, dict) else None
        try:
            return (world.sign(did, body) if isinstance(did, str) else None) or document
        except Exception:  # noqa: BLE001 - what cannot be signed is sent as it is
            return document
    return {name: resigned(world, value) for name, value in document.items()}
