"""The word list is complete, and templates use it as it is."""

import re
from http import HTTPStatus
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment, nodes

import connector
from vocab.errors import catalogue
from vocab.words import known, sentences, text, word
from vocab.words.values import At, Bytes, Lasting, Said, Share, Won

ROOT = Path(connector.__file__).parent.parent
TEMPLATES = sorted(
    path for room in ("connector", "governance", "compute") for path in (ROOT / room).rglob("templates/**/*.html")
)
HANGUL = re.compile("[가-힣]")


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("key", sorted(sentences()))
def test_both_languages_say_the_same_of_every_word(key: str) -> None:
    sentence = sentences()[key]
    assert re.fullmatch(r"[a-z0-9]+([._-][A-Za-z0-9]+)*", key)
    assert sentence.ko.strip()
    assert sentence.en.strip()
    assert places(sentence.ko) == places(sentence.en)
    assert not HANGUL.search(sentence.en)
    assert not re.search(r"\{\w*[!:.\[]", sentence.ko + sentence.en), "how a value looks follows from what it is"


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_both_languages_say_the_same_of_every_refusal(code: str) -> None:
    entry = catalogue()[code]
    assert entry.status in set(HTTPStatus)
    assert places(entry.ko) == places(entry.en)
    for sentence in (entry.ko, entry.en, entry.do_ko, entry.do_en):
        assert sentence.strip()
    assert HANGUL.search(entry.ko)
    assert not HANGUL.search(entry.en + entry.do_en)


def uses(path: Path) -> list[tuple[str, set[str]]]:
    """Every word that a template names outright, with the values that it gives."""
    found = []
    for call in Environment(autoescape=True).parse(path.read_text("utf-8")).find_all((nodes.Call, nodes.Filter)):
        assert isinstance(call, (nodes.Call, nodes.Filter))
        filtered = isinstance(call, nodes.Filter)
        name = getattr(call if filtered else call.node, "name", None)
        subject = call.node if filtered else next(iter(call.args), None)
        if name == "word" and call.dyn_kwargs is None:
            choices = [subject.expr1, subject.expr2] if isinstance(subject, nodes.CondExpr) else [subject]
            given = {item.key for item in call.kwargs if isinstance(item, nodes.Keyword)}
            found += [(choice.value, given) for choice in choices if isinstance(choice, nodes.Const)]
    return found


def test_templates_name_words_that_exist_with_the_values_that_they_need() -> None:
    used = [(path.name, *use) for path in TEMPLATES for use in uses(path)]
    assert len(used) > 50
    assert not [(name, key) for name, key, _ in used if not known(key)]
    assert not [(name, key) for name, key, given in used if given != places(sentences()[key].ko)]


def test_composed_keys_are_there_for_every_value() -> None:
    composed = {
        "outcome-": ("done", "refused", "waiting", "failed"),
        "role-": ("provider", "consumer", "authority", "zone"),
        "camp-": ("hospital", "company", "zone", "operator"),
        "vote-": ("yes", "no", "abstain"),
    }
    assert not [key + end for key, ends in composed.items() for end in ends if not known(key + end)]


@pytest.mark.parametrize(
    ("value", "korean", "english"),
    [
        (Won(1_337_302), "1,337,302원", "₩1,337,302"),
        (Won(-20), "-20원", "-₩20"),
        (19_993, "19,993", "19,993"),
        (0.83312, "0.833", "0.833"),
        (Bytes(999), "999 B", "999 B"),
        (Bytes(999_949), "999.9 kB", "999.9 kB"),
        (Bytes(999_950), "1.0 MB", "1.0 MB"),
        (Bytes(10**18), "1000.0 PB", "1000.0 PB"),
        (Share(0.0004), "0.04%", "0.04%"),
        (Share(0.00001), "<0.01%", "<0.01%"),
        (Share(0.0), "0.00%", "0.00%"),
        (Share(0.134), "13.4%", "13.4%"),
        (At(1_795_410_309_123), "2026. 11. 23. 14:05", "23 Nov 2026, 14:05"),
        (At(1_795_445_999_999), "2026. 11. 23. 23:59", "23 Nov 2026, 23:59"),
        (At(1_795_446_000_000), "2026. 11. 24. 00:00", "24 Nov 2026, 00:00"),
        (Lasting(412), "0.4초", "0.4 s"),
        (Lasting(59_999), "59초", "59 s"),
        (Lasting(90_061_000), "1일 1시간", "1 d 1 h"),
        (Lasting(86_400_000 + 60_000), "1일", "1 d"),
        (True, "예", "yes"),
        (None, "–", "–"),
        (["KCD E10", 3], "KCD E10, 3", "KCD E10, 3"),
        (frozenset({"b", "a"}), "a, b", "a, b"),
        ([], "–", "–"),
        ({"b": 1, "a": "가"}, '{"a": "가", "b": 1}', '{"a": "가", "b": 1}'),
        (Said("time-left", {"span": Lasting(60_000)}), "1분 남음", "1 min left"),
    ],
)
def test_a_value_is_written_as_its_readers_write_it(value: object, korean: str, english: str) -> None:
    assert (text(value, "ko"), text(value, "en")) == (korean, english)


def test_a_value_that_was_not_kept_leaves_a_dash_and_an_unknown_word_is_an_error() -> None:
    assert word("as-of", "en") == "As of –"
    with pytest.raises(KeyError):
        word("no-such-word", "ko")
