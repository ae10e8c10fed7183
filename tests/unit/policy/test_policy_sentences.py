"""A policy as sentences never reads more open than it is: each clause stands there once, and is missed when it goes."""

import json
from dataclasses import replace

import pytest
from studyfacts import OFFER, OFFERED

from connector.cli.main import main
from vocab.odrl.explain import explain, table
from vocab.odrl.model import Atom, Logic

LANGUAGES = ("ko", "en")


def without(policy, field, place, clause=None):
    """The policy without one rule, or without one clause of it."""
    rules = list(getattr(policy, field))
    if clause is None:
        del rules[place]
    else:
        kept = tuple(one for number, one in enumerate(rules[place].constraints) if number != clause)
        rules[place] = replace(rules[place], constraints=kept)
    return replace(policy, **{field: tuple(rules)})


RULES = [
    (field, place)
    for field in ("permissions", "prohibitions", "obligations")
    for place in range(len(getattr(OFFERED, field)))
]
CLAUSES = [
    (field, place, number)
    for field, place in RULES
    for number in range(len(getattr(OFFERED, field)[place].constraints))
]


def said(policy, language):
    return [one.text for one in explain(policy, language)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gone", [*RULES, *CLAUSES], ids=str)
def test_what_goes_is_missed(gone, language):
    whole, rest = said(OFFERED, language), said(without(OFFERED, *gone), language)
    lines = 1 if len(gone) == 3 else 1 + len(getattr(OFFERED, gone[0])[gone[1]].constraints)
    assert len(whole) - len(rest) == lines
    assert sorted(whole) != sorted(rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_clause_stands_there_once(language):
    lines = explain(OFFERED, language)
    assert len({one.path for one in lines}) == len(lines) == len(RULES) + len(CLAUSES)
    assert len({(one.path.partition(".")[0], one.text) for one in lines}) == len(lines)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gone", CLAUSES, ids=str)
def test_an_alternative_or_another_value_is_another_sentence(gone, language):
    field, place, number = gone
    clause = getattr(OFFERED, field)[place].constraints[number]
    changed = replace(clause, of=clause.of[1:]) if isinstance(clause, Logic) else replace(clause, right=other(clause))
    rules = list(getattr(OFFERED, field))
    constraints = [changed if one == clause else one for one in rules[place].constraints]
    rules[place] = replace(rules[place], constraints=tuple(constraints))
    assert said(OFFERED, language) != said(replace(OFFERED, **{field: tuple(rules)}), language)


def other(atom: Atom):
    return atom.right + 86_400_000 if isinstance(atom.right, int) else f"{atom.right}x"


@pytest.mark.parametrize("language", LANGUAGES)
def test_exactly_one_of_three_is_not_read_as_one_or_another(language):
    atoms = [one for one in OFFERED.permissions[0].constraints if isinstance(one, Atom)][:3]
    rule = replace(OFFERED.permissions[0], constraints=(Logic("xone", tuple(atoms)),))
    [_, line] = said(replace(OFFERED, permissions=(rule,), prohibitions=(), obligations=()), language)
    assert line.count(" / ") == 2


def test_every_clause_is_enforced_recorded_or_legal_and_says_so():
    rows = {row["path"]: (row["force"], row["gate"], row["until"]) for row in table(OFFERED)}
    assert rows["permission-1.1"] == ("enforced", "catalog", "release")
    assert rows["permission-1.8"] == ("enforced", "transfer", "release")
    assert rows["prohibition-1"] == ("legal", None, None)
    assert rows["obligation-2.1"] == ("recorded", "duty", None)
    assert {force for force, _, _ in rows.values()} == {"enforced", "recorded", "legal"}


def explained(tmp_path, capsys, offer, *options):
    file = tmp_path / "offer.jsonld"
    file.write_text(json.dumps(offer), "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["policy", "explain", str(file), *options])
    return ended.value.code, capsys.readouterr().out


def test_the_table_comes_before_the_signature(tmp_path, capsys):
    status, printed = explained(tmp_path, capsys, OFFER, "--json")
    found = json.loads(printed)
    assert [status, len(found["clauses"])] == [0, len(RULES) + len(CLAUSES)]
    _, english = explained(tmp_path, capsys, OFFER, "--lang", "en")
    assert "k-anonymity: at least 5  [enforced by the system, when transferring]" in english
    assert "Prohibited: re-identify a person  [a promise in law (the system cannot prevent it)]" in english
    _, korean = explained(tmp_path, capsys, OFFER, "--lang", "ko")
    assert "k-익명성: 5 이상  [시스템이 강제, 전송할 때]" in korean


def test_an_offer_with_a_clause_that_nobody_decides_is_refused(tmp_path, capsys):
    offer = json.loads(json.dumps(OFFER))
    offer["permission"][0]["constraint"].append({"leftOperand": "count", "operator": "lteq", "rightOperand": 5})
    status, printed = explained(tmp_path, capsys, offer, "--json")
    assert [status, json.loads(printed)["code"]] == [1, "operand-without-gate"]
