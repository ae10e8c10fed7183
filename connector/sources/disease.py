"""How diabetes and kidney disease are drawn for a synthetic patient.

The model is ours; its coefficients were set so that the study's figures come out as in scenario.md. Everything is drawn
through `Random.random()`, the one method whose sequence Python promises to keep.
"""

from math import exp
from random import Random
from statistics import NormalDist
from typing import Final, NamedTuple

_NORMAL: Final = NormalDist().inv_cdf


class Draw:
    """The distributions we need, each from `random()` alone."""

    def __init__(self, seed: str) -> None:
        self.rng = Random(seed)  # noqa: S311 - synthetic data must repeat, it guards nothing
        self.uniform = self.rng.random

    def normal(self, mean: float, sd: float, low: float, high: float) -> float:
        """A normal value, held between `low` and `high`."""
        return max(low, min(high, mean + sd * _NORMAL(self.uniform() or 0.5)))

    def gamma(self, shape: float, scale: float) -> float:
        """A gamma value by Wilson and Hilferty's cube of a normal one: near enough for patients."""
        cube = 1 - 1 / (9 * shape) + _NORMAL(self.uniform() or 0.5) / (9 * shape) ** 0.5
        return float(max(cube, 0.0) ** 3 * shape * scale)

    def chance(self, log_odds: float) -> int:
        """1 with these odds, else 0."""
        return int(self.uniform() * (1 + exp(-log_odds)) < 1)

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self.uniform() * n)


class Health(NamedTuple):
    """A patient's state at the index date, and whether kidney disease follows."""

    duration: float
    bmi: float
    hba1c: float
    sbp: float
    egfr: float
    uacr: float
    ldl: float
    smoking: int
    hypertension: int
    ras_inhibitor: int
    insulin: int
    sglt2_inhibitor: int
    cvd: int
    event: int


def health(draw: Draw, base: float, age: int, sex: str) -> Health:
    """The health of a patient of this age and sex; `base` is the hospital's log-odds of the event."""
    old = age - 60
    duration = min(40.0, draw.gamma(1.6, 4.2) * (0.6 + 0.4 * (age - 30) / 30))
    bmi = draw.normal(25.4 - 0.04 * old, 3.6, 15, 48)
    hba1c = max(5.2, min(15.0, 6.2 + draw.gamma(2.0, 0.65) + 0.02 * min(duration, 15)))
    sbp = draw.normal(128 + 0.15 * old + 0.5 * (bmi - 25), 14, 85, 210)
    egfr = draw.normal(91 - 0.72 * old - 0.35 * (duration - 7), 12.5, 60, 125)
    log_uacr = draw.normal(2.55 + 0.045 * (duration - 7) + 0.16 * (hba1c - 7.5) + 0.013 * (sbp - 128), 1.15, 0.7, 8.3)
    smoking = int(draw.uniform() < (0.33 if sex == "M" else 0.05))
    hypertension = draw.chance(-0.1 + 0.05 * old + 0.03 * (sbp - 128))
    insulin = draw.chance(-2.6 + 0.09 * duration + 0.3 * (hba1c - 7.5))
    sglt2 = int(draw.uniform() < 0.18)
    cvd = draw.chance(-2.1 + 0.05 * old + 0.3 * smoking)
    risk = 0.024 * old - 0.068 * (egfr - 88) + 0.5 * (log_uacr - 2.6) + 0.18 * (hba1c - 7.6) + 0.011 * (sbp - 128)
    risk += 0.016 * (duration - 7) + 0.24 * hypertension + 0.28 * cvd + 0.24 * insulin - 0.36 * sglt2
    risk += 0.1 * (sex == "M") + 0.12 * smoking
    return Health(
        round(duration, 1),
        bmi,
        round(hba1c, 1),
        round(sbp),
        round(egfr, 1),
        round(exp(log_uacr), 1),
        round(draw.normal(98, 30, 25, 240)),
        smoking,
        hypertension,
        int(draw.uniform() < 0.15 + 0.45 * hypertension),
        insulin,
        sglt2,
        cvd,
        draw.chance(base + risk),
    )


def series(draw: Draw, health: Health, index_day: int, last_day: int) -> list[tuple[int, float]]:
    """(day, eGFR) after the index date. An event stays below 60; else a dip is single, short, or after three years."""
    days = [index_day + 170 * visit + draw.below(30) for visit in range(1, 9)]
    onset = draw.below(5) if health.event else 6 if draw.uniform() < 0.05 else 99
    dip = draw.below(6) if draw.uniform() < 0.06 else 99
    found: list[tuple[int, float]] = []
    for visit, day in enumerate(days):
        if day > last_day:
            break
        low = visit >= onset or visit == dip
        found.append(
            (day, round(42 + 17 * draw.uniform() if low else max(60.0, health.egfr - 6 + 8 * draw.uniform()), 1))
        )
        if visit == dip and not health.event and day + 40 < last_day and draw.uniform() < 0.3:
            found.append((day + 40, 58.0))  # low twice, but within 90 days: no event
    return found
