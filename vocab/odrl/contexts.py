"""The JSON-LD contexts that policies come with, by address: what their words mean for a policy. Never fetched.

Written here from what the contexts define (ODRL 2.2, Dataspace Protocol 2025-1 and 2024-1, EDC, Catena-X), cut down to
the words of a policy: a word that is not here is refused, in every context.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from vocab import terms
from vocab.profile import broader_actions, same_as, words

Context = dict[str, Any]

ODRL: Final = terms.PREFIXES["odrl"]
EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
DSPACE: Final = terms.PREFIXES["dspace"]
#: Parties that a rule may name beside assigner and assignee.
PARTIES: Final = [
    "attributedParty",
    "attributingParty",
    "compensatedParty",
    "compensatingParty",
    "consentedParty",
    "consentingParty",
    "contractedParty",
    "contractingParty",
    "informedParty",
    "informingParty",
    "trackedParty",
    "trackingParty",
]
_CLASSES: Final = [
    "Policy",
    "Set",
    "Offer",
    "Agreement",
    "Request",
    "Ticket",
    "Assertion",
    "Privacy",
    "Asset",
    "AssetCollection",
    "Party",
    "PartyCollection",
    "Action",
    "Rule",
    "Permission",
    "Prohibition",
    "Duty",
    "Constraint",
    "LogicalConstraint",
    "Operator",
    "LeftOperand",
    "RightOperand",
]
OPERATORS: Final = [
    "eq",
    "neq",
    "lt",
    "lteq",
    "gt",
    "gteq",
    "isA",
    "isPartOf",
    "hasPart",
    "isAnyOf",
    "isAllOf",
    "isNoneOf",
]
_NODES: Final = ["permission", "prohibition", "obligation", "duty", "remedy", "consequence", "constraint", "refinement"]
_NAMES: Final = [
    "inheritFrom",
    "profile",
    "target",
    "relation",
    "output",
    "source",
    "partOf",
    "hasPolicy",
    "assigner",
    "assignee",
    "rightOperandReference",
]
LOGIC: Final = ["and", "or", "xone", "andSequence"]
#: What the Dataspace Protocol's profile takes of ODRL; the rest is not defined in its context.
_DSP_NODES: Final = ["permission", "prohibition", "obligation", "duty", "constraint"]
_DSP_CLASSES: Final = [
    "Policy",
    "Rule",
    "Agreement",
    "Assertion",
    "Offer",
    "Set",
    "Asset",
    "Action",
    "Permission",
    "Prohibition",
    "Duty",
    "Constraint",
    "Operator",
    "RightOperand",
    "LeftOperand",
]
_CATENA_X: Final = "https://w3id.org/catenax/policy/"


def _typed(names: Iterable[str], kind: str, container: str | None = None) -> Context:
    extra = {"@container": container} if container else {}
    return {name: {"@id": f"odrl:{name}", "@type": kind, **extra} for name in names}


def _odrl() -> Context:
    """The context of ODRL itself, with all its operands and actions."""
    known = [one.removeprefix(ODRL) for one in (*words(), *broader_actions(), *same_as()) if one.startswith(ODRL)]
    return {
        **{name: terms.PREFIXES[name] for name in ("odrl", "xsd", "dct")},
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "uid": "@id",
        "type": "@type",
        **{name: f"odrl:{name}" for name in (*_CLASSES, *OPERATORS, "perm", "prohibit", "invalid", *known)},
        **_typed(_NODES, "@id"),
        **_typed((*_NAMES, *PARTIES), "@id"),
        **_typed(("action", "includedIn", "leftOperand", "operator", "conflict"), "@vocab"),
        **_typed(LOGIC, "@id", "@list"),
        "unit": {"@id": "odrl:unit", "@type": "@id"},
        "dataType": {"@id": "odrl:dataType", "@type": "@id"},
        "rightOperand": "odrl:rightOperand",
    }


def _dsp(dspace: str) -> Context:
    """A policy inside a message of the Dataspace Protocol."""
    return {
        **{name: terms.PREFIXES[name] for name in ("odrl", "dcat", "dct", "xsd")},
        "dspace": dspace,
        **{name: f"odrl:{name}" for name in (*_DSP_CLASSES, *OPERATORS, "prohibit", "use")},
        **_typed(_DSP_NODES, "@id", "@set"),
        **_typed(("profile", "target", "assigner", "assignee", "hasPolicy"), "@id"),
        **_typed(("action", "leftOperand", "operator"), "@vocab"),
        **{name: f"odrl:{name}" for name in (*LOGIC, "rightOperand")},
        "timestamp": "dspace:timestamp",
    }


@cache
def contexts() -> Mapping[str, Context]:
    """Each context by its address."""
    odrl, dsp = _odrl(), _dsp(DSPACE)
    edc = {**dsp, "edc": EDC, "PolicyDefinition": "edc:PolicyDefinition", "policy": "edc:policy"}
    catena_x = {"cx-policy": _CATENA_X, "edc": EDC}
    return {
        "http://www.w3.org/ns/odrl.jsonld": odrl,
        "https://www.w3.org/ns/odrl.jsonld": odrl,
        terms.DSP_CONTEXT: dsp,
        "https://w3id.org/dspace/2025/1/odrl-profile.jsonld": dsp,
        "https://w3id.org/dspace/2024/1/context.json": _dsp("https://w3id.org/dspace/2024/1/"),
        "https://w3id.org/edc/connector/management/v0.0.1": edc,
        "https://w3id.org/edc/connector/management/v2": edc,
        "https://w3id.org/catenax/2025/9/policy/context.jsonld": {
            **catena_x,
            "cx-policy": "https://w3id.org/catenax/2025/9/policy/",
        },
        "https://w3id.org/catenax/2025/9/policy/odrl.jsonld": odrl,
        "https://w3id.org/tractusx/policy/v1.0.0": catena_x,
        "https://w3id.org/tractusx/edc/v0.0.1": catena_x,
        terms.MED_CONTEXT: {**odrl, **terms.PREFIXES},
    }
