"""Lists of DUO codes (GA4GH Data Use Ontology) as a policy that says the same.

    {"uid": ..., "target": ..., "duoDataUse": [{"id": "DUO:0000007", "modifiers": [{"id": "kcd:E11"}]}]}

The form is that of Beacon 2; a code may also stand as plain text. One code permits, the others narrow. A code without a
clause that can be decided here is refused by its number: a list that lost one of its codes would be broader.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.names import unclear

Json = dict[str, Any]
_OBO: Final = terms.PREFIXES["obo"]
_MEMBERS: Final = frozenset({"uid", "@id", "@type", "target", "assigner", "assignee", "duoDataUse"})
_HMB: Final = {
    "leftOperand": "purpose",
    "operator": "isA",
    "rightOperand": {"@id": "ehds:HealthcareScientificResearch"},
}
_GRU: Final = {"leftOperand": "purpose", "operator": "isA", "rightOperand": {"@id": "dpv:ResearchAndDevelopment"}}
_IRB: Final = {"leftOperand": "med:irbDecision", "operator": "isAnyOf", "rightOperand": ["approved", "exempt"]}


def spelt_out(given: Mapping[str, Any]) -> Json:
    """The list as ODRL under the profile's context. Raises `Refusal`."""
    if strange := sorted(given.keys() - _MEMBERS):
        raise unclear("$", "uid, target, assigner, assignee, duoDataUse", strange)
    codes = given["duoDataUse"]
    if not isinstance(codes, list):
        raise unclear("duoDataUse", "a list of codes", type(codes).__name__)
    rule: Json = {"action": "use", "constraint": []}
    found: Json = {name: value for name, value in given.items() if name != "duoDataUse"} | {"permission": [rule]}
    permitting = 0
    for place, one in enumerate(codes, start=1):
        code, modifiers = _code(one, f"duoDataUse.{place}")
        if code not in _MEANING:
            named = f"DUO:{code}"
            raise Refusal("operand-without-gate", rule=f"duoDataUse.{place}", operand=named, seen=named)
        permitting += code in _PERMISSIONS
        rule["constraint"] += _MEANING[code](found, modifiers, f"duoDataUse.{place}")
    if permitting != 1:
        raise unclear("duoDataUse", "exactly one of DUO:0000042, DUO:0000006, DUO:0000007", permitting)
    return found


def _code(given: object, path: str) -> tuple[str, list[str]]:
    """The seven digits of a code, and its modifiers."""
    node = given if isinstance(given, Mapping) else {"id": given}
    modifiers = node.get("modifiers", [])
    if not node.keys() <= {"id", "label", "version", "modifiers"} or not isinstance(modifiers, list):
        raise unclear(path, "id and modifiers", sorted(node))
    text = str(node.get("id", "")).removeprefix(_OBO).removeprefix("obo:").replace("DUO_", "DUO:")
    digits = text.removeprefix("DUO:")
    if text == digits or len(digits) != 7 or not digits.isdecimal():
        raise unclear(path, "a code as DUO:0000042", str(given)[:80])
    values = [one.get("id") if isinstance(one, Mapping) else one for one in modifiers]
    named = [one for one in values if isinstance(one, str)]
    if len(named) != len(values):
        raise unclear(path, "modifiers with their ids", len(values))
    return digits, named


def _plain(*clauses: Json) -> Callable[[Json, list[str], str], list[Json]]:
    """A code that says all by itself."""

    def said(_: Json, modifiers: list[str], path: str) -> list[Json]:
        if modifiers:
            raise unclear(path, "no modifiers", modifiers)
        return [dict(one) for one in clauses]

    return said


def _with(left: str, operator: str, *more: Json) -> Callable[[Json, list[str], str], list[Json]]:
    """A code that says something only together with its modifiers."""

    def said(_: Json, modifiers: list[str], path: str) -> list[Json]:
        if not modifiers:
            raise unclear(path, f"a modifier that says which {left}", None)
        alike = [{"leftOperand": left, "operator": operator, "rightOperand": one} for one in modifiers]
        return [*(dict(one) for one in more), alike[0] if len(alike) == 1 else {"or": {"@list": alike}}]

    return said


def _published(policy: Json, modifiers: list[str], path: str) -> list[Json]:
    policy.setdefault("obligation", []).append({"action": "med:publishResults"})
    return _plain()(policy, modifiers, path)


#: DUO code -> its clauses. DS stands below HMB; a disease is a code of the Korean classification.
_MEANING: Final[Mapping[str, Callable[[Json, list[str], str], list[Json]]]] = {
    "0000042": _plain(_GRU),
    "0000006": _plain(_HMB),
    "0000007": _with("med:disease", "isA", _HMB),
    "0000019": _published,
    "0000021": _plain(_IRB),
    "0000022": _with("spatial", "eq"),
    "0000025": _with("dateTime", "lteq"),
}
_PERMISSIONS: Final = frozenset({"0000042", "0000006", "0000007"})
