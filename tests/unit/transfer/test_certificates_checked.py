"""A hospital countersigns what it has compared with its own rows: one object too few is a dispute."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from connector.evidence.model import Receipt
from connector.evidence.service import author
from connector.identity.service import ask
from connector.rights.model import Grant
from connector.transfer.model import DataKey, KeyRelease
from tests.unit.transfer.nodes import DATASET, PERMIT, STUDY, Nodes, did, url
from tests.unit.transfer.stand_in_zone import Job
from vocab.records import certificate
from vocab.records.envelope import digest

Json = dict[str, Any]
BEGIN = {"place": {"kind": "tmpfs", "memory": True, "noswap": True}, "swap": "off"}
END = {"nothing_left": True, "swap": "off"}


@pytest.fixture
async def job(nodes: Nodes, staged: Json) -> Job:
    """A job that had its key."""
    found = Job(nodes["p01"].runtime, staged)
    assert (await found.ask()).ok
    return found


async def objects(nodes: Nodes, *parts: str) -> list[Json]:
    """The hospital's parts as a zone names them."""
    (key,) = await nodes["h01"].rows(DataKey)
    return [
        {
            "agreement": key.agreement,
            "provider": did("h01"),
            "dataset": DATASET,
            "snapshot": key.digest,
            "part": part,
            "object": key.parts[part]["object"],
            "bytes": key.parts[part]["bytes"],
            "sha256": key.parts[part]["sha256"],
            "key_id": key.id,
        }
        for part in parts
    ]


def common(kind: str, limits: tuple[str, ...]) -> Json:
    return {
        "type": kind,
        "version": 1,
        "zone": did("p01"),
        "study": STUDY,
        "permit": PERMIT,
        "consumer": did("a02"),
        "method": dict(certificate.METHOD),
        "limits": certificate.limits(limits),
        "walls": "full",
        "result": "DELETED",
        "exceptions": [],
    }


async def of_task(nodes: Nodes, job: Job) -> Json:
    return {
        **common(certificate.TASK, certificate.TASK_LIMITS),
        "task": job.id,
        "kind": "train",
        "outcome": "COMPLETE",
        "reason": None,
        "recovered": False,
        "policy_revision": "sha256:x",
        "image_digest": "sha256:image",
        "code_digest": "sha256:code",
        "job_key": job.key.public_key().public_bytes_raw().hex(),
        "objects": [{**one, "key_released": True} for one in await objects(nodes, "train")],
        "times": {"prepared": 1, "started": 2, "ended": 3, "deleted": 4},
        "begin": BEGIN,
        "end": END,
        "outputs": [],
    }


async def of_study(nodes: Nodes, job: Job, task: Json, destroyed: Json) -> Json:
    erased = {"staged": True, "overwritten": True, "unlinked": True, "synced": True, "at": 5}
    return {
        **common(certificate.CLOSING, certificate.CLOSING_LIMITS),
        "why": "closed",
        "at": 6,
        "objects": [{**one, **erased} for one in await objects(nodes, "holdout", "train")],
        "tasks": [{"task": job.id, "certificate": digest(task), "result": "DELETED", "exceptions": []}],
        "keys_destroyed": [destroyed],
        "results_destroyed": 0,
        "scan": {"found": [], "tables": [], "proves": True},
    }


async def told(nodes: Nodes, body: Json, about: str, **changed: Any) -> Receipt:
    """The zone authors the certificate's receipt; what became of it."""
    zone = nodes["p01"].runtime
    subject = {"study": STUDY, "certificate": digest(body), "result": body["result"], **changed}
    if body["type"] == certificate.TASK:
        subject["task"] = body["task"]
    receipt = await zone.store.run(
        lambda unit: author(
            unit,
            zone,
            body["type"],
            about=about,
            subject=subject,
            payload=body,
            counterparty=did("h01"),
            study=STUDY,
        )
    )
    await nodes.settle()
    rows = {row.id: row for row in await nodes["p01"].rows(Receipt)}
    found: Receipt = rows[receipt.id]
    return found


async def test_a_whole_task_certificate_is_countersigned_and_ends_the_keys_grant(nodes: Nodes, job: Job) -> None:
    receipt = await told(nodes, await of_task(nodes, job), job.id)
    assert receipt.state == "complete"
    assert [one["did"] for one in receipt.envelope["signatures"]] == [did("p01"), did("h01")]
    (grant,) = [row for row in await nodes["h01"].rows(Grant) if row.kind == "key"]
    assert grant.state == "ended"


def _without_objects(body: Json) -> None:
    other = {**body["objects"][0], "sha256": "0" * 64, "provider": did("h03")}
    body["objects"] = [other]


def _object(name: str, value: Any) -> Callable[[Json], None]:
    def change(body: Json) -> None:
        body["objects"][0][name] = value

    return change


