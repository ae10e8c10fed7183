"""Finds data in the whole space: every hospital's catalogue as that hospital shows it to us, searched here.

A row says "may apply", never "allowed"; what is withheld is shown with its reason and the smallest change.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector.identity.tokens import issue
from connector.kit.db import Unit
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.rights.service import Rights
from connector.rights.standing import Member
from connector.studies.model import CatalogueCopy
from vocab import terms
from vocab.contexts import plain
from vocab.errors import LANGUAGES, Refusal, render
from vocab.messages import catalogue, problems, reading
from vocab.odrl.model import Policy, atoms
from vocab.odrl.normalise import normalise
from vocab.profile import ancestors, concepts
from vocab.records.envelope import digest

Json = dict[str, Any]

_TITLE, _DESCRIPTION = terms.iri("dct:title"), terms.iri("dct:description")
_KEYWORD, _DISEASE = terms.iri("dcat:keyword"), terms.iri("med:disease")
_PATIENTS = "http://healthdataportal.eu/ns/health#numberOfUniqueIndividuals"
#: Pages of one hospital's catalogue that are read.
MOST_PAGES = 1000
_COMMERCIAL = terms.iri("dpv:CommercialResearch")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought: rows, best first, and the hospitals that could not be asked."""

    rows: list[Json]
    unasked: list[Json]


async def search(runtime: Runtime, words: str, *, commercial: bool) -> Found:
    """Datasets whose description speaks of any of `words` (Korean or English); all of them when there are none.

    `commercial`: for a commercial purpose, so that an offer for non-commercial research only is shown as withheld.
    """
    standing = runtime.get(Rights).demand()
    hospitals = [one for one in standing.members if one.active and one.camp == "hospital" and one.did != runtime.did]
    answers = await asyncio.gather(*(_catalogue(runtime, one) for one in hospitals), return_exceptions=True)
    wanted = words.casefold().split()
    rows: list[Json] = []
    unasked: list[Json] = []
    for hospital, answer in zip(hospitals, answers, strict=True):
        if isinstance(answer, Refusal | Unreachable):
            why = answer.code if isinstance(answer, Refusal) else answer.why
            unasked.append({"provider": hospital.did, "name": hospital.name.model_dump(), "why": why})
        elif isinstance(answer, BaseException):
            raise answer
        else:
            rows += _matching(answer, hospital, wanted, commercial=commercial)
    rows.sort(key=lambda row: (-row["score"], row["outcome"] != "may-apply", row["dataset"]))
    return Found(rows, unasked)


async def _catalogue(runtime: Runtime, hospital: Member) -> Json:
    """The hospital's catalogue for us: our copy where it says that nothing changed. Raises `Refusal`, `Unreachable`."""
    kept = await runtime.store.read(lambda session: session.get(CatalogueCopy, hospital.did))
    answer = await _asked(runtime, hospital, kept.etag if kept else None)
    if answer.status == 304 and kept is not None:
        return kept.document
    if not answer.ok or not isinstance(answer.body, dict):
        raise problems.said(answer.body, answer.status).refusal()
    found: Json = answer.body
    plain(found)
    reading.valid(found, "Catalog")
    found = await _whole(runtime, hospital, found, answer.following)
    copy = CatalogueCopy(provider=hospital.did, etag=f'"{digest(found)}"', document=found, at=runtime.now())

    def keep(unit: Unit) -> None:
        unit.session.merge(CatalogueCopy(**copy.model_dump()))

    await runtime.store.run(keep)
    return found


async def _whole(runtime: Runtime, hospital: Member, found: Json, following: str | None) -> Json:
    """The catalogue with its further pages."""
    pages = 1
    while following is not None and pages < MOST_PAGES:
        answer = await _asked(runtime, hospital, None, following)
        if not answer.ok or not isinstance(answer.body, dict):
            raise problems.said(answer.body, answer.status).refusal()
        plain(answer.body)
        reading.valid(answer.body, "Catalog")
        found = {**found, "dataset": [*found.get("dataset", ()), *answer.body.get("dataset", ())]}
        following, pages = answer.following, pages + 1
    return found


