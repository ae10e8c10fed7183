"""Descriptions: what conforms is published, alone and merged; what lacks something is refused by its name."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from connector.datasets.describe import Description, Holder, describe, on_the_wire
from tests.unit.datasets.forms import description
from vocab import terms
from vocab.messages import catalogue, reading
from vocab.odrl.offer import research_offer
from vocab.shapes.check import violations

H01 = Holder("did:web:h01.example", "https://h01.example", "새빛대학병원", "Saebit", "did:web:op.example")
H03 = Holder("did:web:h03.example", "https://h03.example", "한결의료원", "Hangyeol", "did:web:op.example")


def described(holder: Holder = H01, dataset: str = "D-H01-DM", **changed: Any) -> dict[str, Any]:
    form = Description.model_validate_json(json.dumps(description(dataset, **changed)))
    return describe(form, holder)


def test_a_complete_description_conforms() -> None:
    assert violations([described()]) == []


def test_many_descriptions_conform_merged() -> None:
    """Contact points are IRIs: blank ones would pile up on the shared board and violate its shape."""
    merged = [described(holder, f"D-{number}") for holder in (H01, H03) for number in range(8)]
    assert violations(merged) == []


def test_blank_contact_points_violate_only_when_merged() -> None:
    """The control of the test above: the trap exists, and the shapes see it."""

    def blank(one: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(one).replace('"@id": "did:web:op.example#contact", ', "")
        found: dict[str, Any] = json.loads(text)
        return found

    assert violations([blank(described()), blank(described(H03, "D-H03-DM"))]) != []


@pytest.mark.parametrize(
    ("changed", "code", "path"),
    [
        ({"legal_basis": []}, "description-without-legal-basis", "hasLegalBasis"),
        ({"patients": 19_993}, "count-not-rounded", "numberOfUniqueIndividuals"),
        ({"rows": 20_001}, "count-not-rounded", "numberOfRecords"),
        ({"ages": [31, 85]}, "count-not-rounded", "minTypicalAge"),
        ({"keywords": []}, "description-invalid", "keyword"),
        ({"columns": []}, "description-invalid", "hasVariables"),
        ({"health_categories": []}, "description-invalid", "healthCategory"),
        ({"purposes": []}, "description-invalid", "hasPurpose"),
        ({"legislation": []}, "description-invalid", "applicableLegislation"),
        ({"conforms_to": []}, "description-invalid", "conformsTo"),
        ({"personal_data": []}, "description-invalid", "hasPersonalData"),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, Any], code: str, path: str) -> None:
    found = violations([described(**changed)])
    assert found[0].code == code
    assert path in {one.path for one in found}


def test_a_dataset_on_the_wire_is_a_valid_dsp_dataset_with_its_description() -> None:
    offer = {**research_offer("o-1", zone="did:web:p01", disease="E10-E14"), catalogue.LATER: ["x"]}
    dataset = on_the_wire(described(), "D-H01-DM", [offer], catalogue.service("https://h01.example"))
    answer = catalogue.catalogue("https://h01.example", H01.did, [dataset], [])
    reading.valid(answer, "Catalog")
    assert dataset["http://purl.org/dc/terms/title"][0]["@language"] == "ko"
    assert "downloadURL" not in json.dumps(answer)
    assert all(name.startswith(("@", "http")) or name in ("hasPolicy", "distribution") for name in dataset)


def test_a_form_has_no_unknown_members() -> None:
    with pytest.raises(ValueError, match="extra"):
        Description.model_validate({**description(), "licence": "x"})


def test_the_terms_of_a_description_are_absolute() -> None:
    assert terms.PREFIXES["kr"] + "PIPA-28-2" in json.dumps(described())


@pytest.mark.parametrize("ages", [[-1, 90], [18, 10**20], [18], [18, 50, 90], ["18", 90]])
def test_ages_that_nobody_has_are_refused(ages: list[Any]) -> None:
    with pytest.raises(ValidationError):
        described(ages=ages)
