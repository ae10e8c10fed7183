"""A question outside every gate: would this policy allow that? Scripts ask it, people try a policy with it.

Nothing is stored and no evidence is gathered: the answer holds for the facts that the question states.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from connector.policy.change import sufficient
from connector.policy.service import ENGINE, Policies
from vocab import terms
from vocab.errors import LANGUAGES, Refusal, render
from vocab.messages.reading import document
from vocab.odrl.inherit import merged
from vocab.odrl.model import Policy
from vocab.odrl.names import PROFILE
from vocab.odrl.normalise import read
from vocab.odrl.values import fact, moment
from vocab.profile import BEYOND, OPERATORS, ORDER, actions, ancestors, broader_actions, concepts, same_as, words

Json = dict[str, Any]
_T = TypeVar("_T")
STATES: Final = ("pending", "fulfilled", "overdue", "violated")
_REQUIRED: Final = frozenset({"action", "target", "assignee", "now"})
_KNOWN: Final = _REQUIRED | {"facts", "duties", "part_of", "units", "agreed_at", "policies"}
#: How far collections may stand in collections.
_DEPTH: Final = 16


def answer(policies: Policies, text: bytes, question: object) -> Json:
    """The decision document on the policy in `text`. One that cannot be read is a no with its code.

    Raises `Refusal("question-malformed")`.
    """
    asked = asked_of(question)
    try:
        policy = policy_of(document(text), question)
    except Refusal as refusal:
        return _refused(policies, refusal, asked["now"])
    written = policy.to_json()
    decided = policies.ask({**asked, "policy": written})
    if decided["allow"] is not True:
        again = partial(_allows, policies, written)
        decided["sufficient"] = sufficient(again, asked, written)
    return {
        "gate": "ask",
        **decided,
        "reasons": [{**one, "text": _texts(Refusal(one["code"], **_named(one)))} for one in decided["reasons"]],
        "at": asked["now"],
        "revision": policies.revision,
        "engine": ENGINE,
        "policy_digest": policy.digest,
    }


def _allows(policies: Policies, policy: Json, asked: Json) -> bool:
    return policies.ask({**asked, "policy": policy})["allow"] is True


def _named(reason: Mapping[str, Any]) -> Json:
    return {name: reason[name] for name in ("rule", "needed", "seen")}


def _texts(refusal: Refusal) -> Json:
    """What is said of it, and what to do, in each language."""
    said = {language: render(refusal, language) for language in LANGUAGES}
    return {language: f"{one.what} {one.do}" for language, one in said.items()}


def policy_of(given: object, question: object) -> Policy:
    """The policy, whole: with the rules of those that it inherits from. Raises `Refusal` for what cannot be read."""
    policy = read(given)
    others = question.get("policies", {}) if isinstance(question, Mapping) else {}
    return merged(policy, {_name(uid): read(other) for uid, other in others.items()} if policy.inherits else {})


def asked_of(question: object) -> Json:
    """The engine's input for a question, all but the policy. Raises `Refusal("question-malformed")`."""
    given = _object(question, "$")
    _demand(not (missing := sorted(_REQUIRED - given.keys())), "$", f"without {', '.join(missing)}")
    _demand(not (strange := sorted(given.keys() - _KNOWN)), "$", f"unknown: {', '.join(strange)}")
    now = _moment(given["now"], "now")
    agreed = _moment(given["agreed_at"], "agreed_at") if given.get("agreed_at") is not None else None
    world: Json = {}
    for name, value in _object(given.get("facts", {}), "facts").items():
        operand = words().get(_word(name))
        if operand is not None:
            world[operand.iri] = fact(operand, value, PROFILE)
    world |= {terms.DATE_TIME: now, **({} if agreed is None else {terms.ELAPSED_TIME: now - agreed})}
    _object(given.get("policies", {}), "policies")
    return {
        "gate": "ask",
        "now": now,
        "request": {"action": _word(_text(given["action"], "action"))},
        "facts": {
            "dataset": {"id": _name(given["target"], "target")},
            "party": {"did": _name(given["assignee"], "assignee")},
        },
        "world": world,
        "duties": {_name(uid): _state(state) for uid, state in _object(given.get("duties", {}), "duties").items()},
        "part_of": _collections(_object(given.get("part_of", {}), "part_of")),
        "units": {_word(name): _name(unit) for name, unit in _object(given.get("units", {}), "units").items()},
        "agreed_at": agreed,
    }


