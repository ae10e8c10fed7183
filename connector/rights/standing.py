"""The standing list: who is a member with which keys, which permits are in force, which policy release is active.

The operator signs it; nodes keep the newest. A list that is out of date starts nothing new.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vocab.errors import Refusal
from vocab.records.envelope import canonical

#: Clocks of two organisations may differ by this much (ms). A list from further ahead puts one of them in doubt.
SKEW: Final = 60_000

Did = Annotated[str, Field(pattern=r"^did:", max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=300)]
Key = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){32,65}$")]
Ms = Annotated[int, Field(ge=0, lt=1 << 53)]
Camp = Literal["hospital", "company", "zone", "operator"]
PermitState = Literal["active", "suspended", "ended"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Name(_Frozen):
    """An organisation's name in both languages."""

    ko: Text
    en: Text


class MemberKeys(_Frozen):
    """A member's public keys, hex: P-256 point, Ed25519, Ed25519, X25519."""

    token: Key
    receipt: Key
    witness: Key
    sealing: Key


class Member(_Frozen):
    """A participant as the operator vouches for it."""

    did: Did
    url: Text
    name: Name
    camp: Camp
    organisation: Text
    roles: tuple[Text, ...]
    purposes: tuple[Text, ...]
    diseases: tuple[Text, ...]
    country: Text
    keys: MemberKeys
    vkey: Text
    state: Literal["active", "suspended"]

    @property
    def active(self) -> bool:
        """In force: a suspended member keeps its keys for old signatures and may do nothing new."""
        return self.state == "active"


class Zone(_Frozen):
    """Where a zone is."""

    did: Did
    place: Text
    country: Text


class Reviewer(_Frozen):
    """A person whom the operator appointed to review what leaves a zone."""

    id: Text
    organisation: Text


class Log(_Frozen):
    """The operator's log and the policy under which its checkpoints are believed."""

    origin: Text
    vkey: Text
    policy: str = Field(max_length=100_000)


class Standing(_Frozen):
    """One standing list, verified and read."""

    type: Literal["standing"]
    seq: int = Field(ge=1, lt=1 << 53)
    at: Ms
    valid_until: Ms
    lease_seconds: int = Field(ge=1, le=3600)
    operator: Did
    members: tuple[Member, ...] = Field(max_length=2000)
    zones: tuple[Zone, ...]
    permits: Mapping[str, PermitState]
    release: str = Field(max_length=100)
    reviewers: tuple[Reviewer, ...]
    log: Log

    @cached_property
    def _by_did(self) -> dict[str, Member]:
        return {member.did: member for member in self.members}

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """Ed25519 receipt keys by DID, also of suspended members: what they signed before still stands."""
        return {member.did: bytes.fromhex(member.keys.receipt) for member in self.members}

    @cached_property
    def tokens(self) -> dict[str, bytes]:
        """P-256 token keys by DID, of active members only."""
        return {member.did: bytes.fromhex(member.keys.token) for member in self.members if member.active}

    def member(self, did: str) -> Member | None:
        """The member with this DID, active or suspended."""
        return self._by_did.get(did)

    def active(self, did: str) -> bool:
        """Whether `did` is a member in force."""
        found = self.member(did)
        return found is not None and found.active

    def permit_state(self, permit: str) -> PermitState | None:
        """The state of a permit; None when the operator says nothing of it, which is no permission."""
        return self.permits.get(permit)

    def zone(self, did: str) -> Zone | None:
        """The zone with this DID, if it is a member in force."""
        return next((zone for zone in self.zones if zone.did == did and self.active(did)), None)

    def fresh(self, now: int) -> bool:
        """Whether something new may start on this list: it is not out of date, and no clock is in doubt."""
        return self.at - SKEW <= now < self.valid_until


def read(body: Mapping[str, Any]) -> Standing:
    """The list in a verified body. Raises `Refusal("standing-invalid")` that names the member at fault."""
    try:
        found = Standing.model_validate_json(canonical(body))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise Refusal("standing-invalid", why=where) from None
    if len({member.did for member in found.members}) != len(found.members):
        raise Refusal("standing-invalid", why="members")
    return found
