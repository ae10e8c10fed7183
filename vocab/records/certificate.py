"""Deletion certificates: what a zone says it destroyed, on which evidence, and what that does not prove.

One for every task that had a key, one for the study when it closes. The result follows from the evidence by the rules
below, so that whoever countersigns computes it again. NIST SP 800-88r2 (Clear, cryptographic erase); Korean
Safety-Measures Standard Art. 13(1)3, which names overwriting but not key destruction: both are done and both are said.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vocab.errors import Refusal
from vocab.records.envelope import canonical
from vocab.words import word

TASK: Final = "task-certificate"
CLOSING: Final = "closing-certificate"
METHOD: Final = {"nist": "SP 800-88r2 Clear, with cryptographic erase", "korea": "Art. 13(1)3"}
#: Keys of vocab/words/certificate.toml. Nobody can leave them out.
TASK_LIMITS: Final = ("limit-operator", "limit-copies")
CLOSING_LIMITS: Final = ("limit-operator", "limit-copies", "limit-medium", "limit-scan")

Result = Literal["DELETED", "DELETED_WITH_EXCEPTIONS", "UNPROVEN"]
Walls = Literal["full", "user", "thin"]
Json = dict[str, Any]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=300)]
Ms = Annotated[int, Field(ge=0, lt=1 << 53)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Object(_Frozen):
    """One staged part: `sha256` and `bytes` of its ciphertext, and the key that opens it."""

    agreement: Text
    provider: Text
    dataset: Text
    snapshot: Text
    part: Text
    object: Text
    bytes: Count
    sha256: Hex
    key_id: Text


class Opened(Object):
    """A part as a task had it: whether its hospital released the key to the task."""

    key_released: bool


class Erased(Object):
    """A part as the closing left it. Of a part that never arrived there was nothing to erase."""

    staged: bool
    overwritten: bool
    unlinked: bool
    synced: bool
    at: Ms


class File(_Frozen):
    """Something that came out of a task; it lies sealed in the zone."""

    name: Text
    bytes: Count
    sha256: Hex


class Limit(_Frozen):
    """What the certificate does not prove, in plain words."""

    key: Text
    ko: str
    en: str


class _Certificate(_Frozen):
    version: Literal[1]
    zone: Text
    study: Text
    permit: Text
    consumer: Text
    method: Mapping[str, str]
    result: Result
    exceptions: tuple[Text, ...]
    limits: tuple[Limit, ...]


class TaskCertificate(_Certificate):
    """What is left of one task: nothing, and how that was seen. `times`: prepared, started, ended, deleted."""

    type: Literal["task-certificate"]
    task: Text
    kind: Literal["train", "verify"]
    outcome: Text
    reason: Text | None
    recovered: bool
    walls: Walls
    policy_revision: Text
    image_digest: Text
    code_digest: Text
    job_key: Hex
    objects: tuple[Opened, ...] = Field(min_length=1)
    times: Mapping[str, Ms | None]
    begin: Json
    end: Json
    outputs: tuple[File, ...]


class TaskNamed(_Frozen):
    """A task certificate by its digest."""

    task: Text
    certificate: Hex
    result: Result
    exceptions: tuple[Text, ...]


class ClosingCertificate(_Certificate):
    """A study's end: every part, every task, the hospitals' own word on their keys, and what a scan still found."""

    type: Literal["closing-certificate"]
    why: Text
    walls: Walls
    at: Ms
    objects: tuple[Erased, ...]
    tasks: tuple[TaskNamed, ...]
    keys_destroyed: tuple[Json, ...]
    results_destroyed: Count
    scan: Json


_C = TypeVar("_C", TaskCertificate, ClosingCertificate)


def limits(keys: Collection[str]) -> list[dict[str, str]]:
    """The sentences of `keys`, as a certificate carries them."""
    return [{"key": key, "ko": word(key, "ko"), "en": word(key, "en")} for key in keys]


def task_result(begin: Mapping[str, Any], end: Mapping[str, Any], walls: str) -> tuple[Result, list[str]]:
    """What the evidence of one task proves, and the exceptions to it."""
    if end.get("nothing_left") is not True:
        return "UNPROVEN", ["something-left"]
    place = begin.get("place")
    medium: Mapping[str, Any] = place if isinstance(place, Mapping) else {}
    swap_possible = medium.get("noswap") is not True and (begin.get("swap") != "off" or end.get("swap") != "off")
    rules = (
        ("thin-walls", walls == "thin"),
        ("plaintext-on-disk", medium.get("memory") is not True),
        ("swap-possible", swap_possible),
    )
    exceptions = [name for name, applies in rules if applies]
    return ("DELETED_WITH_EXCEPTIONS" if exceptions else "DELETED"), exceptions


def closing_result(body: Mapping[str, Any]) -> tuple[Result, list[str]]:
    """What a closing certificate's own members prove, and the exceptions: those of its tasks are its own."""
    left = [
        one
        for one in body["objects"]
        if one["staged"] and not (one["overwritten"] and one["unlinked"] and one["synced"])
    ]
    unproven = [one for one in body["tasks"] if one["result"] == "UNPROVEN"]
    scan = body["scan"]
    failed = (
        ("ciphertext-left", bool(left)),
        ("task-unproven", bool(unproven)),
        ("keys-unconfirmed", _keys(body) != {one["key_id"] for one in body["objects"]}),
        ("scan-found", bool(scan.get("found")) or bool(scan.get("tables"))),
        ("scan-proves-nothing", scan.get("proves") is not True),
    )
    if reasons := [name for name, applies in failed if applies]:
        return "UNPROVEN", reasons
    exceptions = {name for one in body["tasks"] for name in one["exceptions"]}
    if body["walls"] == "thin":
        exceptions.add("thin-walls")
    return ("DELETED_WITH_EXCEPTIONS" if exceptions else "DELETED"), sorted(exceptions)


