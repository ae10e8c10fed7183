"""An expanded node that is read member by member; what nobody has read when it is done is refused."""

from collections.abc import Mapping
from typing import Any, Final

from vocab.odrl.contexts import ODRL
from vocab.odrl.names import Names, unclear

_DC: Final = "http://purl.org/dc/terms/"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
#: Members that describe and decide nothing. They stay in the original bytes.
_DESCRIPTIVE: Final = frozenset(
    {
        *(_DC + name for name in ("title", "description", "creator", "publisher", "source", "language")),
        *(_DC + name for name in ("issued", "created", "modified")),
        *(_RDFS + name for name in ("label", "comment")),
    }
)

#: Some write every kind of rule, also where there is none.
_MAY_BE_EMPTY: Final = frozenset({"permission", "prohibition", "obligation", "@type"})


class Reading:
    """One node under reading. `path` says where it stands, for a refusal."""

    def __init__(self, given: object, names: Names, path: str) -> None:
        """Raises `Refusal("policy-not-understood")` for what is no node."""
        if not isinstance(given, Mapping) or "@value" in given or "@list" in given:
            raise unclear(path, "an object", type(given).__name__)
        self._left = dict(given)
        self.names, self.path = names, path

    def has(self, name: str) -> bool:
        """Whether the member `name` of ODRL is there."""
        return ODRL + name in self._left

    def all(self, name: str) -> list[Any]:
        """The values of the member `name`: of ODRL, or of the namespace that it names.

        Raises `Refusal` for a list without members where a reader could take it for "no condition".
        """
        key = name if ":" in name or name.startswith("@") else ODRL + name
        if key not in self._left:
            return []
        found = self._left.pop(key)
        values = found if isinstance(found, list) else [found]
        if not values and name not in _MAY_BE_EMPTY:
            raise unclear(f"{self.path}.{name}", "a list that is not empty", "[]")
        if name in ("and", "or", "xone", "andSequence") and len(values) == 1 and values[0].keys() == {"@list"}:
            values = values[0]["@list"]
        return list(values)

    def one(self, name: str) -> Any:
        """The only value of a member, or None. Raises `Refusal` when there are several."""
        values = self.all(name)
        if len(values) > 1:
            raise unclear(f"{self.path}.{name}", "one value", len(values))
        return values[0] if values else None

    def identifier(self) -> str | None:
        """The node's own name."""
        given = self._left.pop("@id", None)
        return None if given is None else self.names.identifier(given, self.path)

    def types(self) -> set[str]:
        """The node's classes as bare names of ODRL, others as they stand."""
        return {str(one).removeprefix(ODRL) for one in self.all("@type")}

    def named(self, name: str) -> str | None:
        """The name that is the only value of a member, or None."""
        value = self.one(name)
        return None if value is None else self.reference(value, name)

    def reference(self, value: object, name: str) -> str:
        """The name in `{"@id": ...}`, or in a plain string."""
        path = f"{self.path}.{name}"
        if isinstance(value, Mapping) and value.keys() in ({"@id"}, {"@value"}):
            return self.names.identifier(next(iter(value.values())), path)
        raise unclear(path, "a name", sorted(value) if isinstance(value, Mapping) else type(value).__name__)

    def word(self, value: object, name: str) -> str:
        """The word of a vocabulary in `{"@id": ...}`, or in a plain string."""
        path = f"{self.path}.{name}"
        if isinstance(value, Mapping) and value.keys() in ({"@id"}, {"@value"}):
            text = next(iter(value.values()))
            if isinstance(text, str) and text:
                return self.names.word(text, path)
        raise unclear(
            path, "a word of a vocabulary", sorted(value) if isinstance(value, Mapping) else type(value).__name__
        )

    def types_kept(self) -> list[Any]:
        """The node's classes, still to be read."""
        return list(self._left.get("@type", []))

    def done(self) -> None:
        """Raises `Refusal` when anything is left that could say something."""
        left = sorted(self._left.keys() - _DESCRIPTIVE)
        if left:
            raise unclear(self.path, "words that the profile knows", left)
