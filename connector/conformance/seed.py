"""What the kit finds: public data sets with an offer each, agreements of both sides; all steps wait for a person."""

from typing import Any, Final

from connector.conformance import scripts
from connector.datasets import content
from connector.datasets.model import Dataset, Offer
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.negotiation.agreed import ends
from connector.negotiation.approval import When
from connector.negotiation.model import Agreement, Approval
from connector.policy.service import Policies
from connector.rights.service import accept_standing
from vocab import terms
from vocab.odrl import offer as offers
from vocab.odrl.normalise import normalise
from vocab.records.envelope import signed

Json = dict[str, Any]

#: The kit's participant id: its code knows no other.
KIT: Final = "TCK_PARTICIPANT"
#: The data set of all agreements.
DATA: Final = "DATA0001"
_YEAR: Final = 365 * 86_400_000


async def seed(runtime: Runtime) -> None:
    """Fills an empty node. The standing list that it obeys is its own: nobody else is a member."""
    await accept_standing(runtime, signed(standing(runtime), runtime.did, runtime.keys.sign))
    provided = [*scripts.provided(scripts.NEGOTIATIONS), *scripts.SHOWN, DATA]
    agreed = [(one, one in scripts.provided(scripts.TRANSFERS)) for one in scripts.TRANSFERS]

    def fill(unit: Unit) -> None:
        now = runtime.now()
        unit.session.add(Approval(when=When.STEPS, by="kit", at=now))
        for one in provided:
            unit.session.add(_dataset(one, now))
            unit.session.add(_offer(one, now))
        for one, ours in agreed:
            unit.session.add(_agreement(runtime.did, one, provider=ours, now=now))

    await runtime.store.run(fill)
    await content.keep(runtime, DATA, "kit", _bytes())


async def _bytes() -> Any:
    yield b'{"patients": 3}\n'


def offer(dataset: str) -> Json:
    """The one offer on a data set: whoever asks may use it."""
    return {"@id": scripts.offer_id(dataset), "@type": "Offer", "permission": [{"action": "use"}]}


def _dataset(one: str, now: int) -> Dataset:
    access = {terms.ACCESS_RIGHTS: [{"@id": terms.PUBLIC}]}
    return Dataset(
        id=one,
        form={"title": {"ko": one, "en": one}},
        node=access,
        non_public=False,
        synthetic=True,
        min_walls="thin",
        legal_basis=[],
        deid_profile="none",
        published_at=now,
        published_by="kit",
    )


def _offer(one: str, now: int) -> Offer:
    document = offer(one)
    policy = normalise(document, target=one)
    return Offer(
        id=policy.id,
        dataset=one,
        document=document,
        normalised=policy.to_json(),
        digest=policy.digest,
        published_at=now,
        published_by="kit",
    )


def _agreement(did: str, one: str, *, provider: bool, now: int) -> Agreement:
    assigner, assignee = (did, KIT) if provider else (KIT, did)
    document = offers.agreement(offer(DATA), one, target=DATA, assigner=assigner, assignee=assignee, at=now)
    policy = normalise(document)
    return Agreement(
        id=one,
        negotiation=one,
        side="provider" if provider else "consumer",
        provider=assigner,
        consumer=assignee,
        dataset=DATA,
        document=document,
        policy=policy.to_json(),
        digest=policy.digest,
        offer=scripts.offer_id(DATA),
        offer_digest=normalise(offer(DATA), target=DATA).digest,
        until=ends(policy, None),
        state="FINALIZED",
        at=now,
    )


def standing(runtime: Runtime) -> Json:
    """A list of one: whoever signs it is its own operator."""
    now = runtime.now()
    keys = {kind: runtime.keys.public(kind).hex() for kind in ("token", "receipt", "witness", "sealing")}
    own = {
        "did": runtime.did,
        "url": runtime.settings.url,
        "name": {"ko": "시험 대상", "en": "under test"},
        "camp": "hospital",
        "organisation": "conformance",
        "roles": [],
        "purposes": [],
        "diseases": [],
        "country": "KR",
        "keys": keys,
        "vkey": "conformance+00+00",
        "state": "active",
    }
    return {
        "type": "standing",
        "seq": 1,
        "at": now,
        "valid_until": now + _YEAR,
        "lease_seconds": 60,
        "operator": runtime.did,
        "members": [own],
        "zones": [],
        "permits": {},
        "release": runtime.get(Policies).revision,
        "reviewers": [],
        "log": {"origin": "conformance", "vkey": "conformance", "policy": "log conformance"},
    }
