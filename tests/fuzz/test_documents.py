"""What every OpenAPI document of ours must say, so that what it lets through is what a store can keep."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fuzz.world import NODES, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("node", NODES)
def test_every_number_that_comes_in_has_bounds(fuzzed: World, node: str) -> None:
    """A database keeps 64 bits, and JSON without loss 53."""
    document = fuzzed.document(node)
    asked = [item for path in document["paths"].values() for operation in path.values() for item in taken(operation)]
    assert asked
    numbers = [one for root in asked for one in parts(root, document["components"]["schemas"])]
    assert len(numbers) > 10
    for one in numbers:
        assert {"maximum", "exclusiveMaximum"} & set(one), one
        assert {"minimum", "exclusiveMinimum"} & set(one), one


def taken(operation: Any) -> Iterator[Any]:
    """The schemas of what an operation takes."""
    for parameter in operation.get("parameters", ()):
        yield parameter["schema"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield content["schema"]


def parts(schema: Any, named: dict[str, Any]) -> Iterator[Any]:
    """Every number in a schema."""
    if isinstance(schema, list):
        for inner in schema:
            yield from parts(inner, named)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            yield from parts(named[schema["$ref"].rpartition("/")[2]], named)
        if schema.get("type") in ("integer", "number"):
            yield schema
        for inner in schema.values():
            yield from parts(inner, named)
