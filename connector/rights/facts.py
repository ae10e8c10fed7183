"""Facts for the gates, from signed evidence only. The names are those of `policies/README.md`."""

from typing import Any

from connector.rights.model import PermitRow
from connector.rights.standing import Standing
from vocab.records.permit import Permit

Fact = dict[str, Any]


def party(standing: Standing, did: str) -> Fact | None:
    """A participant as the operator vouches for it; None when it is not a member."""
    member = standing.member(did)
    if member is None:
        return None
    return {
        "did": member.did,
        "active": member.active,
        "roles": list(member.roles),
        "camp": member.camp,
        "purposes": list(member.purposes),
        "diseases": list(member.diseases),
        "organisation": member.organisation,
        "country": member.country,
    }


def standing(found: Standing, now: int) -> Fact:
    """The list in force, and whether something new may start on it."""
    return {"seq": found.seq, "fresh": found.fresh(now)}


def revision(found: Standing, ours: str) -> Fact:
    """Whether the policy release that this node decides with is the active one."""
    return {"active": bool(ours) and found.release == ours, "ours": ours, "needed": found.release}


def zone(standing: Standing, did: str, walls: str | None = None) -> Fact | None:
    """A zone's place by the standing list, with the level of its walls as its own signed request says."""
    found = standing.zone(did)
    if found is None:
        return None
    return {"did": did, "active": True, "place": found.place, "country": found.country, "walls": walls}


def permit(row: PermitRow | None, standing: Standing) -> Fact | None:
    """Our verified copy of a permit with its state by the standing list; None without one.

    A permit of which the operator says nothing is `unlisted`: no gate takes that for `active`.
    """
    if row is None:
        return None
    found = Permit.read(row.fields)
    return {
        "id": found.id,
        "study": found.study,
        "state": standing.permit_state(found.id) or "unlisted",
        "applicant": found.applicant,
        "datasets": [one.id for one in found.datasets],
        "columns": {one.id: list(one.columns) for one in found.datasets},
        "purpose": found.purpose,
        "legal_purpose": found.legal_purpose,
        "disease": list(found.disease),
        "code_digests": list(found.code_digests),
        "image_digests": list(found.image_digests),
        "from": found.begins,
        "until": found.until,
        "zone": found.zone,
        "irb": {"decision": found.irb_decision, "until": found.irb_until},
        "drb": found.drb,
        "max_jobs": found.max_jobs,
    }
