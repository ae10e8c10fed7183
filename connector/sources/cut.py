"""Cut a study's snapshot: the permit's columns, without those who opted out, under a key of this study, frozen.

Pseudonyms: HMAC-SHA256 over the resident number under a key that this hospital keeps for this study, 96 bits of it,
written with the letters a-p only: none can look like a phone or resident number, so the leak scan has no false alarm.
"""

import hmac
from collections.abc import Collection
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import duckdb

from connector.kit.duck import write_parquet
from connector.sources.banded import band, loaded, one
from connector.sources.eligible import read_cohort
from connector.sources.profile import Profile, chosen
from connector.sources.trial import percent, tools
from vocab.errors import Refusal
from vocab.records.envelope import digest

#: The parts of a snapshot; a fifth of the patients is held out.
TRAIN: Final = "train"
HOLDOUT: Final = "holdout"
_HELD_OUT: Final = 2**64 // 5
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_PSEUDONYM: Final = 24  # letters of 4 bits: 96 bits


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a snapshot."""

    name: str
    file: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was cut: the de-identification record's facts. `digest` does not depend on when it was cut."""

    study: str
    digest: str
    parts: tuple[Part, ...]
    columns: tuple[str, ...]
    quasi_identifiers: tuple[str, ...]
    patients: int
    rows: int
    k: int
    suppressed: int
    suppressed_percent: float
    source_patients: int
    excluded: dict[str, int]
    profile: dict[str, Any]
    tools: dict[str, str]
    cut_at: int

    def part(self, name: str) -> Part:
        """The part called `name`."""
        return next(part for part in self.parts if part.name == name)

    def document(self) -> dict[str, Any]:
        """The snapshot as plain JSON."""
        return asdict(self)


def pseudonym(key: bytes, study: str, resident_number: str) -> str:
    """What stands for this person in this study, and in no other study and no other hospital."""
    message = f"dure/pseudonym/resident-number\n{study}\n{resident_number}".encode()
    return hmac.digest(key, message, "sha256").hex()[:_PSEUDONYM].translate(_LETTERS)


def held_out(key: bytes, pseudonym: str) -> bool:
    """Whether this patient is in the `holdout`: the hospital's own draw, which nobody without the key can foresee."""
    return int.from_bytes(hmac.digest(key, f"dure/split\n{pseudonym}".encode(), "sha256")[:8]) < _HELD_OUT


def cut_snapshot(
    source: Path,
    out_dir: Path,
    *,
    study: str,
    profile: Profile,
    columns: Collection[str],
    permitted: Collection[str],
    opt_outs: Collection[str],
    key: bytes,
    now: int,
) -> Snapshot:
    """Write `train.parquet` and `holdout.parquet` to `out_dir`; the same arguments give the same bytes.

    `columns` is what is asked for, `permitted` what the permit names for this dataset, `opt_outs` patient ids.
    Raises `Refusal`: `column-unknown`, `direct-identifier`, `free-text`, `column-after-index`, `column-outside-permit`,
    `source-unreadable`, `nothing-left`; `ValueError` for a key shorter than 32 bytes.
    """
    if len(key) < 32:
        raise ValueError("a pseudonym key has at least 32 bytes")
    leaving = chosen(profile, columns, permitted)
    cohort = read_cohort(source, opt_outs)
    pseudonyms = [pseudonym(key, study, number) for number in cohort.resident_numbers]
    with loaded(cohort, pseudonyms) as connection:
        band(connection, profile, leaving, pseudonym=True)
        k = one(connection, f"SELECT min(class_size) FROM banded WHERE class_size >= {profile.k}")  # noqa: S608
        _split(connection, key, profile.k)
        out_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = tuple(_write(connection, name, leaving, out_dir, profile.k) for name in (TRAIN, HOLDOUT))
    rows = sum(part.rows for part in parts)
    suppressed = len(cohort) - rows
    frozen = {
        "study": study,
        "parts": {part.name: {"sha256": part.sha256, "rows": part.rows} for part in parts},
        "columns": list(leaving),
        "profile": profile.document(),
    }
    return Snapshot(
        study=study,
        digest=digest(frozen),
        parts=parts,
        columns=leaving,
        quasi_identifiers=profile.quasi_identifiers(leaving),
        patients=rows,
        rows=rows,
        k=k,
        suppressed=suppressed,
        suppressed_percent=percent(suppressed, len(cohort)),
        source_patients=cohort.patients,
        excluded=cohort.excluded,
        profile=profile.document(),
        tools=tools(),
        cut_at=now,
    )


def _split(connection: duckdb.DuckDBPyConnection, key: bytes, k: int) -> None:
    """Table `leaving`: the rows in classes of at least `k`, each with its part."""
    query = f"SELECT pseudonym FROM banded WHERE class_size >= {k} ORDER BY 1"  # noqa: S608
    ids = [str(row[0]) for row in connection.execute(query).fetchall()]
    parts = [HOLDOUT if held_out(key, each) else TRAIN for each in ids]
    connection.execute(
        "CREATE TABLE leaving AS SELECT banded.*, part FROM banded"
        " JOIN (SELECT unnest(?::VARCHAR[]) AS pseudonym, unnest(?::VARCHAR[]) AS part) USING (pseudonym)",
        [ids, parts],
    )


def _write(connection: duckdb.DuckDBPyConnection, name: str, columns: Collection[str], out_dir: Path, k: int) -> Part:
    rows = one(connection, f"SELECT count(*) FROM leaving WHERE part = '{name}'")  # noqa: S608
    if not rows:
        raise Refusal("nothing-left", part=name, rule="k", needed=k, seen=0)
    path = out_dir / f"{name}.parquet"
    wanted = ", ".join(("pseudonym", *columns))
    write_parquet(connection, f"SELECT {wanted} FROM leaving WHERE part = '{name}' ORDER BY pseudonym", path)  # noqa: S608
    content = path.read_bytes()
    return Part(name, path.name, sha256(content).hexdigest(), len(content), rows)
