"""Who works here: the people of one node, from `people.json` in its folder, and the duties that each one has."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vocab.errors import Refusal

#: Others on the machine may neither read nor write the file that holds the tokens.
_FOREIGN: Final = 0o077


@dataclass(frozen=True, slots=True)
class Person:
    """One of the node's own people. What a person may do follows from duties, never from a name."""

    id: str
    name: str
    duties: frozenset[str]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    name: str = Field(min_length=1, max_length=80)
    duties: list[str]
    token: str = Field(min_length=32, max_length=200, pattern=r"^[A-Za-z0-9._~-]+$")


_ROWS: Final = TypeAdapter(list[_Row])


class People:
    """The people of a node and the digests of their tokens; the tokens themselves are not kept."""

    def __init__(self, rows: Iterable[tuple[Person, str]]) -> None:
        self._by_digest = [(_digest(token), person) for person, token in rows]
        self._by_id = {person.id: person for _, person in self._by_digest}

    @classmethod
    def load(cls, path: Path) -> Self:
        """The people in `path`. Raises `Refusal`: `people-exposed` if others can read it, `people-invalid`."""
        try:
            if path.stat().st_mode & _FOREIGN:
                raise Refusal("people-exposed", where=str(path))
            rows = _ROWS.validate_python(json.loads(path.read_text("utf-8")))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise Refusal("people-invalid", where=f"{path} {first['loc']}", why=first["msg"]) from None
        except (OSError, ValueError) as error:
            raise Refusal("people-invalid", where=str(path), why=type(error).__name__) from None
        for field in ("id", "token"):
            if len({getattr(row, field) for row in rows}) < len(rows):
                raise Refusal("people-invalid", where=str(path), why=f"{field} not unique")
        return cls((Person(row.id, row.name, frozenset(row.duties)), row.token) for row in rows)

    def who(self, token: str) -> Person | None:
        """Whose token this is. Takes the same time whoever it is: every digest is compared."""
        digest, found = _digest(token), None
        for known, person in self._by_digest:
            if hmac.compare_digest(known, digest):
                found = person
        return found

    def get(self, person_id: str) -> Person | None:
        """The person with this id, if still one of ours."""
        return self._by_id.get(person_id)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
