"""A steward's form becomes a description: HealthDCAT-AP Release 8, NON_PUBLIC level, as expanded JSON-LD. Pure.

Written with absolute IRIs throughout, so that it means the same under a DSP catalogue's context.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vocab import terms
from vocab.messages.catalogue import PATH
from vocab.messages.transfer import HTTP_PULL, HTTP_PUSH, PUSH_FORMAT

Json = dict[str, Any]

_PREFIXES: Final = {
    **terms.PREFIXES,
    "hd": "http://healthdataportal.eu/ns/health#",
    "dcatap": "http://data.europa.eu/r5r/",
    "cv": "http://data.europa.eu/m8g/",
    "geo": "http://data.europa.eu/930/",
    "adms": "http://www.w3.org/ns/adms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "eu": "http://publications.europa.eu/resource/authority/",
}

Text = Annotated[str, Field(min_length=1, max_length=4000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Iri = Annotated[str, Field(min_length=3, max_length=300, pattern=r"^(https?://|urn:|[a-z]+:)[^\s<>\"{}|\\^`]+$")]
Category = Literal[
    "EHRS", "PGEH", "WELA", "EMRD", "HGPD", "HPML", "RQSH", "EINS", "HRAD", "MRMR", "PHDR", "EHCT", "RMMD", "DIOH",
    "NRPE", "IDHP", "RPDG",
]  # fmt: skip


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Words(_Form):
    """Text in Korean and, where there is one, in English."""

    ko: Text
    en: Text | None = None

    def values(self) -> list[Json]:
        """As language-tagged values."""
        both = (("ko", self.ko), ("en", self.en))
        return [{"@value": text, "@language": language} for language, text in both if text is not None]


class Column(_Form):
    """One column: what it holds, how it could identify a person, and what is done about that."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
    title: Words
    datatype: Literal["string", "integer", "decimal", "boolean", "date"]
    identifier_class: Literal["direct", "quasi", "sensitive", "other"]
    transform: Name | None = None
    window: Name | None = None


class Contact(_Form):
    """Where questions about the dataset go."""

    name: Name
    url: Annotated[str, Field(max_length=300, pattern=r"^https?://[^\s<>\"]+$")]


class Description(_Form):
    """What a steward says of a dataset. What is missing is told by the shapes, in their words."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    title: Words
    description: Words
    keywords: list[Name] = Field(max_length=50)
    health_categories: list[Category]
    diseases: list[Annotated[str, Field(pattern=r"^[A-Z][0-9][0-9.A-Z-]{0,14}$")]] = Field(max_length=50)
    legal_basis: list[Iri] = Field(max_length=20)
    legislation: list[Iri] = Field(max_length=20)
    purposes: list[Iri] = Field(max_length=20)
    personal_data: list[Iri] = Field(max_length=20)
    conforms_to: list[Iri] = Field(max_length=20)
    provenance: Words
    patients: int = Field(ge=0, lt=2**31)
    rows: int = Field(ge=0, lt=2**31)
    ages: list[Annotated[int, Field(ge=0, le=150)]] | None = Field(default=None, min_length=2, max_length=2)
    columns: list[Column] = Field(max_length=500)
    deid_profile: Name
    contact: Contact
    synthetic: bool
    min_walls: Literal["full", "user", "thin"]
    #: `public` data go to whoever agrees to the offer, over the net: synthetic data only.
    access: Literal["non-public", "public"] = "non-public"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who describes: the node and its organisation, and the body that gives access to its data."""

    did: str
    url: str
    ko: str
    en: str
    access_body: str


def subject(holder: Holder, dataset: str) -> str:
    """The IRI of a dataset: where its description is found."""
    return f"{holder.url}{PATH}/catalog/datasets/{dataset}"


