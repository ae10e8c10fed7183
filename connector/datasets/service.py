"""Publishing: a description that conforms, and offers that a gate can decide and someone could satisfy."""

import asyncio
import uuid
from importlib import import_module
from typing import Any

from sqlmodel import Session, col, select

from connector.datasets.describe import Description, Holder, describe
from connector.datasets.model import Dataset, Offer
from connector.evidence import journal
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.odrl.normalise import normalise
from vocab.odrl.satisfiable import demand

Json = dict[str, Any]


async def publish(runtime: Runtime, form: Description, person: str) -> Dataset:
    """Publishes or revises a description, if it conforms alone and merged with all others.

    Raises `Refusal`: description-without-legal-basis, count-not-rounded, description-invalid, public-not-synthetic,
    access-changed.
    """
    if form.access == "public" and not form.synthetic:
        raise Refusal("public-not-synthetic", rule="synthetic", needed=True, seen=False, dataset=form.id)
    node = describe(form, _holder(runtime))
    others = await runtime.store.read(lambda session: [one.node for one in datasets(session) if one.id != form.id])
    await asyncio.to_thread(_demand_conforming, node, others)
    now = runtime.now()

    def keep(unit: Unit) -> Dataset:
        kept = unit.session.get(Dataset, form.id)
        public = form.access == "public"
        if kept is not None and kept.non_public == public:
            raise Refusal("access-changed", rule="access", needed=kept.form.get("access"), seen=form.access)
        row = Dataset(
            id=form.id,
            form=form.model_dump(mode="json"),
            node=node,
            non_public=not public,
            synthetic=form.synthetic,
            min_walls=form.min_walls,
            legal_basis=list(form.legal_basis),
            deid_profile=form.deid_profile,
            revised=kept.revised + 1 if kept else 1,
            content=kept.content if kept else None,
            published_at=now,
            published_by=person,
        )
        found = unit.session.merge(row)
        journal.record(unit, "dataset-published", now=now, by=person, dataset=form.id, revised=found.revised)
        return found

    return await runtime.store.run(keep)


async def offer(runtime: Runtime, dataset: str, document: Json, person: str) -> Offer:
    """Publishes an offer on `dataset`; the same one twice is one.

    Raises `Refusal`: operand-without-gate, offer-unsatisfiable, policy-not-understood, dataset-unknown, offer-exists.
    """
    now = runtime.now()
    given = {"@id": str(uuid.uuid4()), **document}
    if given.get("@type") != "Offer" or "target" in given:
        raise Refusal("policy-not-understood", path="target" if "target" in given else "@type", why="Offer")
    policy = normalise(given, target=dataset)
    demand(policy, now)

    def keep(unit: Unit) -> Offer:
        described(unit.session, dataset)
        kept = unit.session.get(Offer, policy.id)
        if kept is not None:
            if (kept.dataset, kept.digest) != (dataset, policy.digest):
                raise Refusal("offer-exists", offer=policy.id)
            return kept
        row = Offer(
            id=policy.id,
            dataset=dataset,
            document=given,
            normalised=policy.to_json(),
            digest=policy.digest,
            published_at=now,
            published_by=person,
        )
        unit.session.add(row)
        journal.record(unit, "offer-published", now=now, by=person, dataset=dataset, offer=row.id)
        return row

    return await runtime.store.run(keep)


def described(session: Session, dataset: str) -> Dataset:
    """The dataset with this id. Raises `Refusal("dataset-unknown")`."""
    row = session.get(Dataset, dataset)
    if row is None:
        raise Refusal("dataset-unknown", dataset=dataset)
    return row


def datasets(session: Session, *, after: str = "", limit: int = 1000) -> list[Dataset]:
    """The datasets described here, by id."""
    return list(session.exec(select(Dataset).where(Dataset.id > after).order_by(Dataset.id).limit(limit)))


def offers(session: Session, dataset: str | None = None) -> list[Offer]:
    """The offers on one dataset, or all of them, oldest first."""
    query = select(Offer).order_by(col(Offer.published_at), col(Offer.id))
    return list(session.exec(query if dataset is None else query.where(Offer.dataset == dataset)))


def offered(session: Session, dataset: str, offer_id: str) -> tuple[Offer, Policy]:
    """A published offer and its normal form. Raises `Refusal("offer-unknown")`."""
    row = session.get(Offer, offer_id)
    if row is None or row.dataset != dataset:
        raise Refusal("offer-unknown", offer=offer_id)
    return row, Policy.from_json(row.normalised)


def dataset_facts(row: Dataset | None) -> Json | None:
    """What the gates are told of a dataset; None when we never described it."""
    if row is None:
        return None
    return {
        "id": row.id,
        "legal_basis": row.legal_basis or None,
        "non_public": row.non_public,
        "synthetic": row.synthetic,
        "min_walls": row.min_walls,
    }


def _holder(runtime: Runtime) -> Holder:
    organisation = runtime.settings.organisation
    return Holder(runtime.did, runtime.settings.url, organisation.ko, organisation.en, runtime.settings.authority.did)


def _demand_conforming(node: Json, others: list[Json]) -> None:
    """Raises for the most telling violation of `node` alone, then of everything merged."""
    check = import_module("vocab.shapes.check")  # 1 s and 60 MB that only a node that publishes needs
    found = check.violations([node]) or check.violations([node, *others])
    if found:
        first = found[0]
        raise Refusal(first.code, rule=first.path, path=first.path, why=first.why, seen=first.seen)
