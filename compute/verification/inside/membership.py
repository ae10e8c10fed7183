"""Can one tell from the model who was in its training data? A loss-threshold attack, per class of the outcome.

Per class because the rare class is where a model memorises: over all rows the same forest looks harmless
(Yeom et al., CSF 2018, is the attack; Carlini et al., S&P 2022, is why the rate at 1 % false positives counts).
"""

from typing import Any

import numpy as np

from .figures import Floats, Ints, auc, rounded

#: A rate at 1 % false positives says something only when 1 % of the unseen rows are at least two rows.
ENOUGH = 200


def membership(seen: Floats, seen_y: Ints, unseen: Floats, unseen_y: Ints) -> dict[str, dict[str, Any]]:
    """The attack's AUC, and its hits at 1 % false alarms, for all rows and for each class."""
    inside, outside = _confidence(seen, seen_y), _confidence(unseen, unseen_y)
    found = {"all": _attack(inside, outside)}
    for label in (0, 1):
        if (seen_y == label).any() and (unseen_y == label).any():
            found[str(label)] = _attack(inside[seen_y == label], outside[unseen_y == label])
    return found


def _confidence(p: Floats, y: Ints) -> Floats:
    """What the model gave to the truth: a row that it learnt by heart gets more."""
    return np.where(y == 1, p, 1 - p)


def _attack(inside: Floats, outside: Floats) -> dict[str, Any]:
    value, low, high = auc(inside, outside)
    rate = rounded(float((inside > np.quantile(outside, 0.99)).mean())) if len(outside) >= ENOUGH else None
    return {"auc": rounded(value), "low": rounded(low), "high": rounded(high), "tpr": rate}
