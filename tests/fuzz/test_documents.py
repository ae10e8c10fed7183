"""What every OpenAPI document of ours must say, so that what it lets through is what a store can keep."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.fuzz.doors import doors
from tests.fuzz.world import NODES, World

NUMBERS: Final = ("integer", "number")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("node", NODES)
def test_every_number_that_comes_in_has_bounds(fuzzed: World, node: str) -> None:
    """A database keeps 64 bits, and JSON without loss 53."""
    document = fuzzed.document(node)
    asked = [item for path in document["paths"].values() for operation in path.values() for item in taken(operation)]
    assert asked
    numbers = [one for root in asked for one in parts(root, document["components"]["schemas"], NUMBERS)]
    assert len(numbers) > 10
    for one in numbers:
        assert {"maximum", "exclusiveMaximum"} & set(one), one
        assert {"minimum", "exclusiveMinimum"} & set(one), one


#: What comes in whole and is judged by its own rules: an ODRL offer, a study's plan that may be unfinished.
WHOLE: Final = ("offer", "plan")
OFFERS: Final = "POST /api/datasets/{dataset}/offers"


@pytest.mark.parametrize("node", NODES)
def test_what_people_send_is_closed(fuzzed: World, node: str) -> None:
    """An unknown member is refused, however deep it stands."""
    document = fuzzed.document(node)
    asked = [one for one in doors(document) if one.path.startswith("/api/") and one.body and one.label != OFFERS]
    assert asked
    for door in asked:
        for one in parts(door.schema, document["components"]["schemas"], ("object",)):
            named_or_typed = "patternProperties" in one or isinstance(one.get("additionalProperties"), dict)
            assert named_or_typed or one.get("additionalProperties") is False, (door.label, one)


def taken(operation: Any) -> Iterator[Any]:
    """The schemas of what an operation takes."""
    for parameter in operation.get("parameters", ()):
        yield parameter["schema"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield content["schema"]


def parts(schema: Any, named: dict[str, Any], kinds: tuple[str, ...]) -> Iterator[Any]:
    """Everything of these types in a schema."""
    if isinstance(schema, list):
        for inner in schema:
            yield from parts(inner, named, kinds)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            yield from parts(named[schema["$ref"].rpartition("/")[2]], named, kinds)
        if schema.get("type") in kinds:
            yield schema
        for name, inner in schema.items():
            judged = {one: part for one, part in inner.items() if one not in WHOLE} if name == "properties" else inner
            yield from parts(judged, named, kinds)
