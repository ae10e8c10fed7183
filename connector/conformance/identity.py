"""How connectors under test name themselves: JSON in clear. It proves nothing, and is good for nothing but tests."""

import json
import uuid
from dataclasses import dataclass

from connector.identity.tokens import Caller


@dataclass(frozen=True, slots=True)
class InsecureNames:
    """The header of the kit and of EDC's mock: `{"region", "audience", "clientId"}`. Whoever says a name has it."""

    own: str

    def caller(self, authorization: str, now: int) -> Caller | None:
        """Who it says that it is."""
        try:
            found = json.loads(authorization)
        except (ValueError, RecursionError):
            return None
        name = found.get("clientId") if isinstance(found, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            return None
        return Caller(name, uuid.uuid4().hex, now, now + 60_000)

    def authorization(self, audience: str) -> str:
        """Who we say that we are."""
        return json.dumps({"region": "eu", "audience": audience, "clientId": self.own})
