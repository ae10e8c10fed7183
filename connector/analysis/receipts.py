"""What a company countersigns of a zone: that a task was its own and counted right under its permit; what was released.

The zone's receipts are the basis of the bill, so each is compared with the permit and the agreements that lie here.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlmodel import Session

from connector.evidence.service import Receipts
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.service import agreements
from connector.rights.model import PermitRow
from connector.rights.service import permit_for
from vocab.errors import Refusal

Json = Mapping[str, Any]

_MINUTE: Final = 60_000
#: Outcomes that are the task's own doing; a fault of the zone costs nothing.
_CHARGED: Final = frozenset({"COMPLETE", "EXECUTOR_ERROR", "CANCELED"})
_KINDS: Final = frozenset({"model", "metric", "aggregate"})
#: Clocks of two organisations may differ by this much (ms).
_SKEW: Final = 60_000


def install(runtime: Runtime) -> None:
    """Registers what this company compares before it signs."""
    checks = runtime.get(Receipts).checks
    checks["task-end"] = _task_end
    checks["release"] = _release


def _task_end(unit: Unit, body: dict[str, Any], payload: dict[str, Any]) -> None:
    subject, permit = body["subject"], _permit(unit.session, body)
    own = {one.id for one in agreements(unit.session, body["study"], limit=500)}
    wall_ms = payload.get("wall_ms")
    minutes = -(-wall_ms // _MINUTE) if isinstance(wall_ms, int) and subject.get("outcome") in _CHARGED else 0
    train = subject.get("kind") == "train"
    span = (permit.fields["from"] - _SKEW, subject.get("started"), subject.get("ended"), body["at"] + _SKEW)
    _demand(
        ("study", body["study"], subject.get("study")),
        ("task", body["about"], subject.get("task")),
        ("agreements", True, bool(subject.get("agreements")) and set(subject.get("agreements", ())) <= own),
        ("code_digest", True, not train or subject.get("code_digest") in permit.fields["code_digests"]),
        ("image_digest", True, subject.get("image_digest") in permit.fields["image_digests"]),
        ("started_minutes", minutes, subject.get("started_minutes")),
        ("ended", True, all(isinstance(at, int) for at in span) and list(span) == sorted(span)),
    )


def _release(unit: Unit, body: dict[str, Any], _payload: dict[str, Any]) -> None:
    subject = body["subject"]
    _permit(unit.session, body)
    files = subject.get("files")
    kinds = {one.get("kind") for one in files} if isinstance(files, list) else set()
    _demand(
        ("study", body["study"], subject.get("study")),
        ("release", body["about"], subject.get("release")),
        ("files", True, bool(kinds) and kinds <= _KINDS),
        ("reviews", 1, subject.get("reviews")),
    )


def _permit(session: Session, body: Json) -> PermitRow:
    """The permit of the study, if its zone is the author."""
    row = permit_for(session, str(body["study"]))
    if row is None:
        raise Refusal("receipt-disputed", what="study", seen=body["study"])
    _demand(("author", row.fields["zone"], body["author"]))
    return row


def _demand(*rows: tuple[str, object, object]) -> None:
    for what, needed, seen in rows:
        if needed != seen:
            raise Refusal("receipt-disputed", what=what, needed=needed, seen=seen)
