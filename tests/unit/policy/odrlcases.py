"""The evaluator's cases (`policies/cases/odrl`), each as the input that every engine gets and what is expected."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from connector.policy.asking import asked_of, policy_of
from vocab import terms
from vocab.errors import Refusal

POLICY = {"@context": terms.MED_CONTEXT, "@type": "Set", "uid": "urn:p", "target": "urn:d", "assignee": "urn:a"}
QUESTION = {"action": "use", "target": "urn:d", "assignee": "urn:a", "now": "2026-11-24T00:00:00Z"}


@dataclass(frozen=True)
class Case:
    """One question. `given` is None where the policy is refused before any engine sees it, with the code `refused`."""

    name: str
    expect: str
    given: dict[str, Any] | None
    refused: str | None = None


def cases() -> Iterator[Case]:
    """All of them, in the order of the files."""
    for file in sorted((files("policies") / "cases" / "odrl").iterdir(), key=lambda one: one.name):
        found = yaml.load(file.read_text("utf-8"), yaml.CSafeLoader)
        for place, case in enumerate(found.pop("raw", []), start=1):
            yield Case(f"raw {place}", case["expect"], _raw(case))
        for title, groups in found.items():
            for number, group in enumerate(groups, start=1):
                for place, case in enumerate(group["cases"], start=1):
                    yield _case(f"{title} {number}.{place}", group["policy"], case)


def _raw(case: dict[str, Any]) -> dict[str, Any]:
    """An input that no normaliser has seen: one permission of an agreement, and what the case replaces."""
    rule = {"id": "p", "action": terms.USE, "target": "urn:d", "assignee": "urn:a"}
    policy = {
        "kind": "Agreement",
        "id": "urn:p",
        "target": "urn:d",
        "assigner": None,
        "assignee": "urn:a",
        "timestamp": None,
        "prohibitions": [],
        "obligations": [],
        "permissions": [{**rule, "constraints": case.get("constraints", [])}],
    }
    return {
        "gate": case.get("gate", "ask"),
        "now": 0,
        "request": {"action": terms.USE},
        "world": case.get("world", {}),
        "facts": {"dataset": {"id": "urn:d"}, "party": {"did": "urn:a"}},
        **case.get("given", {}),
        "policy": {**policy, **case.get("policy", {})},
    }


def _case(name: str, policy: dict[str, Any], case: dict[str, Any]) -> Case:
    question = {**QUESTION, **case["ask"]}
    question["policies"] = {
        uid: {"@context": terms.MED_CONTEXT, **one} for uid, one in question.get("policies", {}).items()
    }
    document = {key: value for key, value in {**POLICY, **policy}.items() if value is not None}
    try:
        written = policy_of(document, question).to_json()
    except Refusal as refusal:
        return Case(name, case["expect"], None, refusal.code)
    return Case(name, case["expect"], {**asked_of(question), "policy": written})


def verdict(answer: dict[str, Any]) -> str:
    """`allowed`, or the code of the first reason."""
    return "allowed" if answer["allow"] is True else str(answer["reasons"][0]["code"])
