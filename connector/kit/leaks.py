"""Does any of these files hold any of these strings? Decoded, re-encoded or hashed; with a control that must be found.

Parquet is decoded page by page: of 2,000 marks in a zstd file a search over bytes finds 0. A clean scan counts only if
marks planted in every disguise, in a file of the same format and codec, were all found. Strings never stand in the
result, only their kind.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from connector.kit import plants
from connector.kit.disguises import digests
from connector.kit.needles import Needles
from connector.kit.texts import SEALED, Unreadable, form, texts

#: What a clean scan does not say.
LIMITS: Final = (
    "salted or keyed hashes, encryption, encodings nested more than twice",
    "dictionary entries of a Parquet page that no row uses",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` strings of one kind, seen in `file` at `place` in this disguise."""

    file: str
    place: str
    disguise: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan saw. `missed` names planted marks that were not found: then the scan proves nothing."""

    found: tuple[Finding, ...]
    files: int
    characters: int
    needles: int
    planted: int
    missed: tuple[str, ...]

    @property
    def proves(self) -> bool:
        """Whether all that was planted was found, in a file of each format and codec met."""
        return self.planted > 0 and not self.missed

    @property
    def clean(self) -> bool:
        """Nothing found, by a scan that would have found it."""
        return self.proves and not self.found

    def document(self) -> dict[str, Any]:
        """The findings as plain JSON, with what they do not say."""
        return {**asdict(self), "proves": self.proves, "clean": self.clean, "limits": list(LIMITS)}


def scan(files: Iterable[Path], needles: Mapping[str, Collection[str]]) -> Findings:
    """Search `files` for `needles` (strings by kind) and prove by a control that they would have been found."""
    paths, sought = list(files), Needles(needles)
    found, characters, missed = search(paths, sought)
    planted = 0
    for kind, codec in sorted({form(path) for path in paths}):
        marks, lost = control(kind, codec)
        planted += marks
        missed += lost
    return Findings(tuple(found), len(paths), characters, len(sought), planted, tuple(missed))


def control(kind: str, codec: str) -> tuple[int, list[str]]:
    """Plant marks in a file of this form, as our writer writes it, and look: how many there were, which were missed."""
    if kind == SEALED:
        return 0, [f"{kind}: {codec}"]
    marks = plants.marks()
    with TemporaryDirectory(prefix="dure-control-") as folder:
        path = Path(folder) / "control"
        plants.write(path, kind, codec, marks)
        found, *_ = search([path], Needles({name: [mark] for name, mark in marks.items()}))
    return len(marks), sorted(f"{kind} {codec}: {name}" for name in marks.keys() - {one.kind for one in found})


def search(paths: Iterable[Path], needles: Needles) -> tuple[list[Finding], int, list[str]]:
    """What of `needles` stands in `paths`, how many characters were read, and which files not to the end."""
    seen: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    prefixes: dict[bytes, set[tuple[str, str]]] = defaultdict(set)
    characters, unread = 0, []
    for path in paths:
        try:
            for place, text in texts(path):
                characters += len(text)
                for disguise, kind, needle in needles.hits(text):
                    seen[path.name, place, disguise, kind].add(needle)
                for prefix in digests(text):
                    prefixes[prefix].add((path.name, place))
        except Unreadable:
            unread.append(f"unreadable: {path.name}")
    for prefix, name, kind, needle in needles.hashed(prefixes):
        for file, place in prefixes[prefix]:
            seen[file, place, name, kind].add(needle)
    return [Finding(*where, len(found)) for where, found in sorted(seen.items())], characters, unread
