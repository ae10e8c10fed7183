"""The doors of a node as its OpenAPI document names them, and Schemathesis' ideas of what to bring to each."""

import copy
import itertools
import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.bounds import dice, share

Json = dict[str, Any]
Case = schemathesis.Case

METHODS: Final = ("get", "put", "post", "patch", "delete")
#: It never ends; its parameters are those of /api/journal.
ENDLESS: Final = "/api/journal/stream"
#: Requests of one kind to one door before the next door's turn.
TURN: Final = 4


class Door(NamedTuple):
    """One method at one address."""

    method: str
    path: str
    #: Whose token it wants: `person`, `member`, or nobody's.
    token: str | None
    #: A body as it should be, if it takes JSON, and what the document says of it.
    body: Json | None
    schema: Json
    #: Whether it may not come without one.
    needed: bool

    @property
    def label(self) -> str:
        """Its name."""
        return f"{self.method} {self.path}"

    def filled(self, study: str) -> str:
        """Its address, with an id in each gap."""
        return re.sub(r"\{\w+\}", "1" if "{number}" in self.path else quote(study, safe=""), self.path)


def doors(document: Json) -> list[Door]:
    """All doors in a document but the endless one, each with the fullest body that Schemathesis makes for it."""
    schema, tokens, found = _schema(document, "http://localhost"), security(document), []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            config = schema.config.generation_for(operation=operation)
            ideas = schema.iter_coverage_cases(
                operation, generation_modes=[GenerationMode.POSITIVE], generation_config=config
            )
            bodies = [idea.body for idea in ideas if isinstance(idea.body, dict)]
            body = max(bodies, key=lambda one: len(json.dumps(one))) if bodies else None
            said = document["paths"][operation.path][operation.method]
            taken = said.get("requestBody", {})
            shape, needed = taken.get("content", {}).get("application/json", {}).get("schema", {}), "required" in taken
            method, token = operation.method.upper(), tokens[operation.label]
            found.append(Door(method, operation.path, token, body, shape, needed))
    return found


def resolved(schema: Json, named: Json) -> Json:
    """What stands behind a reference, and the real one of "this or null"."""
    if "$ref" in schema:
        return resolved(named[schema["$ref"].rpartition("/")[2]], named)
    real = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return resolved(real[0], named) if len(real) == 1 else schema


def security(document: Json) -> dict[str, str | None]:
    """Whose token each door wants: `person`, `member`, or nobody's. Doors are named `METHOD path`."""
    found: dict[str, str | None] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                wanted = item[method].get("security") or [{}]
                found[f"{method.upper()} {path}"] = next(iter(wanted[0]), None)
    return found


def cases(document: Json, url: str, part: float, *names: str) -> Iterator[Case]:
    """Requests to every door in turn: one each, then more for this `part` of all seconds.

    Half of them are the systematic ones (each type, each bound, each missing member, other methods), the other half is
    what Hypothesis thinks of, valid and not.
    """
    schema = _schema(document, url)
    operations = [found.ok() for found in schema.get_all_operations() if found.ok().path != ENDLESS]
    systematic = {}
    for operation in operations:
        config = schema.config.generation_for(operation=operation)
        ideas = list(
            schema.iter_coverage_cases(operation, generation_modes=list(GenerationMode), generation_config=config)
        )
        dice("systematic", *names, operation.label).shuffle(ideas)
        systematic[operation.label] = iter(ideas)
    for ideas in systematic.values():
        yield from itertools.islice(ideas, 1)
    left = share(part)
    for turn in itertools.count():
        for operation in operations:
            if not left():
                return
            yield from itertools.islice(systematic[operation.label], TURN)
            can = _can_be_wrong(document["paths"][operation.path][operation.method])
            mode = GenerationMode.NEGATIVE if turn % 2 == 0 and can else GenerationMode.POSITIVE
            yield from _thought(operation, mode, dice(turn, *names, operation.label).randrange(1 << 30))


def _can_be_wrong(said: Json) -> bool:
    """Whether a door takes anything but free text in its address: else Hypothesis looks long and in vain."""
    free_text = [{"type": one["schema"].get("type"), "in": one["in"]} for one in said.get("parameters", ())]
    return "requestBody" in said or any(one != {"type": "string", "in": "path"} for one in free_text)


def _thought(operation: Any, mode: GenerationMode, number: int) -> list[Case]:
    """What Hypothesis thinks of. Nothing is shrunk: the nodes remember what they were told."""
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=TURN,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def think(case: Case) -> None:
        found.append(case)

    try:
        think()
    except Unsatisfiable:  # a door without parameters: nothing about it can be wrong
        return []
    return found


def _schema(document: Json, url: str) -> Any:
    """Without its security: the tokens are ours to send."""
    bare = copy.deepcopy(document)
    bare.get("components", {}).pop("securitySchemes", None)
    for item in bare["paths"].values():
        for method in METHODS:
            item.get(method, {}).pop("security", None)
    schema = schemathesis.openapi.from_dict(bare)
    schema.config.update(base_url=url)
    schema.config.checks.negative_data_rejection.expected_statuses = ["4xx"]  # 413, too: wrong and huge at once
    return schema


def free(case: Case) -> list[str]:
    """The parts of its path that may be replaced by ids that exist: those that are not wrong on purpose."""
    component = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
    if component is None or component.mode.is_negative:
        return []
    return list(case.path_parameters)


logging.getLogger("hypothesis").setLevel(logging.ERROR)
