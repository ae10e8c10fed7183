"""How many people stand behind each leaf of a tree ensemble: a leaf with one person in it is that person."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from .canonical import ModelRefused
from .figures import Ints

_COMPARE = {
    b"BRANCH_LEQ": np.less_equal,
    b"BRANCH_LT": np.less,
    b"BRANCH_GTE": np.greater_equal,
    b"BRANCH_GT": np.greater,
}


def leaves(node: Any, given: NDArray[np.float32]) -> dict[str, Any]:
    """Number of trees and leaves, and how many rows of the training data reach the leaves that any reach."""
    tables = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    modes = np.array(tables["nodes_modes"])
    trees = np.array(tables["nodes_treeids"])
    counts = [_reached(tables, modes, np.flatnonzero(trees == tree), given) for tree in np.unique(trees)]
    reached = np.concatenate(counts)
    reached = reached[reached > 0]
    return {
        "trees": len(counts),
        "leaves": int((modes == b"LEAF").sum()),
        "smallest_leaf": int(reached.min()),
        "median_leaf": float(np.median(reached)),
    }


def _reached(tables: dict[str, Any], modes: Any, places: Ints, given: NDArray[np.float32]) -> Ints:
    """Rows per leaf of one tree, all rows walking down together."""
    kinds = modes[places]
    kind = next((one for one in kinds if one != b"LEAF"), b"BRANCH_LEQ")
    if any(one not in (kind, b"LEAF") for one in kinds) or kind not in _COMPARE:
        raise ModelRefused("a tree with mixed comparisons")
    ids = np.array(tables["nodes_nodeids"])[places]
    index = np.zeros(int(ids.max()) + 1, dtype=np.int64)
    index[ids] = np.arange(len(ids))
    feature = np.array(tables["nodes_featureids"])[places]
    value = np.array(tables["nodes_values"], dtype=np.float32)[places]
    yes, no = np.array(tables["nodes_truenodeids"])[places], np.array(tables["nodes_falsenodeids"])[places]
    branches = kinds != b"LEAF"
    root = int(np.flatnonzero(~np.isin(ids, np.concatenate([yes[branches], no[branches]])))[0])
    at = np.full(len(given), root, dtype=np.int64)
    rows = np.arange(len(given))
    for _ in range(len(places)):
        walking = kinds[at] != b"LEAF"
        if not walking.any():
            break
        here, who = at[walking], rows[walking]
        down = _COMPARE[kind](given[who, feature[here]], value[here])
        at[walking] = index[np.where(down, yes[here], no[here])]
    return np.bincount(at, minlength=len(places))
