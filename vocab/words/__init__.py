"""What people read, in Korean and English: one TOML file a room beside this module, `[key]` with `ko` and `en`.

Sentences name their values in braces, without format codes: how a value looks follows from what it is (`values`).
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from vocab.errors import Language
from vocab.words import formats
from vocab.words.values import At, AtSecond, Both, Bytes, Day, Lasting, Said, Share, Won

#: How each kind of value is written. Looked up by exact type: a `Won` is an `int`, but not every `int` is money.
_FORMS: Final[Mapping[type, Callable[[Any, Language], str]]] = {
    str: lambda value, _: value,
    bool: lambda value, language: word("yes" if value else "no", language),
    int: lambda value, _: formats.number(value),
    float: lambda value, _: formats.decimal(value),
    Won: formats.won,
    Bytes: lambda value, _: formats.size(value),
    At: formats.moment,
    AtSecond: formats.second,
    Day: formats.day,
    Lasting: formats.duration,
    Share: lambda value, _: formats.percent(value),
    Both: lambda value, language: value.ko if language == "ko" else value.en,
    Said: lambda value, language: word(value.key, language, **value.values),
    type(None): lambda *_: "–",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One key of the word list and the file that it stands in."""

    ko: str
    en: str
    room: str


class _Shown(dict[str, str]):
    """A value that was not given shows a dash: a gap in an old record must not hide the page."""

    def __missing__(self, key: str) -> str:
        return "–"


@cache
def sentences() -> dict[str, Sentence]:
    """All sentences by key. Raises `ValueError` when two rooms use one key."""
    found: dict[str, Sentence] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml"):
            continue
        for key, texts in tomllib.loads(file.read_text("utf-8")).items():
            if key in found:
                raise ValueError(f"word {key} stands in {found[key].room}.toml and {file.name}")
            found[key] = Sentence(room=file.name.removesuffix(".toml"), **texts)
    return found


def known(key: str) -> bool:
    """Is there a sentence for `key`?"""
    return key in sentences()


def word(key: str, language: Language, /, **values: object) -> str:
    """The sentence `key` with its values written for readers of `language`. Raises `KeyError` for an unknown key."""
    sentence = sentences()[key]
    shown = _Shown({name: text(value, language) for name, value in values.items()})
    return (sentence.ko if language == "ko" else sentence.en).format_map(shown)


def text(value: object, language: Language) -> str:
    """`value` as a reader of `language` writes it; lists with commas, anything else as JSON."""
    form = _FORMS.get(type(value))
    if form is not None:
        return form(value, language)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return ", ".join(text(item, language) for item in items) or "–"
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
