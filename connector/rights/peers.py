"""Who a peer is to us: a member by the standing list, or a participant of another space. Where it takes messages."""

from connector.identity.service import Members
from connector.kit.runtime import Runtime
from connector.rights import facts
from connector.rights.current import Rights
from vocab.errors import Refusal
from vocab.messages import catalogue


def party(runtime: Runtime, did: str) -> facts.Fact | None:
    """What the gates are told of a participant; None when we do not know it."""
    known = facts.party(runtime.get(Rights).demand(), did)
    if known is None and did in runtime.get(Members).foreign.known:
        return {"did": did, "active": True, "foreign": True, "purposes": [], "diseases": []}
    return known


def members(runtime: Runtime, *dids: str) -> list[str]:
    """Those of `dids` whose rights the operator can end."""
    foreign = runtime.get(Members).foreign.known
    return [did for did in dids if did not in foreign]


def address(runtime: Runtime, did: str) -> str | None:
    """The base of a participant's protocol; None when it is unknown, suspended, or only says so itself."""
    member = runtime.get(Rights).demand().member(did)
    if member is not None:
        return member.url.rstrip("/") + catalogue.PATH if member.active else None
    foreigner = runtime.get(Members).foreign.known.get(did)
    return foreigner.address if foreigner else None


def callback(runtime: Runtime, did: str, given: str | None) -> str:
    """Where a peer takes answers: an address of its own, as we know it. Raises `Refusal("callback-foreign")`."""
    said = (given or "").rstrip("/")
    foreigner = runtime.get(Members).foreign.known.get(did)
    member = runtime.get(Rights).demand().member(did)
    home = member.url.rstrip("/") if member else foreigner.address if foreigner else "–"
    if home is not None and said != home and not said.startswith(f"{home}/"):
        raise Refusal("callback-foreign", needed=home, seen=said or "–")
    return said
