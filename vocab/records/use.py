"""Who could use a dataset on a day, by which rule, and did they? Computed from log entries alone, so anybody can.

A use was possible while all of these held: the operator's `decision` gave a permit that covers the dataset, the
provider's `agreement` under that permit carries both signatures, and the provider had not countersigned the study's
`closing-certificate`. What happened is in `task-end`. An entry by the wrong author, or whose subject cannot be read, is
no basis of anything. A suspension stands in the standing list, not in the log: here it errs towards "could".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from vocab.errors import Refusal
from vocab.records.receipt import body_of, two_signed

Json = dict[str, Any]

#: Korea has no summer time: a day there is these 24 hours.
ZONE: Final = "Asia/Seoul"
_OFFSET: Final = 9 * 3_600_000
DAY: Final = 24 * 3_600_000
_EPOCH: Final = date(1970, 1, 1).toordinal()

TYPES: Final = ("decision", "agreement", "task-end", "closing-certificate")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A log entry that speaks of use: its index and what its receipt says."""

    index: int
    body: Mapping[str, Any]
    whole: bool

    @property
    def subject(self) -> Mapping[str, Any]:
        """The ids and digests that the log shows."""
        found: Mapping[str, Any] = self.body["subject"]
        return found


def leaf(index: int, envelope: Mapping[str, Any]) -> Leaf:
    """The entry at `index`. Its signatures are for the caller to check. Raises `Refusal("envelope-invalid")`."""
    return Leaf(index, body_of(envelope), two_signed(envelope))


