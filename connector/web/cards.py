"""A model card's document as the panel that a page shows. The zone and the company draw the same."""

from collections.abc import Mapping
from typing import Any

from vocab.words.values import Bytes, Said, Value

from .timeline import Card, Figure, Figures, Table

GROUP_HEADERS = ("card-group", "card-auc", "card-patients", "card-events", "card-o-e", "card-ppv", "card-npv")


def panel(card: Mapping[str, Any]) -> Card:
    """The panel of a card of the format dure-card-1. Its signature is the caller's to check."""
    return Card(
        use=Said(card["intended_use"]),
        warnings=tuple(Said(key) for key in card["warnings"]),
        figures=Figures(tuple(_figures(card))),
        groups=Table(Said("card-groups"), GROUP_HEADERS, tuple(_groups(card))),
    )


def _figures(card: Mapping[str, Any]) -> list[Figure]:
    whole, at, attack = card["figures"], card["figures"]["at"], card["membership"]
    predictive = Said("card-predictive-value", {"ppv": at["ppv"], "npv": at["npv"]})
    return [
        Figure("card-auc", _interval(whole["auc"])),
        Figure("card-slope", whole["slope"]),
        Figure("card-brier", whole["brier"]),
        Figure("card-predictive", predictive, Said("card-threshold", {"threshold": at["threshold"]})),
        Figure("card-control", card["control"] and card["control"]["auc"]),
        Figure(
            "card-membership", Said("card-membership-value", {"event": attack["1"]["auc"], "none": attack["0"]["auc"]})
        ),
        Figure("card-residual", Bytes(card["capacity_bytes"])),
        Figure("card-shared", card["shared_by_hospitals"]),
        Figure(
            "card-weakest", _group(*card["weakest"].split(":", 1)) if card["weakest"] else Said("card-weakest-none")
        ),
    ]


def _groups(card: Mapping[str, Any]) -> list[tuple[Value, ...]]:
    rows: list[tuple[Value, ...]] = []
    for group in card["groups"]:
        counts = (group.get("patients"), group.get("events"))
        figures = (group["o_e"], group["ppv"], group["npv"])
        rows.append((_group(group["kind"], group["name"]), _interval(group["auc"]), *counts, *figures))
    withheld = (_group(*named.split(":", 1)) for named in card["not_estimable"])
    return rows + [(group, Said("card-not-estimable"), *[None] * 5) for group in withheld]


def _group(kind: str, name: str) -> Said:
    return Said(f"card-kind-{kind}", {"name": name})


def _interval(auc: list[float]) -> Said:
    return Said("card-auc-value", dict(zip(("auc", "low", "high"), auc, strict=True)))