def _member(name: str, value: Any) -> Callable[[Json], None]:
    def change(body: Json) -> None:
        body[name] = value

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        _without_objects,
        _object("key_released", False),
        _object("bytes", 1),
        _object("key_id", "another"),
        _object("snapshot", "another"),
        _member("walls", "user"),
        _member("job_key", "11" * 32),
        _member("code_digest", "sha256:other"),
        _member("image_digest", "sha256:other"),
        _member("zone", did("a02")),
        _member("study", "urn:uuid:other"),
        _member("limits", []),
        _member("end", {"nothing_left": False}),
        _member("begin", {}),
    ],
)
async def test_a_task_certificate_that_says_otherwise_is_disputed(
    nodes: Nodes, job: Job, spoil: Callable[[Json], None]
) -> None:
    body = copy.deepcopy(await of_task(nodes, job))
    spoil(body)
    assert (await told(nodes, body, job.id)).state == "disputed"
    assert [row for row in await nodes["h01"].rows(Receipt) if row.type == certificate.TASK] == []


async def test_a_certificate_that_proves_nothing_gets_no_signature(nodes: Nodes, job: Job) -> None:
    body = {**await of_task(nodes, job), "end": {"nothing_left": False}}
    body.update(result="UNPROVEN", exceptions=["something-left"])
    assert (await told(nodes, body, job.id)).state == "disputed"


async def test_a_digest_that_is_not_the_certificates_is_disputed(nodes: Nodes, job: Job) -> None:
    assert (await told(nodes, await of_task(nodes, job), job.id, certificate="0" * 64)).state == "disputed"


async def test_a_zone_that_died_may_not_know_of_a_key_on_its_way(nodes: Nodes, job: Job) -> None:
    body = {**await of_task(nodes, job), "outcome": "SYSTEM_ERROR", "recovered": True}
    body["objects"][0]["key_released"] = False
    assert (await told(nodes, body, job.id)).state == "complete"


async def destroyed(nodes: Nodes) -> Json:
    (key,) = await nodes["h01"].rows(DataKey)
    path = f"{url('h01')}/studies/{STUDY}/destroy-keys"
    wanted = {"agreements": [key.agreement]}
    answer = await ask(nodes["p01"].runtime, "POST", path, did("h01"), json=wanted)
    assert answer.ok
    found: Json = answer.body
    return found


async def test_a_whole_closing_certificate_is_countersigned(nodes: Nodes, job: Job) -> None:
    task = await of_task(nodes, job)
    assert (await told(nodes, task, job.id)).state == "complete"
    body = await of_study(nodes, job, task, await destroyed(nodes))
    assert (await told(nodes, body, STUDY)).state == "complete"
    house = (await nodes["h01"].call("steward", "GET", f"/api/studies/{STUDY}/house"))[1]
    assert (house["rows_to_company"], house["keys_destroyed"]) == (0, 1)
    assert house["encrypted_bytes"] == sum(one["bytes"] for one in body["objects"])
    assert [(one["task"], one["parts"], one["certified"]) for one in house["keys"]] == [(job.id, ["train"], True)]
    assert {one["type"] for one in house["certificates"]} == {certificate.TASK, certificate.CLOSING}
    assert all(one["limits"] for one in house["certificates"])


@pytest.mark.parametrize("spoiled", ["object", "task", "keys", "left", "scan", "keys-held", "another-study"])
async def test_a_closing_certificate_that_leaves_something_out_is_disputed(
    nodes: Nodes, job: Job, spoiled: str
) -> None:
    task = await of_task(nodes, job)
    assert (await told(nodes, task, job.id)).state == "complete"
    word = await destroyed(nodes)
    body = await of_study(nodes, job, task, word)
    if spoiled == "object":
        body["objects"] = body["objects"][1:]
    elif spoiled == "task":
        body["tasks"] = []
    elif spoiled == "keys":
        body["keys_destroyed"] = []
    elif spoiled == "left":
        body["objects"][0]["unlinked"] = False
    elif spoiled == "scan":
        body["scan"] = {**body["scan"], "proves": False}
    elif spoiled == "another-study":
        body["keys_destroyed"] = [{**word, "body": {**word["body"], "study": "urn:uuid:other"}}]
    else:
        (key,) = await nodes["h01"].rows(DataKey)
        key.state = "held"
        await nodes["h01"].add(key)
    assert (await told(nodes, body, STUDY)).state == "disputed"


async def test_a_task_that_had_a_key_and_was_never_certified_is_missed(nodes: Nodes, job: Job) -> None:
    """The zone leaves a whole task out: neither its certificate nor its name."""
    task = await of_task(nodes, job)
    body = await of_study(nodes, job, task, await destroyed(nodes))
    body["tasks"] = []
    assert len(await nodes["h01"].rows(KeyRelease)) == 1
    assert (await told(nodes, body, STUDY)).state == "disputed"
