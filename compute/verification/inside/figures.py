"""What is said of a model on rows that it has not seen: discrimination, calibration, predictive values.

AUC intervals: DeLong, DeLong and Clarke-Pearson, Biometrics 1988. Calibration slope: Cox 1958.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Below this many events, or non-events, a figure is not estimable, and the count behind it is a small cell.
MIN_EVENTS = 10


def midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def auc(above: Floats, below: Floats) -> tuple[float, float, float]:
    """The chance that a value of `above` exceeds one of `below`, with its 95 % interval (DeLong)."""
    m, n = len(above), len(below)
    ranks = midranks(np.concatenate([above, below]))
    v10 = (ranks[:m] - midranks(above)) / n
    v01 = 1 - (ranks[m:] - midranks(below)) / m
    value = float(v10.mean())
    spread = 1.96 * float(np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n)) if m > 1 and n > 1 else 0.5
    return value, max(0.0, value - spread), min(1.0, value + spread)


def discrimination(p: Floats, y: Ints) -> tuple[float, float, float]:
    """The AUC of scores `p` for outcomes `y`, with its 95 % interval."""
    return auc(p[y == 1], p[y == 0])


def brier(p: Floats, y: Ints) -> float:
    """The mean squared error of the predicted risks."""
    return float(np.mean((p - y) ** 2))


def calibration(p: Floats, y: Ints) -> tuple[float, float]:
    """Slope and intercept of the outcome on the logit of the predicted risk (1 and 0 are perfect)."""
    sure = np.clip(p, 1e-3, 1 - 1e-3)  # a risk of exactly 0 or 1 has no logit
    logit = np.log(sure / (1 - sure))
    x = np.column_stack([np.ones_like(logit), logit])
    beta = np.array([0.0, 1.0])
    for _ in range(25):  # Newton's steps; two numbers on a concave likelihood settle in less than ten
        fitted = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        weight = np.maximum(fitted * (1 - fitted), 1e-9)
        step = np.linalg.solve(x.T @ (x * weight[:, None]) + 1e-9 * np.eye(2), x.T @ (y - fitted))
        beta = beta + np.clip(step, -1, 1)
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(beta[1]), float(beta[0])


def deciles(p: Floats, y: Ints) -> list[dict[str, Any]]:
    """Observed over expected events by tenth of risk; tenths with too few events are joined to the next one."""
    bounds = np.array_split(np.argsort(p, kind="stable"), 10)
    rows: list[dict[str, Any]] = []
    pool: list[Ints] = []
    first = 1
    for tenth, members in enumerate(bounds, start=1):
        pool.append(members)
        chosen = np.concatenate(pool)
        left = np.concatenate([*bounds[tenth:], np.empty(0, dtype=np.int64)]).astype(np.int64)
        if int(y[chosen].sum()) < MIN_EVENTS or (tenth < 10 and int(y[left].sum()) < MIN_EVENTS):
            continue
        expected = float(p[chosen].sum())
        rows.append(
            {
                "from": first,
                "to": tenth,
                "risk": rounded(expected / len(chosen)),
                "o_e": observed_over_expected(p[chosen], y[chosen]),
            }
        )
        pool, first = [], tenth + 1
    return rows


def predictive(p: Floats, y: Ints, threshold: float) -> dict[str, Any]:
    """PPV, NPV, sensitivity and specificity at `threshold`; null where a cell behind them is small."""
    high = p >= threshold
    tp, fp = int((high & (y == 1)).sum()), int((high & (y == 0)).sum())
    fn, tn = int((~high & (y == 1)).sum()), int((~high & (y == 0)).sum())
    shown = min(tp, fp, fn, tn) >= MIN_EVENTS
    return {
        "threshold": threshold,
        "ppv": rounded(tp / (tp + fp)) if shown else None,
        "npv": rounded(tn / (tn + fn)) if shown else None,
        "sensitivity": rounded(tp / (tp + fn)) if shown else None,
        "specificity": rounded(tn / (tn + fp)) if shown else None,
    }


def about(count: int) -> int:
    """A count as it may be shown: to the nearest ten, so that no two of them give a small one by difference."""
    return (count + 5) // 10 * 10


def rounded(value: float) -> float:
    """Three decimals: more would say something about single rows."""
    return round(float(value), 3)


def observed_over_expected(p: Floats, y: Ints) -> float | None:
    """Events for each event that the model expected; None where it expected none."""
    expected = float(p.sum())
    return rounded(float(y.sum()) / expected) if expected > 0.01 else None
