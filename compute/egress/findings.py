"""What a check found: a code of the catalogue, where, what was needed. Never a value of a patient, nor of a cell."""

from collections.abc import Mapping
from dataclasses import dataclass

from vocab.errors import Refusal


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why an output may not leave as it is."""

    code: str
    file: str
    needed: str
    seen: str
    rule: str | None = None

    def to_json(self) -> Mapping[str, str | None]:
        """As it is stored, shown to reviewers, and given to the egress gate."""
        return {"code": self.code, "file": self.file, "needed": self.needed, "seen": self.seen, "rule": self.rule}

    def refusal(self) -> Refusal:
        """The same as an answer."""
        return Refusal(self.code, rule=self.rule or self.file, needed=self.needed, seen=self.seen, file=self.file)
