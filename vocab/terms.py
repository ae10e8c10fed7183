"""The IRIs of the project: one place, so that a name is spelt once. Prefixes, and the terms that code names itself.

Sources: ODRL 2.2, DPV 2.x with its EHDS extension, DCAT 3, Dataspace Protocol 2025-1. `med`, `kcd`, `kr` are ours.
"""

from collections.abc import Mapping
from typing import Final

from vocab.errors import Refusal

#: The prefixes that may stand for an IRI, in our own tables and (where the DSP context defines them) on the wire.
PREFIXES: Final[Mapping[str, str]] = {
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dpv": "https://w3id.org/dpv#",
    "ehds": "https://w3id.org/dpv/legal/eu/ehds#",
    "med": "https://w3id.org/dure/med#",
    "kcd": "https://w3id.org/dure/kcd#",
    "kr": "https://w3id.org/dure/kr#",
    "obo": "http://purl.obolibrary.org/obo/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dspace": "https://w3id.org/dspace/2025/1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

MED_CONTEXT: Final = "https://w3id.org/dure/med/context.jsonld"
DSP_CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
MED_PROFILE: Final = "https://w3id.org/dure/med"


def iri(compact: str) -> str:
    """The absolute IRI of `prefix:name`; an IRI that is absolute already stays. Raises `Refusal("term-unknown")`."""
    if compact.startswith(("http://", "https://", "urn:", "did:")):
        return compact
    prefix, colon, name = compact.partition(":")
    if not colon or prefix not in PREFIXES or not name:
        raise Refusal("term-unknown", term=compact)
    return PREFIXES[prefix] + name


def wire_iri(text: str) -> str:
    """The absolute IRI of a word in a message, where the DSP context knows `odrl` alone of our prefixes. May refuse."""
    prefix, colon, _ = text.partition(":")
    if colon and prefix in PREFIXES and prefix != "odrl":
        raise Refusal("term-unknown", term=text)
    return iri(text)


def short(absolute: str) -> str:
    """`prefix:name` where a prefix fits, else the IRI itself: for people, never for comparing."""
    for prefix, start in PREFIXES.items():
        if absolute.startswith(start) and len(absolute) > len(start):
            return f"{prefix}:{absolute.removeprefix(start)}"
    return absolute


USE: Final = iri("odrl:use")
DISTRIBUTE: Final = iri("odrl:distribute")
DELETE: Final = iri("odrl:delete")
COMPENSATE: Final = iri("odrl:compensate")
REIDENTIFY: Final = iri("med:reidentify")
LINK_ACROSS_PROVIDERS: Final = iri("med:linkAcrossProviders")
EXPORT_RECORDS: Final = iri("med:exportRecords")
PUBLISH_RESULTS: Final = iri("med:publishResults")

PURPOSE: Final = iri("odrl:purpose")
SPATIAL: Final = iri("odrl:spatial")
DATE_TIME: Final = iri("odrl:dateTime")
ELAPSED_TIME: Final = iri("odrl:elapsedTime")
LEGAL_PURPOSE: Final = iri("med:legalPurpose")
DRB_APPROVAL: Final = iri("med:drbApproval")
IRB_DECISION: Final = iri("med:irbDecision")
DISEASE: Final = iri("med:disease")
PROCESSING_PLACE: Final = iri("med:processingPlace")
K_ANONYMITY: Final = iri("med:kAnonymity")
OUTPUT_KIND: Final = iri("med:outputKind")
JOB_COUNT: Final = iri("med:jobCount")
DELAY_AFTER_END: Final = iri("med:delayAfterEnd")

MEDICAL_DEVICE_AI: Final = iri("ehds:TrainTestAndEvaluateMedicalDevicesAlgorithms")
NON_COMMERCIAL_RESEARCH: Final = iri("dpv:NonCommercialResearch")
SCIENTIFIC_RESEARCH: Final = iri("kr:scientificResearch")
ACCESS_RIGHTS: Final = iri("dct:accessRights")
#: Who may have data: anybody, in so many words.
PUBLIC: Final = "http://publications.europa.eu/resource/authority/access-right/PUBLIC"
STUDY: Final = iri("med:study")
PERMIT: Final = iri("med:permit")


def kcd(code: str) -> str:
    """The IRI of a code of the Korean Classification of Diseases: `E11`, `E11.2`, `E10-E14`."""
    return PREFIXES["kcd"] + code
