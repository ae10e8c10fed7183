"""What left my house: drawn from this hospital's own rows, and from what the zone says it let out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from connector.evidence.model import Receipt
from connector.transfer.model import DataKey, KeyRelease, Transfer
from vocab.records.certificate import CLOSING, TASK

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext that went to a zone. `bytes` is 0 until all of it lies there."""

    dataset: str
    zone: str
    state: str
    bytes: int
    at: int


@dataclass(frozen=True, slots=True)
class Released:
    """Keys that one task had, and whether its end is certified."""

    task: str
    kind: str
    parts: tuple[str, ...]
    walls: str
    at: int
    certified: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A file that the zone released to the company; of a model also how much it could hide at most."""

    release: str
    name: str
    kind: str
    bytes: int
    residual_bytes: int | None


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate that we countersigned, with its limits in both languages."""

    receipt: str
    type: str
    about: str
    result: str
    exceptions: tuple[str, ...]
    limits: tuple[Json, ...]
    proven: bool
    at: int


@dataclass(frozen=True, slots=True)
class House:
    """One study as this hospital sees it. `rows_to_company` counts bytes pushed anywhere but to the permit's zone."""

    study: str
    rows_to_company: int
    encrypted_bytes: int
    sealed: tuple[Sealed, ...]
    keys: tuple[Released, ...]
    keys_destroyed: int
    results: tuple[Result, ...]
    model_bytes: int
    certificates: tuple[Certified, ...]


def house(
    study: str,
    zone: str | None,
    transfers: Sequence[Transfer],
    keys: Sequence[DataKey],
    releases: Sequence[KeyRelease],
    receipts: Sequence[Receipt],
    results: Iterable[Json],
) -> House:
    """The view of `study`, whose permit names `zone`. `results`: the zone's releases as it shows them."""
    parts = {row.agreement: sum(part["bytes"] for part in row.parts.values()) for row in keys}
    certificates = tuple(_certified(row) for row in receipts if row.type in (TASK, CLOSING) and row.payload)
    certified = {one.about for one in certificates if one.type == TASK}
    sealed = tuple(_sealed(row, parts.get(row.agreement, 0)) for row in transfers)
    out = tuple(_results(results))
    return House(
        study=study,
        rows_to_company=sum(one.bytes for one in sealed if one.zone != zone),
        encrypted_bytes=sum(one.bytes for one in sealed),
        sealed=sealed,
        keys=tuple(_released(releases, certified)),
        keys_destroyed=sum(1 for row in keys if row.state == "destroyed"),
        results=out,
        model_bytes=sum(one.bytes for one in out if one.kind == "model"),
        certificates=certificates,
    )


def _sealed(row: Transfer, size: int) -> Sealed:
    done = row.state == "COMPLETED"
    return Sealed(row.dataset or "–", row.zone or "–", row.state, size if done else 0, row.changed_at)


def _released(releases: Sequence[KeyRelease], certified: set[str]) -> Iterable[Released]:
    by_task = sorted(releases, key=lambda row: (row.at, row.task, row.part))
    for task, rows in groupby(by_task, key=lambda row: row.task):
        had = list(rows)
        yield Released(task, had[0].kind, tuple(row.part for row in had), had[0].walls, had[0].at, task in certified)


def _results(results: Iterable[Json]) -> Iterable[Result]:
    for release in results:
        for file in release.get("files", ()):
            if file.get("state") == "released":
                residual = release.get("residual_bytes") if file["kind"] == "model" else None
                yield Result(str(release["id"]), file["name"], file["kind"], file["bytes"], residual)


def _certified(row: Receipt) -> Certified:
    payload: Json = row.payload or {}
    return Certified(
        receipt=row.id,
        type=row.type,
        about=row.about,
        result=str(payload.get("result")),
        exceptions=tuple(payload.get("exceptions", ())),
        limits=tuple(payload.get("limits", ())),
        proven=row.state == "complete" and row.proof is not None,
        at=row.at,
    )
