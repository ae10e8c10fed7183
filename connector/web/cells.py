"""What stands in a cell of a page beside plain values: a link within this node, a state with its mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vocab.errors import catalogue
from vocab.words.values import Both, Value

Outcome = Literal["done", "refused", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another page or file of this node. Raises `ValueError` for any other address."""

    label: Value
    url: str

    def __post_init__(self) -> None:
        if not self.url.startswith("/") or self.url.startswith("//") or "\\" in self.url:
            raise ValueError(f"not an address of this node: {self.url}")


@dataclass(frozen=True, slots=True)
class Badge:
    """A state: a word, and the mark of its outcome."""

    outcome: Outcome
    said: Value


def reason(code: str) -> Value:
    """What a code means, where that needs no values; else the code itself."""
    found = catalogue().get(code)
    return Both(found.ko, found.en) if found and "{" not in found.ko + found.en else code


Cell: TypeAlias = Value | Link | Badge | Sequence["Cell"]