def describe(form: Description, holder: Holder) -> Json:
    """The description of a dataset as one expanded node."""
    about = subject(holder, form.id)
    publisher = _agent(holder.did, [{"@value": holder.ko, "@language": "ko"}, {"@value": holder.en, "@language": "en"}])
    ages = dict(zip(("hd:minTypicalAge", "hd:maxTypicalAge"), form.ages, strict=True)) if form.ages else {}
    return {
        "@id": about,
        **_node(
            "dcat:Dataset",
            {
                "dct:title": form.title.values(),
                "dct:description": form.description.values(),
                "dct:identifier": [_text(about)],
                "adms:identifier": [
                    {"@id": f"{about}#identifier", **_node("adms:Identifier", {"skos:notation": [_text(form.id)]})}
                ],
                "dct:publisher": [publisher],
                "geo:custodian": [{"@id": holder.did}],
                "hd:hdab": [
                    _agent(holder.access_body, [_text("공용 DRB", "ko"), _text("Shared data review board", "en")])
                ],
                "dcat:contactPoint": [_contact(about, form.contact)],
                "dct:accessRights": [_ref(f"eu:access-right/{form.access.upper().replace('-', '_')}")],
                "dcatap:applicableLegislation": _refs(form.legislation),
                "dcat:theme": [_ref("eu:data-theme/HEAL")],
                "dct:type": [_ref("eu:dataset-type/STATISTICAL")],
                "dcat:keyword": [_text(word, "ko") for word in form.keywords],
                "dct:provenance": [
                    {
                        "@id": f"{about}#provenance",
                        **_node("dct:ProvenanceStatement", {"rdfs:label": form.provenance.values()}),
                    }
                ],
                "dct:conformsTo": _refs(form.conforms_to),
                "hd:healthCategory": _refs(f"hd:health-categories/{one}" for one in form.health_categories),
                "hd:hasStructuredData": [{"@value": True}],
                "hd:hasVariables": [_variables(about, form.columns)],
                "hd:numberOfUniqueIndividuals": [_count(form.patients)],
                "hd:numberOfRecords": [_count(form.rows)],
                **{name: [_count(age)] for name, age in ages.items()},
                "dpv:hasPersonalData": _refs(form.personal_data),
                "dpv:hasLegalBasis": _refs(form.legal_basis),
                "dpv:hasPurpose": _refs(form.purposes),
                "med:disease": _refs(map(terms.kcd, form.diseases)),
                "med:deidProfile": [_text(form.deid_profile)],
                "med:synthetic": [{"@value": form.synthetic}],
                "med:minWalls": [_text(form.min_walls)],
                "dcat:distribution": [_distribution(about, form.legislation, form.access)],
            },
        ),
    }


def on_the_wire(
    description: Json, dataset: str, offers: Sequence[Json], service: Json, *, public: bool = False
) -> Json:
    """The dataset as a DSP catalogue shows it: the protocol's own members, and the description beside them."""
    own = {"@id", "@type", _iri("dcat:distribution")}
    formats = (HTTP_PULL, HTTP_PUSH) if public else (PUSH_FORMAT,)
    return {
        "@id": dataset,
        "@type": "Dataset",
        "hasPolicy": list(offers),
        "distribution": [{"@type": "Distribution", "format": one, "accessService": service} for one in formats],
        **{name: value for name, value in description.items() if name not in own},
    }


def _variables(about: str, columns: Sequence[Column]) -> Json:
    group = {
        "dct:title": [_text("patients")],
        "csvw:table": [_node("csvw:Table", {"csvw:column": [_column(one) for one in columns]})],
    }
    return {"@id": f"{about}#variables", **_node("csvw:TableGroup", group)}


def _column(column: Column) -> Json:
    said = " · ".join(filter(None, (column.title.ko, column.window)))
    members = {
        "csvw:name": [_text(column.name)],
        "csvw:title": column.title.values(),
        "dct:description": [_text(said, "ko")],
        "csvw:datatype": [_text(column.datatype)],
        "med:identifierClass": [_text(column.identifier_class)],
    }
    if column.transform:
        members["med:transform"] = [_text(column.transform)]
    return _node("csvw:Column", members)


def _agent(iri: str, names: list[Json]) -> Json:
    point = {"@id": f"{iri}#contact", **_node("cv:ContactPoint", {"rdfs:label": names})}
    return {"@id": iri, **_node("foaf:Agent", {"foaf:name": names, "cv:contactPoint": [point]})}


def _contact(about: str, contact: Contact) -> Json:
    members = {"vcard:fn": [_text(contact.name)], "vcard:hasURL": [{"@id": contact.url}]}
    return {"@id": f"{about}#contact", **_node("vcard:Kind", members)}


def _distribution(about: str, legislation: Iterable[str], access: str) -> Json:
    ko, en = ("중앙 분석 구역으로 암호화 전송", "Encrypted push into the analysis zone")
    if access == "public":
        ko, en = ("계약 뒤 내려받기", "Download under an agreement")
    members = {
        "dct:title": [_text(ko, "ko"), _text(en, "en")],
        "dcat:accessURL": [{"@id": about}],
        "dcatap:applicableLegislation": _refs(legislation),
    }
    return {"@id": f"{about}#distribution", **_node("dcat:Distribution", members)}


def _node(kind: str, members: dict[str, list[Json]]) -> Json:
    return {"@type": [_iri(kind)], **{_iri(name): values for name, values in members.items() if values}}


def _iri(name: str) -> str:
    prefix, colon, rest = name.partition(":")
    return _PREFIXES[prefix] + rest if colon and prefix in _PREFIXES else name


def _ref(name: str) -> Json:
    return {"@id": _iri(name)}


def _refs(names: Iterable[str]) -> list[Json]:
    return [_ref(name) for name in names]


def _text(text: str, language: str | None = None) -> Json:
    return {"@value": text, "@language": language} if language else {"@value": text}


def _count(number: int) -> Json:
    return {"@value": str(number), "@type": _iri("xsd:nonNegativeInteger")}
