"""What the play prints: a row counts only with the reason that it names, and a stranger can read it."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connector.play import hands
from connector.play.hands import Late, NotSo, Said
from connector.play.report import Failed, Report
from connector.play.scenario import ROWS, STEPS, whole
from connector.play.tell import Teller
from vocab.errors import LANGUAGES, Refusal
from vocab.words import known

H01 = "did:web:localhost%3A4001"
#: What is told in its own place, or is called the same in both languages.
UNNAMED = {"code", "why", "link", "wanted", "k"}
TELLER = Teller("en", {H01: "h01"})


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines of a `--json` report."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_row_passes_only_with_the_code_that_the_scenario_names(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("en", as_json=True)
    with report.refused(9, "no-permit"):
        raise Said(403, {"code": "no-permit"})
    with pytest.raises(Failed), report.refused(9, "no-permit"):
        raise Said(403, {"code": "expired"})
    with pytest.raises(Failed), report.refused(9, "offer-changed"):
        pass
    first, second, third = printed(capsys)
    assert {name: first[name] for name in ("step", "expect", "outcome", "code")} == {
        "step": 9,
        "expect": "refused",
        "outcome": "refused",
        "code": "no-permit",
    }
    assert (second["outcome"], second["code"]) == ("refused", "expired")
    assert third["outcome"] == "failed"
    assert report.passed == {(9, "no-permit")}
    assert not report.finish(0)


@pytest.mark.parametrize(
    "error",
    [
        Said(500, {}),
        Late("it"),
        NotSo("so"),
        Refusal("expired"),
        KeyError("x"),
        StopIteration(),
        TimeoutError(),
        httpx.ConnectError("gone"),
    ],
)
def test_what_goes_wrong_in_a_row_that_must_succeed_ends_the_play(error: Exception) -> None:
    report = Report("en", as_json=True)
    with pytest.raises(Failed), report.done(1, "same-digest"):
        raise error
    assert report.passed == set()


def test_a_step_is_whole_only_when_all_its_rows_are_built_and_passed() -> None:
    rows = {place for place in ROWS if place[0] == 9}
    assert whole(9, rows)
    assert not whole(9, rows - {(9, "agree")})
    unbuilt = {place[0] for place, row in ROWS.items() if not row.built}
    assert not [step for step in unbuilt if whole(step, set(ROWS))]
    assert set(STEPS) == {step for step, _ in ROWS}


def test_the_end_says_which_steps_ran_and_how_many_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("en", as_json=False, passed={place for place, row in ROWS.items() if row.built})
    assert report.finish(500)
    *_, rows, last = capsys.readouterr().out.splitlines()
    refusals = sum(1 for row in ROWS.values() if row.code)
    assert f" {refusals} of them had to be refused" in rows
    full = [step for step in STEPS if whole(step, report.passed)]
    assert last.startswith(f"Passed: of the scenario's 20 steps {len(full)} are built whole")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"needed {H01}", "needed h01"),
        ("['train', 'holdout']", "train, holdout"),
        ("sha256:" + "ab" * 32, "abababababab…"),
        ("urn:uuid:f391d3cc-1bc6-4aa5-9d78-1f14fd51a8a4", "f391d3cc…"),
        ("https://w3id.org/dure/kcd#E10-E14", "kcd:E10-E14"),
        ("1795478858523", "24 Nov 2026, 09:07"),
        ("(needed 1,795,478,858,523, seen 7)", "(needed 24 Nov 2026, 09:07, seen 7)"),
        ("phone 010-0000-1234, 19314", "phone 010-0000-1234, 19314"),
    ],
)
def test_values_are_written_for_eyes(said: str, told: str) -> None:
    assert TELLER.plain(said) == told


def test_a_reason_without_a_sentence_gets_the_catalogue_s() -> None:
    assert TELLER.why({"code": "zone-only", "needed": H01, "seen": "x"}).startswith("The data may only be pushed to")
    assert "h01" in TELLER.why({"code": "zone-only", "needed": H01, "seen": "x"})
    assert "–" not in TELLER.why({"code": "no-permit"})


def shown(tree: ast.AST) -> Iterator[str]:
    """Every figure that a module of the play puts into a row by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="shown"), attr="update"), keywords=keywords):
                yield from (one.arg for one in keywords if one.arg)
            case ast.Subscript(value=ast.Name(id="shown"), slice=ast.Constant(value=str(name))):
                yield name


def test_every_figure_of_a_row_has_its_words() -> None:
    """A figure without words would stand in English on a Korean screen."""
    folder = Path(hands.__file__).parent
    names = {name for path in folder.glob("*.py") for name in shown(ast.parse(path.read_text("utf-8")))}
    assert len(names) > 60
    assert {name for name in names - UNNAMED if not known(f"play.figure.{name}")} == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_figures_are_named_in_the_reader_s_language(lang: str) -> None:
    told = Teller(lang, {}).figures({"patients": 20_000, "may_apply": ["D-H01-DM"]})  # type: ignore[arg-type]
    assert told == ("환자 20,000  신청 가능 D-H01-DM" if lang == "ko" else "patients 20,000  may apply D-H01-DM")
