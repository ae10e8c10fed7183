"""What a peer's error or termination says. Those of other connectors are often not schema-valid: read what is there."""

from dataclasses import dataclass
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal, catalogue

#: Reasons that a person can read; more is cut off.
_MOST: Final = 1000

#: The status that the protocol gives our refusals: no agent learns from a 403 that something exists, and what may pass
#: by itself is 503, because a peer may give up for good on any 4xx.
_STATUS: Final[dict[int, int]] = {
    400: 400,
    401: 404,
    403: 400,
    404: 404,
    409: 400,
    413: 400,
    422: 400,
    429: 503,
    503: 503,
    504: 503,
}
_STATUS_OF_CODE: Final[dict[str, int]] = {"not-a-member": 404, "changed-meanwhile": 503}


def status(refusal: Refusal) -> int:
    """The HTTP status of `refusal` on a protocol path."""
    return _STATUS_OF_CODE.get(refusal.code) or _STATUS.get(refusal.status, 500)


@dataclass(frozen=True, slots=True)
class Said:
    """A peer's reason in its own words."""

    code: str
    reason: str
    rule: str | None = None
    needed: str | None = None
    seen: str | None = None

    def refusal(self) -> Refusal:
        """The same as one of ours, if the code is in our catalogue; else `peer-said-no` that quotes it."""
        known = catalogue().get(self.code)
        if known and known.status < 500:
            return Refusal(self.code, rule=self.rule, needed=self.needed, seen=self.seen, what=self.reason)
        return Refusal(
            "peer-said-no", rule=self.rule, needed=self.needed, seen=self.seen, theirs=self.code, why=self.reason
        )


def said(body: Any, status: int | None = None) -> Said:
    """The reason in a typed error, a termination, or whatever a peer answered instead."""
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    code = given.get("code")
    shown = {name: _text(given.get(terms.iri(f"med:{name}"))) for name in ("rule", "needed", "seen")}
    reasons = given.get("reason")
    parts = reasons if isinstance(reasons, list) else [reasons]
    words = "; ".join(filter(None, (_text(one) for one in parts[:4])))
    return Said(_text(code) or (f"status {status}" if status else "–"), words or "–", **shown)


def _text(value: Any) -> str | None:
    """Text, or the text in a language-tagged value, or in the object that some connectors write instead."""
    if isinstance(value, dict):
        value = value.get("@value", value.get("message"))
    return str(value)[:_MOST] if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
