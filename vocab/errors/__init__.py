"""The error catalogue: every refusal has a stable code, an HTTP status, a sentence and a remedy in Korean and English.

The entries live in the TOML files beside this module, one a room. Code raises `Refusal` with values; the edge renders.

    Exception
    └── Refusal            a "no" with its reason: code, values, and where it applies rule, needed, seen
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["ko", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue knows of one code."""

    code: str
    status: int
    ko: str
    en: str
    do_ko: str
    do_en: str
    room: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A refusal as a person reads it: what happened, and what to do."""

    what: str
    do: str


class Refusal(Exception):
    """A "no" that explains itself. `code` must be in the catalogue."""

    def __init__(
        self, code: str, *, rule: str | None = None, needed: object = None, seen: object = None, **values: object
    ) -> None:
        super().__init__(code)
        self.code = code
        self.rule = rule
        self.needed = needed
        self.seen = seen
        self.values = values

    def __str__(self) -> str:
        parts = [self.code, *(f"{name}={value!r}" for name, value in self.values.items())]
        parts += [
            f"{name}={value!r}" for name in ("rule", "needed", "seen") if (value := getattr(self, name)) is not None
        ]
        return " ".join(parts)

    @property
    def status(self) -> int:
        """The HTTP status of this code."""
        return entry(self.code).status


class _Missing(dict[str, object]):
    """A sentence whose value was not given shows a dash: a missing value must not hide the reason."""

    def __missing__(self, key: str) -> str:
        return "–"


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by code. Raises `ValueError` when two rooms use one code."""
    found: dict[str, Entry] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml"):
            continue
        for code, fields in tomllib.loads(file.read_text("utf-8")).items():
            if code in found:
                raise ValueError(f"error code {code} stands in {found[code].room}.toml and {file.name}")
            found[code] = Entry(code=code, room=file.name.removesuffix(".toml"), **fields)
    return found


def entry(code: str) -> Entry:
    """The catalogue entry of `code`; an unknown code is a bug of ours and is shown as one."""
    return catalogue().get(code) or catalogue()["bug"]


def render(refusal: Refusal, language: Language) -> Rendered:
    """The refusal in `language`, its values filled in."""
    return sentence(
        refusal.code, language, {"rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen, **refusal.values}
    )


def sentence(code: str, language: Language, values: dict[str, object]) -> Rendered:
    """The sentences of `code` with `values`: also for stored refusals, whose exception is long gone."""
    found, given = entry(code), _Missing(values)
    what, do = (found.ko, found.do_ko) if language == "ko" else (found.en, found.do_en)
    return Rendered(what.format_map(given), do.format_map(given))
