"""What the log says of a study that money follows from: read from receipts that every party to them signed.

A receipt that does not fit blocks its own line only: it is held, with the reason, and everything else is paid.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from vocab.errors import Refusal
from vocab.money.won import whole
from vocab.records.receipt import read, two_signed


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the log: its index and the receipt's envelope."""

    index: int
    envelope: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """The receipt that a number comes from, and where it lies in the log."""

    receipt: str
    index: int

    def to_json(self) -> dict[str, Any]:
        """As statements name it."""
        return {"id": self.receipt, "index": self.index}


@dataclass(frozen=True, slots=True)
class Approved:
    """The board's decision: who pays, and the reward that was promised for the outcome."""

    source: Source
    payer: str
    permit: str
    outcome_reward: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A dataset of a provider, agreed by both sides: how much of it the snapshot holds."""

    source: Source
    provider: str
    dataset: str
    unit: Literal["patients", "imaging_studies"]
    count: int


@dataclass(frozen=True, slots=True)
class Used:
    """A task's meter: the minutes that it started."""

    source: Source
    zone: str
    task: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A release that people reviewed."""

    source: Source
    release: str


@dataclass(frozen=True, slots=True)
class Held:
    """A receipt that pays nobody yet, and why: `one-sided`, `other-party`, `other-permit`, `malformed`, `twice`."""

    source: Source
    why: str


Fact = Delivered | Used | Reviewed


@dataclass(frozen=True, slots=True)
class Facts:
    """One study, as the log tells it. Everything in the order of the log."""

    study: str
    operator: str
    approved: Approved
    facts: tuple[Fact, ...]
    held: tuple[Held, ...]


class _Unfit(Exception):
    """This receipt does not fit the study's decision."""


def facts(study: str, operator: str, entries: Iterable[Logged], keys: Mapping[str, bytes], size: int) -> Facts:
    """What the first `size` entries of the log say of `study`; every signature is checked with `keys`.

    Raises `Refusal`: not-in-the-log (an entry without a place below `size`), nothing-to-settle (no approving decision),
    money-not-integer, and what `vocab.records.receipt.read` raises.
    """
    bodies = []
    for entry in entries:
        index, body = entry.index, read(entry.envelope, keys)
        if type(index) is not int or not 0 <= index < size:
            raise Refusal("not-in-the-log", needed=f"< {size}", seen=index, receipt=body["id"])
        if body["study"] == study:
            bodies.append((Source(body["id"], index), body, two_signed(entry.envelope)))
    bodies.sort(key=lambda one: one[0].index)
    decisions = (_approved(source, body, operator) for source, body, _ in bodies)
    approved = next((decision for decision in decisions if decision), None)
    if approved is None:
        raise Refusal("nothing-to-settle", study=study)
    found: dict[tuple[str, ...], Fact] = {}
    held = []
    for source, body, whole_signed in bodies:
        if body["type"] not in _READERS:
            continue
        try:
            if not whole_signed:
                raise _Unfit("one-sided")
            if body["counterparty"] != approved.payer:
                raise _Unfit("other-party")
            key, fact = _READERS[body["type"]](source, body, approved)
            if key in found:
                raise _Unfit("twice")
            found[key] = fact
        except _Unfit as unfit:
            held.append(Held(source, str(unfit)))
    return Facts(study, operator, approved, tuple(found.values()), tuple(held))


def _approved(source: Source, body: Mapping[str, Any], operator: str) -> Approved | None:
    subject = body["subject"]
    if body["type"] != "decision" or body["author"] != operator or subject.get("outcome") != "approved":
        return None
    payer, permit = subject.get("applicant"), subject.get("permit")
    if not isinstance(payer, str) or not isinstance(permit, str):
        return None
    return Approved(source, payer, permit, whole(subject.get("outcome_reward"), "outcome_reward"))


def _delivered(source: Source, body: Mapping[str, Any], approved: Approved) -> tuple[tuple[str, ...], Fact]:
    subject = body["subject"]
    if subject.get("permit") != approved.permit:
        raise _Unfit("other-permit")
    unit: Literal["patients", "imaging_studies"] = "imaging_studies" if "imaging_studies" in subject else "patients"
    dataset, count = _text(subject, "dataset"), whole(subject.get(unit), unit)
    return ("agreement", body["author"], dataset), Delivered(source, body["author"], dataset, unit, count)


def _used(source: Source, body: Mapping[str, Any], _: Approved) -> tuple[tuple[str, ...], Fact]:
    minutes = whole(body["subject"].get("started_minutes"), "started_minutes")
    return ("task", body["author"], body["about"]), Used(source, body["author"], body["about"], minutes)


def _reviewed(source: Source, body: Mapping[str, Any], _: Approved) -> tuple[tuple[str, ...], Fact]:
    return ("release", body["author"], body["about"]), Reviewed(source, body["about"])


def _text(subject: Mapping[str, Any], name: str) -> str:
    value = subject.get(name)
    if not isinstance(value, str) or not value:
        raise _Unfit("malformed")
    return value


_READERS: Final[Mapping[str, Callable[[Source, Mapping[str, Any], Approved], tuple[tuple[str, ...], Fact]]]] = {
    "agreement": _delivered,
    "task-end": _used,
    "release": _reviewed,
}

#: The receipts that money follows from.
TYPES: Final = ("decision", *_READERS)
