"""A part's key for one job: the zone asks under its signature, the hospital's own gate answers, from its own records.

The key leaves wrapped to a key that was born in that job's process and dies with it. Once a task and part: the same
request for the same job key is answered again (an answer may be lost), another job key never.
"""

import asyncio
import base64
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session, select

from connector.evidence import journal
from connector.identity.service import spend
from connector.identity.tokens import Caller
from connector.kit.db import Unit
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.kit.sealed import part_key, wrap
from connector.rights.service import Rights, grant
from connector.transfer import judgement, keys
from connector.transfer.judgement import Given, Judgement
from connector.transfer.model import DataKey, KeyRelease
from vocab import terms
from vocab.errors import Refusal
from vocab.profile import Gate
from vocab.records.envelope import canonical, opened

Json = dict[str, Any]
Text = Annotated[str, Field(min_length=1, max_length=200)]

_ACTIONS: Final = {kind: terms.iri(f"med:{kind}") for kind in ("train", "verify")}


class KeyRequest(BaseModel):
    """The body of a `key-request`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: Literal["key-request"]
    study: Text
    permit: Text
    agreement: Text
    dataset: Text
    snapshot: Text
    task: Text
    kind: Literal["train", "verify"]
    parts: tuple[Literal["train", "holdout"], ...] = Field(min_length=1, max_length=2)
    code_digest: Text
    image_digest: Text
    walls: Literal["full", "user", "thin"]
    job_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    at: int = Field(ge=0, lt=1 << 53)


async def release(runtime: Runtime, by: Caller, envelope: Json) -> dict[str, str]:
    """The wrapped keys by part. Raises `Refusal`: the gate's code, key-released-already, key-destroyed, no-agreement,
    signature-invalid, envelope-invalid."""
    wanted = _read(runtime, by, envelope)
    try:
        return await _release(runtime, by, wanted)
    except Refusal as refusal:
        refusal.values.update(study=wanted.study, by=by.did, task=wanted.task)
        raise


async def _release(runtime: Runtime, by: Caller, wanted: KeyRequest) -> dict[str, str]:
    def read(session: Session) -> tuple[Given, DataKey, Json]:
        found = judgement.given(session, wanted.agreement)
        return found, _key(session, wanted.agreement), _done(session, wanted)

    found, key, done = await runtime.store.read(read)
    _about_it(found, wanted, by.did)
    task = {
        "kind": wanted.kind,
        "code_digest": wanted.code_digest,
        "image_digest": wanted.image_digest,
        "parts": list(wanted.parts),
        **done,
    }
    judged = await judgement.judged(
        runtime,
        Gate.SUBMIT,
        found,
        {"action": _ACTIONS[wanted.kind]},
        wanted.walls,
        {"task": task, "zone": {"verify_code": await _verify_code(runtime, wanted, by.did)}},
    )
    judged.demand()
    wrapped = await asyncio.to_thread(_wrapped, runtime, key, wanted)
    await runtime.store.run(lambda unit: _note(unit, runtime, by, wanted, found, key.id, judged))
    return wrapped


def _read(runtime: Runtime, by: Caller, envelope: Json) -> KeyRequest:
    """The request that the zone itself signed with the key that the operator vouches for."""
    known = runtime.get(Rights).demand().keys
    body = opened(envelope, "key-request", {by.did: known[by.did]}, by.did)
    try:
        found = KeyRequest.model_validate_json(canonical(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Refusal("envelope-invalid", why=".".join(str(part) for part in first["loc"])) from None
    if len(set(found.parts)) != len(found.parts):
        raise Refusal("envelope-invalid", why="parts")
    return found


def _about_it(found: Given, wanted: KeyRequest, zone: str) -> None:
    """The request names the agreement as we know it, and comes from the zone of its permit."""
    agreement = found.agreement
    for rule, needed, seen, code in (
        ("agreement.study", agreement.study, wanted.study, "no-agreement"),
        ("agreement.permit", agreement.permit, wanted.permit, "no-permit"),
        ("agreement.dataset", agreement.dataset, wanted.dataset, "no-agreement"),
        ("agreement.snapshot", agreement.snapshot, wanted.snapshot, "snapshot-not-accepted"),
        ("permit.zone", found.zone, zone, "zone-only"),
    ):
        if needed != seen:
            raise Refusal(code, rule=rule, needed=needed, seen=seen)


async def _verify_code(runtime: Runtime, wanted: KeyRequest, zone: str) -> list[str]:
    """The zone's own validation code, as it says under its signature; a training task needs none."""
    if wanted.kind != "verify":
        return []
    try:
        said = (await judgement.about_zone(runtime, zone)).get("verify_code")
    except Unreachable as error:
        raise Refusal("peer-unreachable", peer=zone, why=error.why) from None
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []


