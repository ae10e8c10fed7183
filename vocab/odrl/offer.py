"""Writes offers and agreements as the Dataspace Protocol wants them on the wire (2025-1, `contract-schema.json`).

Right operands are strings and foreign words absolute IRIs, so that a peer's JSON-LD processor drops nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vocab import terms

Json = dict[str, Any]


def clause(left: str, operator: str, right: str) -> Json:
    """One constraint."""
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def any_of(left: str, values: Sequence[str]) -> Json:
    """`left` is one of `values`: a list of comparisons, because some peers turn a list operand into one string."""
    comparisons = [clause(left, "eq", value) for value in values]
    return comparisons[0] if len(comparisons) == 1 else {"or": comparisons}


def days(number: int) -> str:
    """An ISO 8601 duration of whole days."""
    return f"P{number}D"


def duty(action: str, within_days: int) -> Json:
    """An obligation due at most so many days after the permit's end."""
    return {"action": action, "constraint": [clause(terms.DELAY_AFTER_END, "lteq", days(within_days))]}


def research_offer(
    offer_id: str,
    *,
    zone: str,
    disease: str,
    purpose: str = terms.MEDICAL_DEVICE_AI,
    country: str = "KR",
    k: int = 5,
    outputs: Sequence[str] = ("model", "metric", "aggregate"),
    period_days: int = 90,
    jobs: int = 20,
    delete_days: int = 5,
    pay_days: int = 30,
    publish_days: int = 548,
) -> Json:
    """The offer of study S1: research on `disease` (KCD block or code) in `zone` (a DID), results only, 90 days.

    548 days are 18 months. Carries no target, as the catalogue demands; `with_target` adds it for a message.
    """
    return {
        "@id": offer_id,
        "@type": "Offer",
        "permission": [
            {
                "action": "use",
                "constraint": [
                    clause(terms.PURPOSE, "isA", purpose),
                    clause(terms.LEGAL_PURPOSE, "eq", terms.SCIENTIFIC_RESEARCH),
                    clause(terms.DRB_APPROVAL, "eq", "approved"),
                    any_of(terms.IRB_DECISION, ("approved", "exempt")),
                    clause(terms.DISEASE, "isA", terms.kcd(disease)),
                    clause(terms.PROCESSING_PLACE, "eq", zone),
                    clause(terms.SPATIAL, "eq", country),
                    clause(terms.K_ANONYMITY, "gteq", str(k)),
                    any_of(terms.OUTPUT_KIND, outputs),
                    clause(terms.ELAPSED_TIME, "lteq", days(period_days)),
                    clause(terms.JOB_COUNT, "lteq", str(jobs)),
                ],
            }
        ],
        "prohibition": [
            {"action": action}
            for action in (terms.REIDENTIFY, terms.LINK_ACROSS_PROVIDERS, terms.EXPORT_RECORDS, terms.DISTRIBUTE)
        ],
        "obligation": [
            duty(terms.DELETE, delete_days),
            duty(terms.COMPENSATE, pay_days),
            duty(terms.PUBLISH_RESULTS, publish_days),
        ],
    }


def with_target(offer: Json, target: str) -> Json:
    """The offer as it stands in a negotiation message: the same rules, and the dataset that it is for."""
    return {**offer, "target": target}


def agreement(offer: Json, agreement_id: str, *, target: str, assigner: str, assignee: str, at: int) -> Json:
    """The agreement on `offer`: its rules untouched, `at` (UTC milliseconds) as its timestamp in whole seconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at // 1000)
    head = {
        "@id": agreement_id,
        "@type": "Agreement",
        "target": target,
        "assigner": assigner,
        "assignee": assignee,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    rules: Json = {
        name: offer[name] for name in ("profile", "permission", "prohibition", "obligation") if name in offer
    }
    return {**head, **rules}
