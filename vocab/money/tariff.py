"""The tariff: what each thing costs, as the board's policy release says it."""

import tomllib
from dataclasses import asdict, dataclass, fields
from typing import Any

from vocab.errors import Refusal
from vocab.money.won import PARTS, whole
from vocab.records.envelope import digest


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in won; the operator's fee in basis points of every other line."""

    version: str
    preparation_dataset: int
    preparation_patient: int
    preparation_imaging_study: int
    drb_study: int
    zone_minute: int
    egress_review: int
    operator_fee: int

    def to_json(self) -> dict[str, Any]:
        """All of it: a run carries the tariff that it was computed with."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Names this tariff exactly."""
        return digest(self.to_json())


def from_json(given: object) -> Tariff:
    """The tariff in a run. Raises `Refusal`: tariff-malformed, money-not-integer."""
    names = [one.name for one in fields(Tariff)]
    if not isinstance(given, dict) or (odd := sorted({*names} ^ given.keys())):
        raise Refusal("tariff-malformed", what=", ".join(odd) if isinstance(given, dict) else "–")
    if not isinstance(given["version"], str) or not given["version"]:
        raise Refusal("tariff-malformed", what="version")
    found = Tariff(given["version"], *(whole(given[name], name) for name in names[1:]))
    if found.operator_fee > PARTS:
        raise Refusal("tariff-malformed", what="operator_fee")
    return found


def read(text: str) -> Tariff:
    """The tariff in a TOML file. Raises `Refusal`: tariff-malformed, money-not-integer (a float anywhere)."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refusal("tariff-malformed", what=str(error)[:100]) from None
    tables = [given.get(name) for name in ("won", "basis_points")]
    if given.keys() != {"version", "won", "basis_points"} or not all(isinstance(one, dict) for one in tables):
        raise Refusal("tariff-malformed", what="version, [won], [basis_points]")
    won, points = given["won"], given["basis_points"]
    if points.keys() != {"operator_fee"} or "operator_fee" in won:
        raise Refusal("tariff-malformed", what="[basis_points] operator_fee")
    return from_json({"version": given["version"], **won, **points})
