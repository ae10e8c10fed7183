"""The catalogue of this node as one peer may see it: decided by the gate `catalog`, kept, and served from bytes.

Members of the space are told what is withheld from them and why; the hospital's journal notes both.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlmodel import Session

from connector.datasets.describe import on_the_wire
from connector.datasets.model import Dataset, Offer, Shown
from connector.datasets.service import dataset_facts, datasets, offers
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.policy.service import Policies
from connector.rights import facts, peers
from connector.rights.service import Rights
from vocab import terms
from vocab.errors import LANGUAGES, Refusal, sentence
from vocab.messages import catalogue
from vocab.odrl.model import Policy
from vocab.profile import Gate
from vocab.records.envelope import digest

Json = dict[str, Any]


#: Datasets of one node that its catalogue can hold.
MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Served:
    """A catalogue ready to send. `etag` is the digest of what is in it, so that a peer can compute it too."""

    document: Json
    body: bytes
    etag: str
    until: int | None
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Catalogues:
    """The catalogues last built, one a peer: built again when anything they rest on has changed."""

    served: dict[str, tuple[str, Served]] = field(default_factory=dict)
    #: The same for peers that read gzip, by etag: thrown away with the catalogues.
    packed: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Question:
    """One offer that the gate is asked about."""

    offer: Offer
    facts: Mapping[str, Any]
    standing: str


async def catalogue_for(runtime: Runtime, peer: str) -> Served:
    """The catalogue that `peer` may see, from bytes where nothing changed."""
    now, policies = runtime.now(), runtime.get(Policies)
    rows, published = await runtime.store.read(lambda session: (datasets(session, limit=MOST), offers(session)))
    known = _peer_facts(runtime, peer, now)
    rests_on = {
        "facts": known,
        "rows": [(row.id, row.revised) for row in rows],
        "offers": [one.id for one in published],
    }
    version = digest({**rests_on, "revision": policies.revision})
    kept = runtime.get(Catalogues).served.get(peer)
    if kept and kept[0] == version and (kept[1].until is None or now < kept[1].until):
        return kept[1]
    by_id = {row.id: row for row in rows}
    questions = [_question(one, by_id[one.dataset], known) for one in published]
    answers = await _answers(runtime, peer, questions, now)
    found = _document(runtime, peer, rows, published, answers)
    ends = [row.valid_until for row in answers.values() if row.valid_until is not None]
    ids = tuple(one["@id"] for one in found.get("dataset", ()))
    served = Served(found, orjson.dumps(found), f'"{digest(found)}"', min(ends, default=None), ids)
    catalogues = runtime.get(Catalogues)
    if before := catalogues.served.get(peer):
        catalogues.packed.pop(before[1].etag, None)
    catalogues.served[peer] = (version, served)
    return served


def _peer_facts(runtime: Runtime, peer: str, now: int) -> Json:
    """What the gate is told of the peer: without the list's number, which changes more often than what it says."""
    standing = runtime.get(Rights).demand()
    return {
        "party": peers.party(runtime, peer),
        "standing": {"fresh": standing.fresh(now)},
        "revision": facts.revision(standing, runtime.get(Policies).revision),
    }


def _question(offer: Offer, row: Dataset, known: Json) -> _Question:
    given = {**known, "dataset": dataset_facts(row)}
    return _Question(offer, given, digest({"facts": given, "policy": offer.digest}))


async def _answers(runtime: Runtime, peer: str, questions: list[_Question], now: int) -> dict[str, Shown]:
    """The gate's answer on each offer: a kept one, or a new one that is kept and noted in the journal."""
    revision = runtime.get(Policies).revision

    def read(session: Session) -> dict[str, Shown]:
        keys = {one.offer.id: (peer, one.offer.id, one.standing, revision) for one in questions}
        rows = {offer: session.get(Shown, key) for offer, key in keys.items()}
        return {offer: row for offer, row in rows.items() if row and (row.valid_until is None or now < row.valid_until)}

    found = await runtime.store.read(read)
    missing = [one for one in questions if one.offer.id not in found]
    if missing:
        new = await asyncio.to_thread(lambda: [_decided(runtime, peer, one, now) for one in missing])
        await runtime.store.run(lambda unit: _keep(unit, new, {one.offer.id: one.offer.dataset for one in missing}))
        found.update({row.offer: row for row in new})
    return found


def _decided(runtime: Runtime, peer: str, question: _Question, now: int) -> Shown:
    policy = Policy.from_json(question.offer.normalised)
    decision = runtime.get(Policies).decide(
        Gate.CATALOG, policy=policy, request={"action": terms.USE}, facts=question.facts, now=now
    )
    first = decision.reasons[0] if decision.reasons else None
    return Shown(
        peer=peer,
        offer=question.offer.id,
        standing=question.standing,
        revision=decision.revision,
        allow=decision.allow,
        code=first.code if first else None,
        rule=first.rule if first else None,
        needed=first.needed if first else None,
        seen=first.seen if first else None,
        later=list(decision.later),
        decision=decision.to_json(),
        valid_until=decision.valid_until,
        at=now,
    )


def _keep(unit: Unit, rows: list[Shown], dataset_of: Mapping[str, str]) -> None:
    for row in rows:
        before = unit.session.get(Shown, (row.peer, row.offer, row.standing, row.revision))
        same = before is not None and before.code == row.code  # asked again because time passed: no news
        unit.session.merge(Shown(**row.model_dump()))
        if same:
            continue
        dataset = dataset_of[row.offer]
        if row.code is None:
            journal.record(unit, "catalogue-shown", now=row.at, by=row.peer, dataset=dataset, offer=row.offer)
        else:
            journal.refused(unit, _refusal(row, dataset), now=row.at, kind="catalogue-withheld", by=row.peer)


def _refusal(row: Shown, dataset: str) -> Refusal:
    return Refusal(row.code or "bug", rule=row.rule, needed=row.needed, seen=row.seen, dataset=dataset)


def _document(
    runtime: Runtime, peer: str, rows: list[Dataset], published: list[Offer], answers: Mapping[str, Shown]
) -> Json:
    shown: list[Json] = []
    withheld: list[Json] = []
    service = catalogue.service(runtime.settings.url)
    member = runtime.get(Rights).demand().member(peer) is not None
    for row in rows:
        own = [one for one in published if one.dataset == row.id]
        open_ = [one for one in own if answers[one.id].allow]
        if open_:
            offers_ = [_shown(one, answers[one.id], member=member) for one in open_]
            shown.append(on_the_wire(row.node, row.id, offers_, service, public=not row.non_public))
        elif own:
            withheld.append(_withheld(row, answers[own[0].id]))
    return catalogue.catalogue(runtime.settings.url, runtime.did, shown, withheld if member else [])


def _shown(offer: Offer, answer: Shown, *, member: bool) -> Json:
    """An offer as it is asked for. Members are told what a later gate decides; another connector may copy the whole
    offer into its request, and then miss in our agreement what is no clause (EDC does).
    """
    return {**offer.document, catalogue.LATER: answer.later} if member else offer.document


def _withheld(row: Dataset, answer: Shown) -> Json:
    values = {"rule": answer.rule, "needed": answer.needed, "seen": answer.seen, "dataset": row.id}
    said = {language: sentence(str(answer.code), language, values) for language in LANGUAGES}
    return {
        "dataset": row.id,
        "title": row.form["title"],
        "code": answer.code,
        "rule": answer.rule,
        "reason": {language: one.what for language, one in said.items()},
        "do": {language: one.do for language, one in said.items()},
        "needed": answer.needed,
        "seen": answer.seen,
    }
