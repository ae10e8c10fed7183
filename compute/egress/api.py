"""Doors of the egress room: companies ask for verification and release, appointed people review."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from compute.egress import releases, reviews, verifications
from compute.egress.model import Release, Verification
from compute.egress.service import install
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person

peers = APIRouter(tags=["egress"])
management = APIRouter(prefix="/api", tags=["egress"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Reviewer = Annotated[Person, Depends(duty("reviewer"))]
Limit = Annotated[int, Query(ge=1, le=500)]
Name = Annotated[str, Field(min_length=1, max_length=300)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Control(_Strict):
    """The file with the controls, and the task that left it."""

    task: Name
    file: Name


class NewVerification(_Strict):
    """Which model the zone shall validate, and what it is for."""

    task: Name
    model: Name
    control: Control | None
    threshold: float = Field(gt=0, lt=1)
    intended_use: str = Field(min_length=1, max_length=500)


class NewRelease(_Strict):
    """Which files shall leave, and who at the company asks."""

    study: Name
    task: Name
    files: list[Name] = Field(min_length=1, max_length=50)
    requester: str = Field(min_length=1, max_length=100)


class NewReview(_Strict):
    """A reviewer's decision with its reason."""

    verdict: Literal["release", "refuse"]
    reason: str = Field(min_length=1, max_length=2000)


@peers.post("/studies/{study}/verifications", status_code=201)
async def new_verification(request: Request, study: str, asked: NewVerification, by: Peer) -> dict[str, Any]:
    """A company asks for the zone's validation of a model."""
    control = (asked.control.task, asked.control.file) if asked.control else None
    wanted = verifications.Wanted(study, asked.task, asked.model, control, asked.threshold, asked.intended_use)
    row = await verifications.ask(_runtime(request), by, wanted)
    return {"id": row.id, "task": row.task, "state": row.state}


@peers.get("/studies/{study}/verifications")
async def list_verifications(request: Request, study: str, by: Peer) -> list[dict[str, Any]]:
    """The study's verifications."""
    rows = await _runtime(request).store.read(lambda session: verifications.of_study(session, study))
    return [_verification(row) for row in rows if row.consumer == by.did]


@peers.get("/verifications/{verification}")
async def show_verification(request: Request, verification: str, by: Peer) -> dict[str, Any]:
    """One verification: report, findings, card."""
    return _verification(
        await _runtime(request).store.read(lambda session: verifications.load(session, verification, by.did))
    )


@peers.post("/releases", status_code=201)
async def new_release(request: Request, asked: NewRelease, by: Peer) -> dict[str, Any]:
    """A company asks that files leave."""
    runtime = _runtime(request)
    row = await releases.ask(runtime, by, asked.study, asked.task, asked.files, asked.requester)
    return await runtime.store.read(lambda session: _release(session, row))


@peers.get("/releases/{release}")
async def show_release(request: Request, release: str, by: Peer) -> dict[str, Any]:
    """One request: its files, findings and reviews."""
    return await _runtime(request).store.read(
        lambda session: _release(session, releases.load(session, release, by.did))
    )


@peers.get("/releases/{release}/files/{name:path}")
async def fetch(request: Request, release: str, name: str, by: Peer) -> dict[str, Any]:
    """A released file, sealed to the company's key."""
    runtime = _runtime(request)
    found, path = await runtime.store.read(lambda session: reviews.file_for(runtime, session, by.did, release, name))
    return await asyncio.to_thread(reviews.as_sent, found, path)


@management.get("/releases")
async def list_releases(
    request: Request, _person: Anyone, study: str | None = None, after: str = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """What companies asked to release."""

    def found(session: Session) -> list[dict[str, Any]]:
        return [_release(session, row) for row in releases.of_study(session, study, after=after, limit=limit)]

    return await _runtime(request).store.read(found)


@management.get("/releases/{release}")
async def look_at_release(request: Request, release: str, _person: Anyone) -> dict[str, Any]:
    """One request, with the verification that stands behind its model."""

    def found(session: Session) -> dict[str, Any]:
        row = releases.load(session, release)
        verified = verifications.load(session, row.verification) if row.verification else None
        return {**_release(session, row), "verified": _verification(verified) if verified else None}

    return await _runtime(request).store.read(found)


@management.get("/verifications")
async def look_at_verifications(request: Request, study: str, _person: Anyone) -> list[dict[str, Any]]:
    """The verifications of a study."""
    rows = await _runtime(request).store.read(lambda session: verifications.of_study(session, study))
    return [_verification(row) for row in rows]


@management.post("/releases/{release}/reviews", status_code=201)
async def new_review(request: Request, release: str, asked: NewReview, person: Reviewer) -> dict[str, Any]:
    """A reviewer decides."""
    runtime = _runtime(request)
    row = await reviews.review(runtime, person.id, release, asked.verdict, asked.reason)
    return await runtime.store.read(lambda session: _release(session, row))


def _verification(row: Verification) -> dict[str, Any]:
    return row.model_dump(exclude={"number", "facts", "synthetic", "consumer"})


def _release(session: Session, row: Release) -> dict[str, Any]:
    files = [{name: value for name, value in one.items() if name not in _OURS} for one in row.files]
    said = [one.model_dump(exclude={"release"}) for one in reviews.reviews(session, row.id)]
    return {**row.model_dump(exclude={"files", "cells", "decisions"}), "files": files, "reviews": said}


#: What of a file's row is nobody else's business.
_OURS = frozenset({"source", "residual_bytes"})


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
