"""A description that conforms, for tests to spoil."""

from typing import Any

COLUMNS = [
    ("age_band", "나이 (5세)", "string", "quasi"),
    ("sex", "성별", "string", "quasi"),
    ("hba1c", "당화혈색소", "decimal", "sensitive"),
    ("outcome", "3년 안의 만성 신장병", "boolean", "sensitive"),
]


def description(dataset: str = "D-H01-DM", **changed: Any) -> dict[str, Any]:
    """The form that a steward sends."""
    form = {
        "id": dataset,
        "title": {"ko": "2형 당뇨병 신장 합병증 코호트", "en": "Type 2 diabetes kidney cohort"},
        "description": {
            "ko": "외래에서 추적한 2형 당뇨병 성인",
            "en": "Adults with type 2 diabetes followed in clinic",
        },
        "keywords": ["당뇨", "신장", "E11"],
        "health_categories": ["EHRS"],
        "diseases": ["E11", "N18"],
        "legal_basis": ["kr:PIPA-28-2"],
        "legislation": ["https://www.law.go.kr/법령/개인정보보호법"],
        "purposes": ["ehds:TrainTestAndEvaluateMedicalDevicesAlgorithms"],
        "personal_data": ["ehds:EHRData"],
        "conforms_to": ["https://ohdsi.github.io/CommonDataModel/cdm54.html"],
        "provenance": {"ko": "병원 전자의무기록에서 kr-med-1 로 가명처리"},
        "patients": 20_000,
        "rows": 20_000,
        "ages": [30, 85],
        "columns": [
            {"name": name, "title": {"ko": title}, "datatype": datatype, "identifier_class": kind}
            for name, title, datatype, kind in COLUMNS
        ],
        "deid_profile": "kr-med-1",
        "contact": {"name": "데이터팀", "url": "https://h01.example/contact"},
        "synthetic": True,
        "min_walls": "thin",
    }
    return {**form, **changed}
