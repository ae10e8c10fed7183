"""Every door of every node, as its own OpenAPI document describes it: whatever is brought, the answer is a yes that the
document describes or a no that explains itself, and never our own fault.
"""

from typing import Any

import pytest
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.fuzz.bounds import SECONDS, dice
from tests.fuzz.doors import Case, cases, free, security
from tests.fuzz.verdicts import Answer, Findings, faults
from tests.fuzz.world import NODES, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS * 3 + 600)]

HELD = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    missing_required_header,
]
#: Where members POST there may be a page for people, which no document names.
OF_PAGES = [one for one in HELD if one is not unsupported_method]


@pytest.mark.parametrize("node", NODES)
def test_every_door_answers_a_yes_as_documented_or_an_explained_no(fuzzed: World, node: str) -> None:
    document = fuzzed.document(node)
    tokens, chance, found = security(document), dice("doors", node), Findings()
    pages = {(method, page.path) for page in fuzzed.pages(node) for method in page.methods}
    for case in cases(document, fuzzed.url(node), 0.2, node):
        for name in free(case):
            if chance.random() < 0.6:
                case.path_parameters[name] = fuzzed.id_for(node, name, chance)
        wanted = tokens.get(f"{case.method.upper()} {case.operation.path}", "person")
        is_page = (case.method.upper(), case.operation.path) in pages
        judged(case, fuzzed.headers(node, wanted), fuzzed, found, OF_PAGES if is_page else HELD)
    found.nothing(f"doors of {node}")


def judged(case: Case, headers: dict[str, str], world: World, found: Findings, held: list[Any]) -> None:
    """Sends a case and looks at the answer."""
    door = case.operation.label
    response = case.call(session=world.session, headers=headers, timeout=60)
    found.statuses[response.status_code] += 1
    answer = Answer(
        response.status_code,
        response.headers.get("content-type", [""])[0],
        response.content.decode("utf-8", "replace"),
        _json(response),
    )
    how = f"{case.as_curl_command()}\n    {answer.status} {answer.text[:600]}"
    for fault in faults(case.operation.path, answer):
        found.add(door, fault, how)
    try:
        case.validate_response(response, checks=held)
    except FailureGroup as group:
        for one in group.exceptions:
            found.add(door, f"{type(one).__name__}: {str(one)[:300]}", how)
    except Failure as failure:
        found.add(door, f"{type(failure).__name__}: {str(failure)[:300]}", how)


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