async def _asked(runtime: Runtime, hospital: Member, etag: str | None, address: str | None = None) -> Answer:
    token = issue(runtime.keys, runtime.did, hospital.did, runtime.now())
    headers = {"authorization": f"Bearer {token}", **({"if-none-match": etag} if etag else {})}
    address = address or f"{hospital.url.rstrip('/')}{catalogue.PATH}/catalog/request"
    return await runtime.peer.request("POST", address, json=catalogue.request(), headers=headers)


def _matching(document: Json, hospital: Member, words: list[str], *, commercial: bool) -> Iterator[Json]:
    whose = {"provider": hospital.did, "provider_name": hospital.name.model_dump()}
    for dataset in document.get("dataset", ()):
        title = {one["@language"]: one["@value"] for one in _literals(dataset, _TITLE) if "@language" in one}
        row = {**whose, "dataset": dataset["@id"], "title": title, **_answered(dataset, commercial=commercial)}
        if scored := _scored(row, _text(dataset), words):
            yield scored
    for withheld in document.get(catalogue.WITHHELD, ()):
        row = {**whose, **withheld, "outcome": "withheld"}
        title = withheld.get("title") if isinstance(withheld.get("title"), dict) else {}
        if scored := _scored(row, " ".join(str(one) for one in title.values()), words):
            yield scored


def _scored(row: Json, text: str, words: list[str]) -> Json | None:
    score = sum(word in text.casefold() for word in words)
    return {**row, "score": score} if score or not words else None


def _answered(dataset: Json, *, commercial: bool) -> Json:
    """What the hospital's catalogue says of it. An offer that we do not understand is never shown as open."""
    given = [{name: value for name, value in one.items() if name != catalogue.LATER} for one in dataset["hasPolicy"]]
    problems_ = {one["@id"]: _problem(one, dataset["@id"], commercial=commercial) for one in given}
    fitting = [offer for offer, problem in problems_.items() if problem is None]
    refusal = next(iter(problems_.values()))
    if not fitting and refusal is not None:
        said = {language: render(refusal, language) for language in LANGUAGES}
        return {
            "outcome": "withheld",
            "code": refusal.code,
            "reason": {language: one.what for language, one in said.items()},
            "do": {language: one.do for language, one in said.items()},
            "rule": refusal.rule,
            "needed": refusal.needed,
            "seen": refusal.seen,
        }
    later = {operand for one in dataset["hasPolicy"] for operand in one.get(catalogue.LATER, ())}
    patients = next((one.get("@value") for one in _literals(dataset, _PATIENTS)), None)
    return {
        "outcome": "may-apply",
        "offers": fitting,
        "later": sorted(later),
        "patients": int(patients) if isinstance(patients, str) and patients.isdecimal() else None,
    }


def _problem(offer: Json, dataset: str, *, commercial: bool) -> Refusal | None:
    """Why the offer is no use to us: it is not understood, or no commercial purpose fits it."""
    try:
        policy = normalise(offer, target=dataset)
    except Refusal as refusal:
        return refusal
    if commercial and _only_non_commercial(policy):
        return Refusal("purpose-outside-offer", rule="purpose", needed=terms.NON_COMMERCIAL_RESEARCH, seen=_COMMERCIAL)
    return None


def _only_non_commercial(policy: Policy) -> bool:
    """Whether every permission names purposes, and all of them lie below non-commercial research."""
    for rule in policy.permissions:
        asked = [atom.right for atom in atoms(rule.constraints) if atom.left == terms.PURPOSE]
        named = [one for right in asked for one in (right if isinstance(right, tuple) else (str(right),))]
        if not named or any(terms.NON_COMMERCIAL_RESEARCH not in ancestors(one) for one in named):
            return False
    return bool(policy.permissions)


def _literals(dataset: Json, name: str) -> list[Json]:
    given = dataset.get(name)
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _text(dataset: Json) -> str:
    """Everything that a person might search for: title, description, keywords, the names of the diseases."""
    said = [str(one.get("@value", "")) for name in (_TITLE, _DESCRIPTION, _KEYWORD) for one in _literals(dataset, name)]
    known = (concepts().get(str(one.get("@id"))) for one in _literals(dataset, _DISEASE))
    return " ".join([str(dataset["@id"]), *said, *(f"{one.ko} {one.en}" for one in known if one)])
