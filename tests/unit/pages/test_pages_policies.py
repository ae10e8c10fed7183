"""A policy on a page is understood to the last clause, or allows nothing."""

from typing import Any

import pytest
from pages_drawn import name, panels

from connector.web.policies import operand, policy
from connector.web.timeline import Panel
from vocab import terms
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import research_offer
from vocab.words import text

ZONE = "did:web:p01"


def offer() -> dict[str, Any]:
    given = research_offer("offer-1", zone=ZONE, disease="E10-E14")
    found: dict[str, Any] = normalise(given, target="D-H01-DM").to_json()
    return found


def test_an_offer_reads_as_sentences_with_the_gate_that_decides_each() -> None:
    shown = policy("offer-1", offer(), name)
    assert shown.why_not is None
    first = shown.clauses[0]
    assert first.rule
    assert first.gate is None
    page = panels(Panel("panel-offer", shown))
    assert "k-anonymity: at least 5" in page["en"]
    assert "decided at gate transfer" in page["en"]
    assert "k-익명성" in page["ko"]


def test_organisations_stand_there_by_name() -> None:
    page = panels(Panel("panel-offer", policy("offer-1", offer(), name)))
    assert "«p01»" in page["en"]
    assert ZONE not in page["en"]


def broken(change: str) -> dict[str, Any]:
    found = offer()
    atom = next(one for one in found["permissions"][0]["constraints"] if "left" in one)
    match change:
        case "operand":
            atom["left"] = "https://example.org/unknown"
        case "operator":
            atom["op"] = "somehow"
        case "member":
            atom["refinement"] = {"left": terms.PURPOSE}
        case "action":
            found["permissions"][0]["action"] = "https://example.org/do"
        case "rules":
            del found["prohibitions"]
        case "nothing":
            found.update(permissions=[], prohibitions=[], obligations=[])
    return found


@pytest.mark.parametrize("change", ["operand", "operator", "member", "action", "rules", "nothing"])
def test_a_policy_that_is_not_understood_shows_no_clause_and_allows_nothing(change: str) -> None:
    shown = policy("offer-1", broken(change), name)
    assert shown.clauses == ()
    assert shown.why_not
    page = panels(Panel("panel-offer", shown))
    for language in ("ko", "en"):
        assert 'class="clauses"' not in page[language]
    assert "this policy allows nothing" in page["en"]
    assert "아무것도 허용하지 않습니다" in page["ko"]


def test_an_operand_is_named_in_the_profiles_words_or_by_its_iri() -> None:
    assert text(operand(terms.PURPOSE), "en") == "Purpose"
    assert operand("https://example.org/unknown") == "https://example.org/unknown"