def _key(session: Session, agreement: str) -> DataKey:
    row = session.exec(select(DataKey).where(DataKey.agreement == agreement)).first()
    if row is None:
        raise Refusal("not-staged", seen=agreement)
    if row.state != "held":
        raise Refusal("key-destroyed", key=row.id)
    return row


def _done(session: Session, wanted: KeyRequest) -> Json:
    """How many other tasks have had a key of this agreement, by kind."""
    query = select(KeyRelease.task).where(KeyRelease.agreement == wanted.agreement, KeyRelease.task != wanted.task)
    count = {kind: len(set(session.exec(query.where(KeyRelease.kind == kind)))) for kind in _ACTIONS}
    return {"jobs_done": count["train"], "verify_runs_done": count["verify"]}


def _wrapped(runtime: Runtime, key: DataKey, wanted: KeyRequest) -> dict[str, str]:
    dek, job_key = keys.read(runtime.settings.folder, key.id), bytes.fromhex(wanted.job_key)
    return {
        part: base64.b64encode(wrap(part_key(dek, part), job_key, keys.context(wanted.agreement, part))).decode()
        for part in wanted.parts
    }


def _note(
    unit: Unit, runtime: Runtime, by: Caller, wanted: KeyRequest, found: Given, key_id: str, judged: Judgement
) -> None:
    """The release is a row before it is an answer. Raises when anything that it leaned on has changed."""
    now = runtime.now()
    spend(unit, by, now)
    judgement.still(unit.session, found)
    _key(unit.session, wanted.agreement)
    fresh = [part for part in wanted.parts if not _released(unit.session, wanted, part)]
    if not fresh:
        return
    for part in fresh:
        unit.session.add(
            KeyRelease(
                part=part,
                key=key_id,
                decision=judged.decision.to_json(),
                at=now,
                **wanted.model_dump(
                    include={"task", "agreement", "study", "kind", "job_key", "walls", "code_digest", "image_digest"}
                ),
            )
        )
    grant(
        unit,
        kind="key",
        id=wanted.task,
        study=wanted.study,
        parties=[found.agreement.provider, found.agreement.consumer, by.did],
        revision=judged.decision.revision,
        valid_until=found.agreement.until,
        now=now,
        permit=wanted.permit,
        agreement=wanted.agreement,
        snapshot=found.agreement.snapshot,
        leans=judged.leans,
    )
    journal.record(
        unit,
        "key-released",
        now=now,
        study=wanted.study,
        by=by.did,
        dataset=wanted.dataset,
        task=wanted.task,
        parts=fresh,
    )


def _released(session: Session, wanted: KeyRequest, part: str) -> bool:
    """Whether this very job has the part's key. Raises `Refusal("key-released-already")` when another one has it."""
    kept = session.get(KeyRelease, (wanted.task, wanted.agreement, part))
    if kept is not None and kept.job_key != wanted.job_key:
        raise Refusal("key-released-already", part=part, needed=kept.job_key, seen=wanted.job_key)
    return kept is not None