def vocabulary() -> Json:
    """The profile's words: what a policy may say, and what stands above what."""
    return {
        "namespace": terms.PREFIXES["med"],
        "context": terms.MED_CONTEXT,
        "prefixes": dict(terms.PREFIXES),
        "operands": {
            one.iri: {
                "name": one.name,
                "type": one.type,
                "operators": list(OPERATORS[one.type]),
                "gate": one.gate if ORDER.get(one.gate, BEYOND) < BEYOND or one.gate == "duty" else None,
                "published_with": list(one.operators) if one.gate in (*ORDER, "duty") else [],
                **({"values": list(one.values)} if one.values else {}),
            }
            for one in words().values()
        },
        "actions": {
            name: {
                "broader": list(broader),
                "same_as": sorted(old for old, new in same_as().items() if new == name),
                "phase": actions()[name].phase or None if name in actions() else None,
            }
            for name, broader in broader_actions().items()
        },
        "hierarchies": {
            scheme: {one.iri: list(ancestors(one.iri)) for one in concepts().values() if one.scheme == scheme}
            for scheme in sorted({one.scheme for one in concepts().values()})
        },
    }


def _refused(policies: Policies, refusal: Refusal, now: int) -> Json:
    reason: Json = {"code": refusal.code, "rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen}
    reason["text"] = _texts(refusal)
    return {
        "gate": "ask",
        "allow": False,
        "hypothetical": False,
        "reasons": [reason],
        "obligations": [],
        "report": [],
        "sufficient": {"found": "none"},
        "at": now,
        "revision": policies.revision,
        "engine": ENGINE,
        "policy_digest": None,
    }


def _collections(given: Mapping[str, Any]) -> Json:
    """Each thing with all collections that it is in, those of its collections included."""
    direct = {}
    for name, listed in given.items():
        _demand(isinstance(listed, list), f"part_of.{name}", "not a list")
        direct[_name(name)] = [_name(one, f"part_of.{name}") for one in listed]
    found = {}
    for name in direct:
        every = {name}
        for _ in range(_DEPTH):
            every |= {above for one in every for above in direct.get(one, ())}
        found[name] = sorted(every - {name})
    return found


def _state(given: object) -> str:
    _demand(given in STATES, "duties", f"not one of {', '.join(STATES)}: {given!r}")
    return str(given)


def _moment(given: object, where: str) -> int:
    return _reading(lambda: moment(given, where), where)


def _word(name: str) -> str:
    """An operand or action: its IRI, its prefixed name or ODRL's bare word. One that is unknown stays unknown."""
    return _reading(lambda: PROFILE.word(name, "question"), name)


def _name(given: object, where: str = "question") -> str:
    return _reading(lambda: PROFILE.identifier(given, where), where)


def _reading(call: Callable[[], _T], where: str) -> _T:
    try:
        return call()
    except Refusal as refusal:
        why = str(refusal.values.get("why", refusal.code))
        raise Refusal("question-malformed", where=where, why=why, rule=where) from None


def _text(given: object, where: str) -> str:
    _demand(isinstance(given, str), where, "not text")
    return str(given)


def _object(given: object, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise Refusal("question-malformed", where=where, why="not an object", rule=where)
    return given


def _demand(holds: bool, where: str, why: str) -> None:
    if not holds:
        raise Refusal("question-malformed", where=where, why=why, rule=where)