def check_task(body: Mapping[str, Any], *, objects: Collection[str] = ()) -> TaskCertificate:
    """A task certificate that holds. `objects`: SHA-256 of each ciphertext that it must name.

    Raises `Refusal`: certificate-malformed, certificate-omits-object, certificate-overstates.
    """
    found = _read(TaskCertificate, body, TASK_LIMITS)
    _whole("object", objects, {one.sha256 for one in found.objects})
    _stated(found, task_result(found.begin, found.end, found.walls))
    return found


def check_closing(
    body: Mapping[str, Any], *, objects: Collection[str] = (), tasks: Collection[str] = ()
) -> ClosingCertificate:
    """A closing certificate that holds. `tasks`: digests of the task certificates that it must list. Raises too."""
    found = _read(ClosingCertificate, body, CLOSING_LIMITS)
    _whole("object", objects, {one.sha256 for one in found.objects})
    _whole("task", tasks, {one.certificate for one in found.tasks})
    _whole("key", _keys(body), {one.key_id for one in found.objects})
    _stated(found, closing_result(body))
    return found


def check(body: Mapping[str, Any]) -> None:
    """Either kind, by itself: its shape, its limits, and that it says no more than its own evidence."""
    (check_closing if body.get("type") == CLOSING else check_task)(body)


def _keys(body: Mapping[str, Any]) -> set[str]:
    """The keys that the hospitals say are destroyed."""
    try:
        return {key["key_id"] for envelope in body["keys_destroyed"] for key in envelope["body"]["keys"]}
    except (KeyError, TypeError):
        raise Refusal("certificate-malformed", where="keys_destroyed") from None


def _read(kind: type[_C], body: Mapping[str, Any], needed: Collection[str]) -> _C:
    try:
        found = kind.model_validate_json(canonical(body))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise Refusal("certificate-malformed", where=where) from None
    if not set(needed) <= {one.key for one in found.limits}:
        raise Refusal("certificate-malformed", where="limits")
    return found


def _whole(what: str, expected: Collection[str], listed: set[str]) -> None:
    missing = sorted(set(expected) - listed)
    if missing:
        raise Refusal("certificate-omits-object", what=what, needed=len(set(expected)), seen=missing[0])


def _stated(found: TaskCertificate | ClosingCertificate, proven: tuple[Result, list[str]]) -> None:
    if found.result != proven[0] or sorted(found.exceptions) != sorted(proven[1]):
        raise Refusal("certificate-overstates", needed=proven[0], seen=found.result)
