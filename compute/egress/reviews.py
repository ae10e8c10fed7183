"""A person looks: appointed by the operator, not the one who asked, and not of that organisation."""

import asyncio
import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, select

from compute.egress import releases
from compute.egress.model import Release, ReleasedFile, Review
from compute.egress.releases import Again, Candidate
from connector.evidence import journal
from connector.evidence.service import author
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.kit.sealed import WRAP_SUITE, wrap
from connector.rights.service import Rights
from connector.rights.standing import Standing
from vocab.errors import Refusal

Json = dict[str, Any]
#: What the gate still wants when this is its only reason: one more person.
MORE: Final = "second-review-missing"


async def review(runtime: Runtime, person: str, release: str, verdict: str, reason: str) -> Release:
    """A reviewer decides. With the last yes that the board's table wants, the files are sealed and released.

    Raises `Refusal`: not-appointed, review-over, review-twice, requester-reviews, same-organisation, or what has come
    to stand against a file since it was asked for.
    """
    standing = runtime.get(Rights).demand()
    organisation = _appointed(standing, person)
    row, earlier, released = await runtime.store.read(lambda session: _open(session, release, person))
    acting = Review(
        release=release,
        person=person,
        organisation=organisation,
        verdict=verdict,
        reason=reason,
        at=runtime.now(),
    )
    member = standing.member(row.consumer)
    people = {
        "requester": {"person": row.requester, "organisation": member.organisation if member else None},
        "reviews": [_fact(one) for one in (*earlier, acting)],
    }
    step: Final = "release" if verdict == "release" else "review"
    again = await releases.checked_again(runtime, row, step, people)
    _demand(again)
    complete = verdict == "release" and all(one.allow for one in again.decisions)
    sealed = await asyncio.to_thread(_seal, runtime, standing, row, again.candidates) if complete else []
    state = "released" if complete else "review" if verdict == "release" else "rejected"
    decisions = [one.to_json() for one in again.decisions]
    seen = (row.files, [one.person for one in earlier], released)
    done = partial(_reviewed, runtime, release, acting.model_dump(), seen, state, sealed, decisions)
    return await runtime.store.run(done)


def reviews(session: Session, release: str) -> list[Review]:
    """What was decided of a request, oldest first."""
    rows = session.exec(select(Review).where(Review.release == release))
    return sorted(rows, key=lambda one: (one.at, one.person))


def file_for(runtime: Runtime, session: Session, consumer: str, release: str, name: str) -> tuple[ReleasedFile, Path]:
    """A released file of the company's own. Raises `Refusal("not-found" | "not-released")`."""
    row = releases.load(session, release, consumer)
    if not any(one["name"] == name for one in row.files):
        raise Refusal("not-found", what=name)
    found = session.get(ReleasedFile, (release, name))
    if found is None:
        raise Refusal("not-released", file=name, seen=row.state, study=row.study)
    return found, runtime.settings.folder / found.file


def as_sent(found: ReleasedFile, path: Path) -> Json:
    """A released file as it travels: sealed to the company's key."""
    return {
        "name": found.name,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "suite": WRAP_SUITE,
        "sealed": base64.b64encode(path.read_bytes()).decode(),
    }


def _appointed(standing: Standing, person: str) -> str:
    """The organisation of a reviewer whom the operator appointed."""
    found = next((one for one in standing.reviewers if one.id == person), None)
    if found is None:
        raise Refusal("not-appointed", person=person)
    return found.organisation


def _open(session: Session, release: str, person: str) -> tuple[Release, list[Review], int]:
    """The request under review, its reviews so far, and how much of the study is out already."""
    row = releases.load(session, release)
    if row.state != "review":
        raise Refusal("review-over", seen=row.state, study=row.study)
    earlier = reviews(session, release)
    if any(one.person == person for one in earlier):
        raise Refusal("review-twice", person=person, study=row.study)
    return row, earlier, len(releases.ledger(session, row.study))


def _fact(one: Review) -> Json:
    return {"person": one.person, "organisation": one.organisation, "decision": one.verdict}


def _demand(again: Again) -> None:
    """Raises the first thing that stands against the release, but for a review that is still missing."""
    for decision in again.decisions:
        for one in decision.reasons:
            if one.code != MORE:
                raise Refusal(one.code, rule=one.rule, needed=one.needed, seen=one.seen)
    for file in again.files:
        for finding in file["findings"]:
            if finding["code"] != MORE:
                raise Refusal(finding["code"], rule=file["name"], needed=finding["needed"], seen=finding["seen"])


def _seal(runtime: Runtime, standing: Standing, row: Release, candidates: Sequence[Candidate]) -> list[ReleasedFile]:
    """Each file sealed to the company's key of the standing list."""
    member = standing.member(row.consumer)
    if member is None or not member.active:
        raise Refusal("not-a-member", rule="consumer", seen=row.consumer)
    recipient, found = bytes.fromhex(member.keys.sealing), []
    folder = runtime.settings.folder / "released" / row.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = {one["name"]: one for one in row.files}
    for number, one in enumerate(candidates):
        path = folder / f"{number}.sealed"
        path.write_bytes(wrap(one.raw, recipient, f"{row.id}|{one.name}".encode()))
        path.chmod(0o600)
        relative = str(path.relative_to(runtime.settings.folder))
        sha256 = str(about[one.name]["sha256"])
        found.append(ReleasedFile(release=row.id, name=one.name, bytes=len(one.raw), sha256=sha256, file=relative))
    return found


def _reviewed(
    runtime: Runtime,
    release: str,
    acting: Json,
    seen: tuple[list[Json], list[str], int],
    state: str,
    sealed: Sequence[ReleasedFile],
    decisions: Sequence[Json],
    unit: Unit,
) -> Release:
    row, earlier, released = _open(unit.session, release, acting["person"])
    if (row.files, [one.person for one in earlier], released) != seen:
        raise Refusal("changed-meanwhile", what="release")
    now = runtime.now()
    unit.session.add(Review(**acting))
    journal.record(
        unit,
        "release-reviewed",
        now=now,
        study=row.study,
        by=acting["person"],
        verdict=acting["verdict"],
        reason=acting["reason"],
    )
    row.decisions = [*row.decisions, *decisions]
    if state == "review":
        return row
    row.state, row.ended_at = state, now
    row.files = [{**one, "state": state if one["state"] == "review" else one["state"]} for one in row.files]
    for one in sealed:
        unit.session.merge(ReleasedFile(**one.model_dump()))
    if state == "released":
        _receipt(unit, runtime, row)
    return row


def _receipt(unit: Unit, runtime: Runtime, row: Release) -> None:
    out = [one for one in row.files if one["state"] == "released"]
    subject = {
        "release": row.id,
        "study": row.study,
        "task": row.task,
        "files": [{name: one[name] for name in ("name", "kind", "bytes", "sha256")} for one in out],
        "residual_bytes": row.residual_bytes,
        "verification": row.verification,
        "reviews": 1,
    }
    people = [one.person for one in reviews(unit.session, row.id)]
    author(
        unit,
        runtime,
        "release",
        about=row.id,
        subject=subject,
        payload={"requester": row.requester, "reviewers": people},
        counterparty=row.consumer,
        study=row.study,
    )
    names = [one["name"] for one in out]
    journal.record(
        unit,
        "released",
        now=runtime.now(),
        study=row.study,
        by=row.consumer,
        files=names,
        residual_bytes=row.residual_bytes,
    )
