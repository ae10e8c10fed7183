"""Log entries of one small study, to ask questions of."""

from typing import Any

from vocab.records.envelope import signed
from vocab.records.use import DAY, Leaf, day, leaf

OP, H01, H03, A02, P01 = (f"did:web:{name}.example" for name in ("op", "h01", "h03", "a02", "p01"))
STUDY, PERMIT = "urn:uuid:s", "permit-1"
ON = "2026-11-23"
BEGINS, ENDS = day(ON)
HOUR = 3_600_000


def entry(
    index: int,
    kind: str,
    author: str,
    subject: dict[str, Any],
    *,
    at: int,
    other: str | None = None,
    whole: bool = True,
) -> Leaf:
    body = {
        "type": kind,
        "id": f"urn:uuid:{index}",
        "study": STUDY,
        "about": str(index),
        "author": author,
        "counterparty": other,
        "at": at,
        "subject": subject,
        "payload": "0" * 64,
    }
    envelope = signed(body, author, lambda message: message[:64])
    if other and whole:
        envelope["signatures"].append({"did": other, "signature": ""})
    return leaf(index, envelope)


def decision(index: int = 0, author: str = OP, **changes: Any) -> Leaf:
    subject = {
        "study": STUDY,
        "applicant": A02,
        "outcome": "approved",
        "rule_set": "kr-2025-12",
        "decision": "d" * 64,
        "permit": PERMIT,
        "datasets": ["D-H01-DM", "D-H03-DM"],
        "from": BEGINS - DAY,
        "until": BEGINS + 90 * DAY,
    }
    return entry(index, "decision", author, {**subject, **changes}, at=BEGINS - DAY)


def agreement(index: int = 1, dataset: str = "D-H01-DM", author: str = H01, **changes: Any) -> Leaf:
    at, whole = changes.pop("at", BEGINS + HOUR), changes.pop("whole", True)
    other = changes.pop("other", A02)
    subject = {
        "agreement": f"agreement-{index}",
        "dataset": dataset,
        "permit": PERMIT,
        "study": STUDY,
        "snapshot": "5" * 64,
        "policy": "6" * 64,
        "offer": "7" * 64,
    }
    return entry(index, "agreement", author, {**subject, **changes}, at=at, other=other, whole=whole)


def task(index: int = 2, agreements: tuple[str, ...] = ("agreement-1",), started: int = BEGINS + 2 * HOUR) -> Leaf:
    subject = {
        "task": f"task-{index}",
        "study": STUDY,
        "agreements": list(agreements),
        "kind": "train",
        "outcome": "COMPLETE",
        "started": started,
        "ended": started + 60_000,
    }
    return entry(index, "task-end", P01, subject, at=started + 60_000, other=A02)


def closing(index: int = 3, at: int = BEGINS + 3 * HOUR, provider: str = H01, whole: bool = True) -> Leaf:
    return entry(index, "closing-certificate", P01, {"study": STUDY}, at=at, other=provider, whole=whole)
