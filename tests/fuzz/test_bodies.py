"""Bodies that no reader should take, at every door that takes JSON, from somebody who may speak there: refused with a
code that says where and why, and before anything is kept.
"""

import gzip
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.fuzz.doors import Door, doors, resolved
from tests.fuzz.verdicts import Findings, answered, faults
from tests.fuzz.world import NODES, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JSON: Final = "application/json"
#: What stands where a value should: no two readers make the same of it, or no store can keep it.
VALUES: Final = {
    "NaN": b"NaN",
    "infinite": b"-Infinity",
    "rounded to infinity": b"1e999",
    "more than 64 bits": b"18446744073709551616",
    "rounded": b"9007199254740993",
    "endless number": b"9" * 5000,
    "half a character": b'"\\ud800"',
    "a zero byte": b'"\\u0000"',
    "not UTF-8": b'"\xff\xfe"',
    "deep": b"[" * 100 + b"]" * 100,
    "very deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
}


def bodies(valid: dict[str, Any]) -> Iterator[tuple[str, bytes, str]]:
    """What is wrong with it, the bytes, their type."""
    good = json.dumps(valid).encode()
    name = json.dumps(next(iter(valid), "x")).encode()
    for what, value in VALUES.items():
        rest = good[1:-1]
        yield what, b"{" + rest + (b"," if rest else b"") + b'"more":' + value + b"}", JSON
    yield "a name twice", b"{" + name + b":1," + good[1:-1] + (b"," if good != b"{}" else b"") + name + b":1}", JSON
    yield "a zero byte in a name", b'{"\\u0000":1}', JSON
    yield "nothing", b"", JSON
    yield "half", good[: len(good) // 2] + b"{", JSON
    yield "UTF-16", json.dumps(valid).encode("utf-16"), JSON
    for other in (b"[]", b"null", b"3", b'"x"', b"true"):
        yield f"{other.decode()} instead of an object", other, JSON
    yield "packed", gzip.compress(good), JSON
    yield "not called JSON", good, "text/plain"
    yield "a form", b"a=1", "application/x-www-form-urlencoded"
    yield "no type", good, ""
    yield "huge", b'{"more":"' + b"x" * 1_048_576 + b'"}', JSON


def test_what_no_reader_should_take_is_refused_everywhere(fuzzed: World) -> None:
    found, seen = Findings(), set()
    for node in NODES:
        for door in doors(fuzzed.document(node)):
            if door.body is None or door.label in seen:
                continue
            seen.add(door.label)
            for what, content, kind in bodies(door.body):
                if door.needed or content not in (b"", b"null"):
                    sent(fuzzed, node, door, what, content, kind, found)
    assert len(seen) > 40
    found.nothing("bodies")


def test_an_unknown_member_or_another_type_is_refused_wherever_it_stands(fuzzed: World) -> None:
    """Own APIs only: what the protocol or a signature guards is an open object in the document."""
    found, seen = Findings(), set()
    for node in NODES:
        document = fuzzed.document(node)
        for door in doors(document):
            if door.body is None or door.label in seen:
                continue
            seen.add(door.label)
            for what, changed in wrong(door.body, door.schema, document["components"]["schemas"]):
                sent(fuzzed, node, door, what, json.dumps(changed).encode(), JSON, found)
    assert found.statuses[422] > 200
    found.nothing("members and types")


def wrong(value: Any, schema: dict[str, Any], named: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """`value` with one thing in it that its schema does not allow: a member that is not known, or the same thing said
    as another type.
    """
    schema = resolved(schema, named)
    if isinstance(value, dict):
        if schema.get("additionalProperties") is False:
            yield "more", {**value, "more": 1}
        for name, part in schema.get("properties", {}).items():
            if name in value:
                for what, changed in wrong(value[name], part, named):
                    yield f"{name}.{what}", {**value, name: changed}
    elif isinstance(value, list):
        for what, changed in wrong(value[0], schema.get("items", {}), named) if value else ():
            yield f"0.{what}", [changed, *value[1:]]
        if schema.get("type") == "array":
            yield "text for a list", json.dumps(value)
    elif schema.get("type") == "boolean":
        yield from (("text for yes", "true"), ("one for yes", 1))
    elif schema.get("type") in ("integer", "number"):
        yield from ((f"text for {value}", str(value)), ("yes for one", True))
        if schema["type"] == "integer":
            yield "a part", value + 0.5
    elif schema.get("type") == "string":
        yield from (("a number for text", 3), ("a list for text", [value]))


def test_what_no_reader_should_take_is_refused_by_the_protocol_too(fuzzed: World) -> None:
    found = Findings()
    message = {"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "ContractRequestMessage"}
    for node in ("h01", "a02"):
        for door in doors(fuzzed.document(node)):
            if door.method == "POST" and door.path.startswith("/dsp/"):
                for what, content, kind in bodies(
                    {"consumerPid": "urn:uuid:1", "providerPid": "urn:uuid:2", **message}
                ):
                    sent(fuzzed, node, door, what, content, kind, found, (400, 404, 413))
                odd = json.dumps({**message, "consumerPid": "\ud800", "providerPid": "\udfff"}).encode()
                sent(fuzzed, node, door, "half a character in an id", odd, JSON, found, (400, 404))
    found.nothing("bodies of the protocol")


def test_a_packed_body_is_not_unpacked(fuzzed: World) -> None:
    """A bomb does no harm where nothing is unpacked."""
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {**fuzzed.person("h01"), "content-type": JSON, "content-encoding": "gzip"}
    answer = answered(fuzzed.session.post(f"{fuzzed.url('h01')}/api/sources", data=bomb, headers=headers, timeout=60))
    assert (answer.status, answer.body["code"]) == (422, "request-invalid")


def test_a_huge_body_of_unknown_length_is_refused(fuzzed: World) -> None:
    pieces = (b" " * 65_536 for _ in range(40))
    headers = {**fuzzed.person("h01"), "content-type": JSON}
    answer = answered(fuzzed.session.post(f"{fuzzed.url('h01')}/api/sources", data=pieces, headers=headers, timeout=60))
    assert (answer.status, answer.body["code"]) == (413, "body-too-large")


def sent(
    world: World,
    node: str,
    door: Door,
    what: str,
    content: bytes,
    kind: str,
    found: Findings,
    expected: tuple[int, ...] = (413, 422),
) -> None:
    """Sends one body and looks at the answer."""
    headers = world.headers(node, door.token) | ({"content-type": kind} if kind else {})
    url = world.url(node) + door.filled(world.small.study)
    answer = answered(world.session.request(door.method, url, data=content, headers=headers, timeout=60))
    found.statuses[answer.status] += 1
    how = f"{door.method} {url} {kind} {content[:120]!r}\n    {answer.status} {answer.text[:400]}"
    for fault in faults(door.path, answer):
        found.add(door.label, f"{what}: {fault}", how)
    if answer.status not in expected:
        found.add(door.label, f"{what}: {answer.status}", how)
