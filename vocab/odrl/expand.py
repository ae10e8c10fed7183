"""JSON-LD to its expanded form: absolute names, every value wrapped. Nothing is fetched, nothing is dropped.

A policy under contexts that stand in `contexts` alone is rewritten by one table (quick); one that brings definitions of
its own goes through the full JSON-LD algorithm. Both give the same form, and a test compares them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pyld import jsonld
from pyld.documentloader.frozen import FrozenDocumentLoader

from vocab.errors import Refusal
from vocab.odrl.contexts import Context, contexts
from vocab.odrl.names import unclear

Node = dict[str, Any]
#: Where names that are not absolute end up in the full algorithm, and are taken from again.
_BASE: Final = "https://relative.invalid/"
_KEYWORDS: Final = frozenset({"@id", "@type", "@value", "@language", "@list", "@set"})
_LITERALS: Final = (str, int, float)


def expanded(doc: Mapping[str, Any], default: tuple[str, ...]) -> Node:
    """The one node of `doc`, under its own `@context` or else `default`.

    Raises `Refusal`: context-not-understood, policy-not-understood (a word that no context defines).
    """
    given = doc.get("@context", list(default))
    listed = given if isinstance(given, list) else [given]
    body = {name: value for name, value in doc.items() if name != "@context"}
    if not _own_words(listed, body):
        return _Table(tuple(listed)).node(body, "$")
    return _full(listed, body)


def _own_words(listed: list[Any], body: object) -> bool:
    """Whether a context other than the bundled ones is at work anywhere. Raises for an address that is not bundled."""
    for one in listed:
        if isinstance(one, str) and one not in contexts():
            raise Refusal("context-not-understood", needed=sorted(contexts()), seen=one[:200])
    return not all(isinstance(one, str) for one in listed) or _nested(body)


def _nested(value: object) -> bool:
    if isinstance(value, Mapping):
        return "@context" in value or any(_nested(one) for one in value.values())
    return isinstance(value, list) and any(_nested(one) for one in value)


# ---- one table


@lru_cache(maxsize=64)
def _merged(addresses: tuple[str, ...]) -> Context:
    found: Context = {}
    for one in addresses:
        found |= contexts()[one]
    return found


class _Table:
    """Rewrites by the words of some bundled contexts."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._words = _merged(addresses)

    def node(self, given: Mapping[str, Any], path: str) -> Node:
        found: Node = {}
        for key, value in given.items():
            name, kind, container = self._property(key, path)
            if name == "@type":
                found[name] = [self._name(one, path) for one in _listed(value)]
            elif name in _KEYWORDS:
                found[name] = value
            else:
                values = [self._value(one, kind, f"{path}.{key}") for one in _members(value)]
                if container == "@list" and not _is_list(value):
                    values = [{"@list": values}]
                found[name] = [*found.get(name, []), *values]
        return found

    def _property(self, key: str, path: str) -> tuple[str, str | None, str | None]:
        known = self._words.get(key)
        if isinstance(known, dict):
            return self._absolute(known["@id"]), known.get("@type"), known.get("@container")
        if key in _KEYWORDS or (known in _KEYWORDS):
            return known or key, None, None
        name = self._absolute(known or key)
        if ":" not in name or name.startswith("@"):
            raise _dropped(path, key)
        return name, None, None

    def _absolute(self, name: str) -> str:
        prefix, colon, rest = name.partition(":")
        start = self._words.get(prefix) if colon and not rest.startswith("//") else None
        return self._absolute(start) + rest if isinstance(start, str) and start[-1:] in "/#" else name

    def _name(self, given: object, path: str) -> str:
        """A word of the vocabulary: a term, a compact or an absolute name."""
        if not isinstance(given, str):
            raise unclear(path, "a name", given)
        known = self._words.get(given)
        return self._absolute(known if isinstance(known, str) else given)

    def _value(self, given: object, kind: str | None, path: str) -> Node:
        if isinstance(given, Mapping):
            if "@list" in given:
                return {"@list": [self._value(one, kind, path) for one in _listed(given["@list"])]}
            return self._literal(given, path) if "@value" in given else self.node(given, path)
        if not isinstance(given, _LITERALS):
            raise unclear(path, "a value", type(given).__name__)
        if isinstance(given, str) and kind == "@vocab":
            return {"@id": self._name(given, path)}
        if isinstance(given, str) and kind == "@id":
            return {"@id": self._absolute(given)}
        return {"@value": given}

    def _literal(self, given: Mapping[str, Any], path: str) -> Node:
        if not given.keys() <= {"@value", "@type"}:
            raise _dropped(path, *(given.keys() - {"@value", "@type"}))
        kind = {"@type": self._name(given["@type"], path)} if "@type" in given else {}
        return {"@value": given["@value"], **kind}


def _is_list(value: object) -> bool:
    return isinstance(value, Mapping) and "@list" in value


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _members(value: object) -> list[Any]:
    """The members of a value: of a list, of `@set`, or the value alone."""
    if isinstance(value, Mapping) and value.keys() == {"@set"}:
        return _members(value["@set"])
    return _listed(value)


# ---- the full algorithm


def _full(listed: list[Any], body: Mapping[str, Any]) -> Node:
    dropped: list[str] = []
    loader = FrozenDocumentLoader({address: {"@context": context} for address, context in contexts().items()})
    options = {"base": _BASE, "documentLoader": loader, "processingMode": "json-ld-1.1"}
    try:
        found = jsonld.expand(
            {"@context": listed, **body}, options, on_property_dropped=lambda one: dropped.append(str(one))
        )
    except jsonld.JsonLdError as error:
        raise Refusal("context-not-understood", needed=sorted(contexts()), seen=_cause(error)) from None
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise Refusal("context-not-understood", needed=sorted(contexts()), seen=type(error).__name__) from None
    if dropped:
        raise _dropped("$", *dropped)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise _dropped("$", f"{len(found)} nodes")
    return _relative(found[0])  # type: ignore[no-any-return]


def _cause(error: jsonld.JsonLdError) -> str:
    return str(error.code or error.args[0])[:200]


def _relative(value: Any) -> Any:
    """Names that were completed with the base, as they stood."""
    if isinstance(value, dict):
        return {name: _relative(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_relative(one) for one in value]
    return value.removeprefix(_BASE) if isinstance(value, str) else value


def _dropped(path: str, *names: str) -> Refusal:
    return unclear(path, "words that its context defines", sorted(names))