def day(text: str) -> tuple[int, int]:
    """Beginning and end (UTC ms) of a day YYYY-MM-DD in Korea. Raises `Refusal("day-malformed")`."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            raise ValueError(text)
        begins = (date.fromisoformat(text).toordinal() - _EPOCH) * DAY - _OFFSET
    except ValueError:
        raise Refusal("day-malformed", seen=text[:40]) from None
    return begins, begins + DAY


def answer(leaves: Iterable[Leaf], operator: str, dataset: str, on: str) -> Json:
    """The answer, with the indexes of the entries that it rests on. The same entries give the same answer.

    `could` lists each right to use with what was done under it; `could_not` what was near a right, and why it was none;
    `did_without` tasks on the dataset outside every right: on an honest day it is empty.
    """
    begins, ends = day(on)
    by_type: dict[str, list[Leaf]] = {name: [] for name in TYPES}
    for one in sorted(leaves, key=lambda one: one.index):
        if one.body["type"] in by_type and _reads(one, operator):
            by_type[one.body["type"]].append(one)
    # the first one counts, and only where the provider agreed that everything was gone
    ends_at = [one for one in reversed(by_type["closing-certificate"]) if one.whole]
    closed = {(one.body["study"], one.body["counterparty"]): one for one in ends_at}
    could: list[Json] = []
    could_not: list[Json] = []
    for decision in by_type["decision"]:
        if dataset not in decision.subject["datasets"]:
            continue
        agreements = [one for one in by_type["agreement"] if _under(one, decision, dataset)]
        study = decision.subject["study"]
        rights = [_right(decision, one, closed.get((study, one.body["author"])), (begins, ends)) for one in agreements]
        could += [right for right in rights if right["from"] < right["until"] and not right["why"]]
        could_not += [_none(right) for right in rights if right["from"] >= right["until"] or right["why"]]
        if not agreements and _overlap(decision.subject["from"], decision.subject["until"], begins, ends):
            could_not.append(_near(decision, "no-agreement"))
    ours = {one.subject["agreement"] for one in by_type["agreement"] if one.subject["dataset"] == dataset}
    tasks = [one for one in by_type["task-end"] if ours & set(one.subject["agreements"])]
    tasks = [one for one in tasks if _overlap(one.subject["started"], one.subject["ended"], begins, ends)]
    for right in could:
        right["did"] = [_task(one) for one in tasks if _within(one, right)]
    covered = {task["leaf"] for right in could for task in right["did"]}
    return {
        "dataset": dataset,
        "on": on,
        "zone": ZONE,
        "from": begins,
        "until": ends,
        "operator": operator,
        "could": could,
        "could_not": could_not,
        "did_without": [_task(one) for one in tasks if one.index not in covered],
    }


def leaves_of(found: Json) -> list[int]:
    """The indexes of all entries that an answer rests on."""
    rights = [*found["could"], *found["could_not"]]
    tasks = [*found["did_without"], *(task for right in found["could"] for task in right["did"])]
    return sorted({index for right in rights for index in right["leaves"]} | {task["leaf"] for task in tasks})


def _right(decision: Leaf, agreement: Leaf, closing: Leaf | None, window: tuple[int, int]) -> Json:
    """What the three entries allow inside the window. An agreement binds from when its provider signed the receipt."""
    permit, agreed = decision.subject, agreement.subject
    ended = closing.body["at"] if closing is not None else window[1]
    leaves = [decision.index, agreement.index, *([closing.index] if closing is not None else [])]
    return {
        "study": permit["study"],
        "applicant": permit["applicant"],
        "permit": permit["permit"],
        "decision": permit.get("decision"),
        "rule_set": permit.get("rule_set"),
        "agreement": agreed["agreement"],
        "provider": agreement.body["author"],
        "offer": agreed["offer"],
        "policy": agreed["policy"],
        "snapshot": agreed["snapshot"],
        "from": max(window[0], permit["from"], agreement.body["at"]),
        "until": min(window[1], permit["until"], ended),
        "why": None if agreement.whole else "one-sided",
        "leaves": leaves,
    }


def _none(right: Json) -> Json:
    """A right that was none that day."""
    return {**right, "why": right["why"] or "not-that-day"}


def _near(decision: Leaf, why: str) -> Json:
    permit = decision.subject
    named = ("study", "applicant", "permit", "decision", "rule_set")
    return {**{name: permit.get(name) for name in named}, "why": why, "leaves": [decision.index]}


def _task(one: Leaf) -> Json:
    subject = one.subject
    named = ("task", "study", "agreements", "kind", "outcome", "started", "ended", "code_digest", "image_digest")
    told = {name: subject[name] for name in named if name in subject}
    return {**told, "zone": one.body["author"], "both_signed": one.whole, "leaf": one.index}


def _under(agreement: Leaf, decision: Leaf, dataset: str) -> bool:
    """Made under that permit, for that dataset, with that applicant."""
    agreed, permit = agreement.subject, decision.subject
    found = (agreed["permit"], agreed["dataset"], agreement.body["counterparty"])
    return found == (permit["permit"], dataset, permit["applicant"])


def _within(task: Leaf, right: Json) -> bool:
    subject = task.subject
    mine = right["agreement"] in subject["agreements"] and subject["study"] == right["study"]
    return mine and _overlap(subject["started"], subject["ended"], right["from"], right["until"])


def _overlap(begins: int, ends: int, since: int, until: int) -> bool:
    return begins < until and ends >= since


def _text(value: object) -> bool:
    return isinstance(value, str)


def _ms(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


#: What an entry's subject must say to be a basis: members, and what each must be.
_SUBJECTS: Final[Mapping[str, Mapping[str, Callable[[object], bool]]]] = {
    "decision": {"study": _text, "applicant": _text, "permit": _text, "datasets": _texts, "from": _ms, "until": _ms},
    "agreement": {
        "agreement": _text,
        "dataset": _text,
        "permit": _text,
        "study": _text,
        "snapshot": _text,
        "policy": _text,
        "offer": _text,
    },
    "task-end": {"task": _text, "study": _text, "agreements": _texts, "started": _ms, "ended": _ms},
    "closing-certificate": {},
}


def _reads(one: Leaf, operator: str) -> bool:
    """Whether the entry may be a basis: decisions are the operator's, and every member is what it must be."""
    if one.body["type"] == "decision" and one.body["author"] != operator:
        return False
    wanted, subject = _SUBJECTS[one.body["type"]], one.subject
    return all(name in subject and holds(subject[name]) for name, holds in wanted.items())
