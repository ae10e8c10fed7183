"""What a person fills in on a page: a form with few fields, sent to an address of the same room's pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from vocab.words.values import Said


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words, by radio button."""

    name: str
    label_key: str
    options: tuple[tuple[str, str], ...]  # value sent, word key


@dataclass(frozen=True, slots=True)
class Writing:
    """Text that a person writes; `rows` of it."""

    name: str
    label_key: str
    rows: int = 2


@dataclass(frozen=True, slots=True)
class Form:
    """Something a person fills in and sends to a page's own address."""

    kind: ClassVar[str] = "form"
    url: str
    fields: tuple[Choice | Writing, ...]
    button_key: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    note: Said | None = None
