"""A company's work in the zone: tasks (GA4GH TES 1.1), verification, release, closing; its people never see a row.

What the zone answers is passed on as it is, refusals in our own words. The zone keeps the state; this node keeps none.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sqlmodel import Session

from connector.analysis import receipts
from connector.evidence import journal
from connector.identity.service import ask
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.kit.sealed import unwrap
from connector.negotiation.model import Agreement
from connector.negotiation.service import agreements
from connector.rights.model import PermitRow
from connector.rights.relay import relayed
from connector.rights.service import Rights, permit_for
from vocab.errors import Refusal

Json = dict[str, Any]

#: Where the zone's TES answers.
TES: Final = "/ga4gh/tes/v1"


async def submit(runtime: Runtime, study: str, person: str, wanted: Json) -> Json:
    """Submits a task on the `train` parts of all agreements of `study`; returns the task's id."""
    permit, own = await runtime.store.read(lambda session: _leaned_on(session, study))
    task = _task(study, permit, own, wanted)
    answer: Json = await zone(runtime, permit, "POST", f"{TES}/tasks", task)
    await runtime.store.run(
        lambda unit: journal.record(
            unit,
            "analysis-submitted",
            now=runtime.now(),
            study=study,
            by=person,
            task=answer["id"],
            name=wanted["name"],
        )
    )
    return answer


async def at_zone(runtime: Runtime, study: str, method: str, path: str, body: Json | None = None) -> Any:
    """One exchange with the zone of the study's permit. Raises its refusal, `zone-unreachable`, `no-permit`."""
    permit = await runtime.store.read(lambda session: _permit(session, study))
    return await zone(runtime, permit, method, path, body)


async def zone(runtime: Runtime, permit: PermitRow, method: str, path: str, body: Json | None = None) -> Any:
    """One exchange with the zone that `permit` names."""
    return await _exchange(runtime, str(permit.fields["zone"]), method, path, body)


async def zones(runtime: Runtime) -> list[Json]:
    """The zones of the standing list with their images, for an application to name."""
    standing = runtime.get(Rights).demand()
    return [
        {"did": one.did, "place": one.place, "country": one.country, "images": images}
        for one in standing.zones
        for images in [await _exchange(runtime, one.did, "GET", "/images")]
    ]


async def _exchange(runtime: Runtime, did: str, method: str, path: str, body: Json | None = None) -> Any:
    member = runtime.get(Rights).demand().member(did)
    if member is None:
        raise Refusal("not-a-member", did=did)
    try:
        answer = await ask(runtime, method, member.url + path, did, json=body)
    except Unreachable as error:
        raise Refusal("zone-unreachable", why=error.why) from None
    if not answer.ok:
        raise relayed(answer)
    return answer.body


async def fetch(runtime: Runtime, study: str, release: str, name: str) -> bytes:
    """A released file, opened with this node's sealing key. Raises `Refusal("digest-differs")` when it is another."""
    found = await at_zone(runtime, study, "GET", f"/releases/{quote(release, safe='')}/files/{quote(name, safe='')}")
    try:
        sealed = base64.b64decode(found["sealed"], validate=True)
        content = unwrap(runtime.keys.sealing, sealed, f"{release}|{name}".encode())
    except (KeyError, TypeError, binascii.Error):
        raise Refusal("envelope-invalid", why="sealed") from None
    seen = hashlib.sha256(content).hexdigest()
    if seen != found.get("sha256"):
        raise Refusal("digest-differs", needed=found.get("sha256"), seen=seen, study=study)
    return content


def _leaned_on(session: Session, study: str) -> tuple[PermitRow, list[Agreement]]:
    """The permit, and for each dataset its final agreement, or one that has ended: the zone then says why not."""
    found = sorted(agreements(session, study, limit=500), key=lambda one: one.state == "FINALIZED")
    return _permit(session, study), list({one.dataset: one for one in found}.values())


def _permit(session: Session, study: str) -> PermitRow:
    row = permit_for(session, study)
    if row is None:
        raise Refusal("no-permit", study=study)
    return row


def _task(study: str, permit: PermitRow, own: list[Agreement], wanted: Mapping[str, Any]) -> Json:
    """The TES task: code as `content`, the agreements' parts as inputs, outputs held in the zone."""
    image = wanted.get("image") or permit.fields["image_digests"][0]
    return {
        "name": wanted["name"],
        "executors": [
            {"image": f"dure/task@{image}", "command": command, "workdir": "/out"} for command in wanted["commands"]
        ],
        "inputs": [
            *({"name": name, "path": f"/code/{name}", "content": text} for name, text in wanted["code"].items()),
            *(
                {
                    "name": f"{one.dataset} {part}",
                    "url": f"dsp://agreement/{one.id}/{part}",
                    "path": f"/in/{one.dataset.lower()}.{part}.parquet",
                }
                for one in own
                for part in wanted["parts"]
            ),
        ],
        "outputs": [{"name": name, "path": f"/out/{name}", "url": "dure:held"} for name in wanted["outputs"]],
        "resources": {
            "cpu_cores": wanted["cpu_cores"],
            "ram_gb": wanted["ram_gb"],
            "backend_parameters": {"max_seconds": str(wanted["max_seconds"])},
        },
        "tags": {"study": study, "permit": permit.id},
    }


def install(runtime: Runtime) -> None:
    """The zone keeps the state of what runs there; what it charges for is compared here."""
    receipts.install(runtime)
