"""Participants of other spaces. Nobody here vouches for them: a role that knows them says how they show who they are.

No role that a setting can name does so yet; what they may get is for the gates to say (public data, or nothing).
"""

from dataclasses import dataclass, field
from typing import Protocol

from connector.identity.tokens import Caller


class Scheme(Protocol):
    """How the connectors of another space show each other who they are."""

    def caller(self, authorization: str, now: int) -> Caller | None:
        """Who sent this header; None when it is no header of this scheme."""
        ...

    def authorization(self, audience: str) -> str:
        """The header under which we speak to `audience`."""
        ...


@dataclass(frozen=True, slots=True)
class Foreigner:
    """One of them. `address`: the base of its protocol; None where it says itself where it takes answers."""

    id: str
    scheme: Scheme
    address: str | None = None


@dataclass(slots=True)
class Foreigners:
    """Those whom this node knows, by id."""

    known: dict[str, Foreigner] = field(default_factory=dict)

    def authorization(self, did: str) -> str | None:
        """The header under which we speak to `did`; None when it is none of them."""
        one = self.known.get(did)
        return None if one is None else one.scheme.authorization(one.address or did)

    def caller(self, authorization: str, now: int) -> Caller | None:
        """Which of them sent this header; None when none did."""
        for one in self.known.values():
            found = one.scheme.caller(authorization, now)
            if found is not None and found.did in self.known:
                return found
        return None
