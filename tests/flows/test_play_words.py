"""The play is told in the language that was asked for: its own words, and what nodes answer to whoever speaks in it."""

import re
from pathlib import Path

import pytest

from connector.node import running
from connector.play.hands import Hands, Said
from connector.play.report import Report
from connector.play.scenario import ROWS
from connector.play.space import PLANS, listener, opened
from connector.play.stage import Play
from connector.play.wire import Impostor
from vocab.errors import LANGUAGES, Language
from vocab.words import sentences

HANGUL = re.compile("[가-힣]")


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_a_node_refuses_the_impostor_and_the_people_in_the_report_s_language(
    tmp_path: Path, lang: Language
) -> None:
    space, report = opened(tmp_path, None), Report(lang, as_json=True)
    hands = Hands(space, lang)
    settings = space.nodes["h01"]
    async with running(settings, listener(settings)) as node:
        play = Play(space, hands, report, {"h01": node})
        async with Impostor(play, "p01", "h01") as zone:
            with pytest.raises(Said) as wire:
                await zone.send("POST", "/receipts", json={})
        with pytest.raises(Said) as person:
            await play.hand("h01", "steward").post("/api/trials", {"columns": 3})
        await hands.close()
    for said in (wire.value.body, person.value.body):
        assert bool(HANGUL.search(said["what"] + said["do"])) == (lang == "ko"), said


def test_every_row_has_its_words_and_english_ones_have_no_hangul() -> None:
    built = [place for place, row in ROWS.items() if row.built]
    wanted = {f"play.{step}.{key}" for step, key in built} | {f"play.step.{step}" for step, _ in built}
    assert wanted - set(sentences()) == set()
    said = {key: one.en for key, one in sentences().items() if key.startswith(("play.", "run."))}
    assert {key for key, text in said.items() if HANGUL.search(text)} == set()


def test_organisations_have_a_name_in_both_languages() -> None:
    for plan in PLANS:
        assert HANGUL.search(plan.ko)
        assert not HANGUL.search(plan.en)
