"""The same figures by hospital, sex and age: where a model is weaker, and where nobody can know."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import Column, Rows
from .figures import MIN_EVENTS, Floats, about, discrimination, observed_over_expected, predictive, rounded

Mask = NDArray[np.bool_]
#: Age groups of the card: lower bound, upper bound, name.
AGES = ((0, 50, "<50"), (50, 60, "50-59"), (60, 70, "60-69"), (70, 200, "70+"))


def by_group(rows: Rows, p: Floats, threshold: float) -> list[dict[str, Any]]:
    """One entry a subgroup; those with too few events or non-events say only that they are not estimable."""
    return [_entry(kind, name, rows.where(mask), p[mask], threshold) for kind, name, mask in _groups(rows)]


def weakest(groups: list[dict[str, Any]], whole: float) -> str | None:
    """The subgroup with the lowest AUC, if its interval excludes the whole; otherwise it may be chance: None.

    Crossed groups do not stand for it: one of so many small ones is always low.
    """
    known = [group for group in groups if group["estimable"] and group["kind"] != "site-age"]
    lowest = min(known, key=lambda group: group["auc"][0], default=None)
    if lowest is None or lowest["auc"][2] >= whole:
        return None
    return f"{lowest['kind']}:{lowest['name']}"


def _entry(kind: str, name: str, rows: Rows, p: Floats, threshold: float) -> dict[str, Any]:
    events = int(rows.outcome.sum())
    entry: dict[str, Any] = {"kind": kind, "name": name, "estimable": min(events, len(rows) - events) >= MIN_EVENTS}
    if not entry["estimable"]:
        return entry
    at = predictive(p, rows.outcome, threshold)
    # Counts of crossed groups are left out: with the margins they would give a small cell by difference.
    counts = {} if kind == "site-age" else {"patients": about(len(rows)), "events": about(events)}
    figures = [rounded(value) for value in discrimination(p, rows.outcome)]
    ratio = observed_over_expected(p, rows.outcome)
    return entry | counts | {"auc": figures, "o_e": ratio, "ppv": at["ppv"], "npv": at["npv"]}


def _groups(rows: Rows) -> Iterator[tuple[str, str, Mask]]:
    sites = sorted(set(rows.site.tolist()))
    for site in sites:
        yield "site", site, rows.site == site
    if "sex" in rows.columns:
        values = rows.columns["sex"].astype(str)
        for sex in sorted(set(values.tolist())):
            yield "sex", sex, values == sex
    if "age" not in rows.columns:
        return
    age = _years(rows.columns["age"])
    bands = [(name, (age >= low) & (age < high)) for low, high, name in AGES]
    for name, mask in bands:
        yield "age", name, mask
    for site in sites:
        for name, mask in bands:
            yield "site-age", f"{site} {name}", mask & (rows.site == site)


def _years(values: Column) -> NDArray[np.float64]:
    """A banded age ("<40", "70-74", "80+", or a number) as the years where its band starts."""
    words, inverse = np.unique(values.astype(str), return_inverse=True)
    starts = [
        float(word.lstrip("<>=≥").split("-")[0].rstrip("+")) - (1 if word.startswith("<") else 0) for word in words
    ]
    return np.asarray(np.array(starts)[inverse])
