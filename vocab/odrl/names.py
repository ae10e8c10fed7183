"""Names as a policy gives them, made absolute: the prefixes that its reader knows, and ODRL's own bare words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vocab import terms
from vocab.errors import Refusal
from vocab.profile import same_as

_NAME: Final = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """`prefixes` are known beside those of a policy's own context: `odrl` alone where the peer's processor decides."""

    prefixes: Mapping[str, str]

    def word(self, text: str, path: str) -> str:
        """The absolute IRI of a left operand, action, operator or conflict term. A bare word is one of ODRL's."""
        if ":" not in text:
            text = "odrl:" + text
        found = self.value(text)
        if not _NAME.fullmatch(found):
            raise Refusal("term-unknown", rule=path, term=text[:200], seen=text[:200])
        return same_as().get(found, found)

    def value(self, text: str) -> str:
        """An IRI of a value; text without a prefix stays. Raises `Refusal("term-unknown")` for a prefix of ours that
        the policy's context does not define: another reader would read another name."""
        prefix, colon, name = text.partition(":")
        if not colon or prefix not in terms.PREFIXES or name.startswith("//"):
            return text
        if prefix not in self.prefixes:
            raise Refusal("term-unknown", term=text, seen=text)
        return self.prefixes[prefix] + name

    def identifier(self, text: object, path: str) -> str:
        """The name of a policy, an asset, a party: ASCII without spaces, so that no two look alike."""
        if not isinstance(text, str) or not _NAME.fullmatch(text):
            raise unclear(path, "a name in ASCII", text)
        return self.value(text)


#: Under the context of the Dataspace Protocol, whose only prefix of ours is `odrl`.
WIRE: Final = Names({"odrl": terms.PREFIXES["odrl"]})
#: Under the profile's own context.
PROFILE: Final = Names(terms.PREFIXES)


def unclear(path: str, why: str, seen: object) -> Refusal:
    """The refusal of what says nothing, or more than one thing."""
    return Refusal("policy-not-understood", rule=path, path=path, why=why, needed=why, seen=seen)
