"""What is written down of a snapshot: the signed record, its receipt, its row in the register. Pure."""

from typing import Any, Final

from connector.sources.model import RegisterRow, Snapshot
from vocab import terms
from vocab.records.envelope import digest
from vocab.records.permit import Permit

Json = dict[str, Any]

#: The register is a Korean document: what stands in it is Korean.
_LEGAL: Final = {terms.SCIENTIFIC_RESEARCH: "개인정보 보호법 제28조의2 (과학적 연구)"}
_USE: Final = "분석 구역 안에서만 학습과 검증, 심사를 거친 결과만 반출"


def deidentification(row: Snapshot, hospital: str) -> Json:
    """The body of the record that the hospital signs: what was done to the data, who ran it, who accepted it."""
    document = row.document
    return {
        "type": "deidentification",
        "id": row.id,
        "hospital": hospital,
        "study": row.study,
        "permit": row.permit,
        "dataset": row.dataset,
        "snapshot": row.digest,
        "parts": {name: {"sha256": part["sha256"], "rows": part["rows"]} for name, part in row.parts.items()},
        "columns": row.columns,
        "quasi_identifiers": list(document["quasi_identifiers"]),
        "profile": document["profile"],
        "k": row.k,
        "patients": row.patients,
        "source_patients": document["source_patients"],
        "excluded": document["excluded"],
        "suppressed": document["suppressed"],
        "tools": document["tools"],
        "scan": {name: row.scan[name] for name in ("files", "needles", "planted", "clean")},
        "made_by": row.made_by,
        "made_at": row.made_at,
        "accepted_by": row.accepted_by,
        "accepted_at": row.accepted_at,
    }


def subject(row: Snapshot, record: Json) -> Json:
    """What the log shows of a snapshot: ids, digests, and the number that money is computed from."""
    return {
        "snapshot": row.digest,
        "study": row.study,
        "permit": row.permit,
        "dataset": row.dataset,
        "patients": row.patients,
        "k": row.k,
        "record": digest(record),
    }


def register_row(row: Snapshot, permit: Permit, recipient: str, place: str) -> RegisterRow:
    """The snapshot's row in the register; `recipient` and `place` by name."""
    purpose = f"{terms.short(permit.purpose)} ({', '.join(permit.disease)})"
    return RegisterRow(
        snapshot=row.id,
        study=row.study,
        dataset=row.dataset,
        purpose=purpose,
        legal_basis=_LEGAL.get(permit.legal_purpose, terms.short(permit.legal_purpose)),
        items=row.columns,
        patients=row.patients,
        recipient=recipient,
        place=place,
        begins_at=permit.begins,
        ends_at=permit.until,
        use=_USE,
        processed_by=row.made_by,
        accepted_by=row.accepted_by or "–",
        processed_at=row.made_at,
    )
