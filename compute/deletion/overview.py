"""What the zone holds of a study, as its company and its hospitals may see it."""

from typing import Any

from sqlmodel import Session

from compute.deletion import certificates
from compute.egress.releases import of_study as releases_of
from compute.egress.verifications import of_study as verifications_of
from compute.staging.model import Study
from compute.staging.service import parts, slots
from compute.tasks.service import tasks

Json = dict[str, Any]

#: What company and hospitals may know of each other's study: states, sizes and reasons, never content.
_OF_TASK = set(
    {"id", "kind", "state", "outcome", "code", "walls", "stop_ms", "recovered", "started_at", "ended_at", "cpu_ms"}
)
_OF_FILE = ("name", "kind", "bytes", "state", "findings")


def overview(session: Session, row: Study) -> Json:
    """Everything of a study that this zone holds: for its company and its hospitals."""
    return {
        "study": row.id,
        "state": row.state,
        "why": row.why,
        "until": row.until,
        "closed_at": row.closed_at,
        "slots": [
            {
                "id": slot.id,
                "agreement": slot.agreement,
                "provider": slot.provider,
                "dataset": slot.dataset,
                "stopped": slot.stopped,
                "parts": [one.model_dump(exclude={"slot", "spent"}) for one in parts(session, slot.id)],
            }
            for slot in slots(session, row.id, limit=500)
        ],
        "tasks": [one.model_dump(include=_OF_TASK) for one in tasks(session, row.id)],
        "verifications": [
            one.model_dump(include={"id", "task", "trained", "model", "state", "code", "sha256", "card"})
            for one in verifications_of(session, row.id)
        ],
        "releases": [
            {
                **one.model_dump(include={"id", "task", "state", "residual_bytes", "asked_at"}),
                "files": [{name: file[name] for name in _OF_FILE} for file in one.files],
            }
            for one in releases_of(session, row.id)
        ],
        "certificates": [
            one.model_dump(include={"about", "type", "digest", "result", "at"})
            for one in certificates.certificates(session, row.id)
        ],
    }
