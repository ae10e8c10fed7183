"""What the people of study S1 write down: descriptions, the offer, the plan. All fictional (scenario.md)."""

import hashlib
from typing import Any, Final

from connector.play.space import Space
from connector.sources.profile import COLUMNS, KR_MED_1, Role
from vocab import terms
from vocab.odrl.offer import research_offer
from vocab.records.attestations import ATTESTATIONS

Json = dict[str, Any]
DAY_MS: Final = 24 * 3600 * 1000

#: The columns that S1 asks for, in the profile's order: everything that may leave.
S1_COLUMNS: Final = KR_MED_1.columns
DATASETS: Final = {"h01": "D-H01-DM", "h03": "D-H03-DM"}
#: H03 delegates it, then vetoes it: laboratory data that it only lets be counted.
VETOED: Final = "D-H03-LAB"
#: Delegated by nobody: the shared board may not decide on it.
UNDELEGATED: Final = "D-H03-ECG"

_TITLES: Final = {
    "age": ("나이", "Age"),
    "sex": ("성별", "Sex"),
    "residence": ("거주지", "Residence"),
    "index_year": ("기준 연도", "Index year"),
    "diabetes_duration": ("당뇨 유병 기간", "Diabetes duration"),
    "bmi": ("체질량지수", "BMI"),
    "hba1c": ("당화혈색소", "HbA1c"),
    "sbp": ("수축기 혈압", "Systolic blood pressure"),
    "egfr": ("추정 사구체여과율", "eGFR"),
    "uacr": ("소변 알부민/크레아티닌 비", "UACR"),
    "ldl": ("LDL 콜레스테롤", "LDL cholesterol"),
    "smoking": ("흡연", "Smoking"),
    "hypertension": ("고혈압", "Hypertension"),
    "ras_inhibitor": ("RAS 억제제", "RAS inhibitor"),
    "insulin": ("인슐린", "Insulin"),
    "sglt2_inhibitor": ("SGLT2 억제제", "SGLT2 inhibitor"),
    "cvd": ("심혈관질환", "Cardiovascular disease"),
    "outcome": ("3년 안의 만성콩팥병", "Chronic kidney disease within 3 years"),
}


def description(space: Space, node: str, patients: int) -> Json:
    """What the steward of `node` says of its diabetes dataset; `patients` is rounded already."""
    settings = space.nodes[node]
    return {
        "id": DATASETS[node],
        "title": {
            "ko": f"{settings.organisation.ko} 당뇨병 코호트: 신장 합병증 예측",
            "en": "Type 2 diabetes cohort: kidney outcomes",
        },
        "description": {
            "ko": "제2형 당뇨병 성인의 외래 기록에서 만든 가상 코호트. 신장 기능과 3년 추적 결과를 담는다.",
            "en": "A synthetic cohort of adults with type 2 diabetes: kidney function and three years of follow-up.",
        },
        "keywords": ["당뇨", "신장", "만성콩팥병", "예측"],
        "health_categories": ["EHRS"],
        "diseases": ["E11"],
        "legal_basis": ["https://w3id.org/odrl-kr#PIPA-28-2"],
        "legislation": [
            "https://www.law.go.kr/법령/개인정보보호법",
            "https://www.law.go.kr/법령/생명윤리및안전에관한법률",
        ],
        "purposes": [terms.MEDICAL_DEVICE_AI],
        "personal_data": ["https://w3id.org/dpv/legal/eu/ehds#EHRData"],
        "conforms_to": ["https://www.ohdsi.org/data-standardization/"],
        "provenance": {
            "ko": "병원 안에서 kr-med-1 프로파일로 가명처리하고 두 번째 사람이 확인한다.",
            "en": "Pseudonymised in the hospital by profile kr-med-1 and accepted by a second person.",
        },
        "patients": patients,
        "rows": patients,
        "ages": [30, 90],
        "columns": [_column(name) for name in S1_COLUMNS],
        "deid_profile": f"{KR_MED_1.name}/{KR_MED_1.version}",
        "contact": {"name": settings.organisation.ko, "url": f"{settings.url}/"},
        "synthetic": True,
        "min_walls": "thin",
    }


def laboratory(space: Space, patients: int) -> tuple[Json, Json]:
    """H03's laboratory data: described, but offered for non-commercial research only."""
    said = description(space, "h03", patients)
    said |= {
        "id": VETOED,
        "title": {"ko": "한결의료원 당뇨 검사실 자료", "en": "Laboratory results of people with diabetes"},
        "keywords": ["당뇨", "당화혈색소", "검사"],
        "purposes": [terms.NON_COMMERCIAL_RESEARCH],
        "columns": [_column("hba1c")],
    }
    rules = research_offer(
        "offer-d-h03-lab", zone=space.nodes["p01"].did, disease="E10-E14", purpose=terms.NON_COMMERCIAL_RESEARCH
    )
    return said, rules


def _column(name: str) -> Json:
    ko, en = _TITLES[name]
    role = COLUMNS[name].role
    return {
        "name": name,
        "title": {"ko": ko, "en": en},
        "datatype": "string" if name in ("sex", "residence") else "decimal" if name == "hba1c" else "integer",
        "identifier_class": "quasi" if role is Role.QUASI else "sensitive",
        "transform": KR_MED_1.rungs[name],
    }


def offer(space: Space, node: str) -> Json:
    """The offer of S1 on the dataset of `node`: in this zone, in Korea, k >= 5, results only, 90 days."""
    return research_offer(f"offer-{DATASETS[node].lower()}", zone=space.nodes["p01"].did, disease="E10-E14")


def plan(space: Space, *, now: int, code_digest: str, image_digest: str, period_ms: int = 90 * DAY_MS) -> Json:
    """A02's application for S1, complete."""
    return {
        "title": "제2형 당뇨병 환자의 3년 내 만성콩팥병 예측",
        "question": (
            "외래 첫 방문 전 180일의 기록으로 3년 안에 eGFR 60 미만이 90일 간격으로 두 번 나타날지를 예측할 수 있는가?"
        ),
        "purpose": terms.MEDICAL_DEVICE_AI,
        "legal_purpose": terms.SCIENTIFIC_RESEARCH,
        "disease": ["E11"],
        "datasets": [
            {"id": DATASETS[node], "provider": space.nodes[node].did, "columns": list(S1_COLUMNS)} for node in DATASETS
        ],
        "zone": space.nodes["p01"].did,
        "code_digests": [code_digest],
        "image_digests": [image_digest],
        "period_ms": period_ms,
        "attestations": list(ATTESTATIONS),
        "irb": irb(now + period_ms + 30 * DAY_MS),
        "risk": "mid",
        "outcome_reward": 1_000_000,
        "publish_by_days": 548,
    }


def irb(until: int) -> Json:
    """The decision of A02's institutional review board."""
    document = hashlib.sha256("프리딕트 기관생명윤리위원회 심의 결과 통지서 2026-041".encode()).hexdigest()
    return {"decision": "exempt", "number": "PRE-IRB-2026-041", "document_digest": document, "until": until}
