"""The zone's validation of one model, on the bytes that are to leave. Reads /in, writes /out, knows no network.

In: `model.onnx`, `controls.zip` (models of the same code trained on shuffled outcomes), `plan.json`, and
`<hospital>.train.parquet`, `<hospital>.holdout.parquet`. Out: `report.json`, and `model.onnx` as re-encoded.
"""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from onnx import ModelProto

from . import data, figures, groups
from .canonical import MAX_BYTES, ModelRefused, canonical
from .figures import Floats, Ints, rounded
from .membership import membership
from .reencode import reencode
from .scoring import score, tree_inputs
from .trees import leaves

FORMAT = "dure-verification-1"
MAX_CONTROLS = 20


def main(folder: Path = Path("/in"), out: Path = Path("/out")) -> None:
    """Write the report; the model beside it only when it could be rebuilt and measured."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    train, holdout = data.read(folder, "train"), data.read(folder, "holdout")
    report: dict[str, Any] = {"format": FORMAT, "parts": _parts(train, holdout), "refused": None, "model": None}
    if not report["parts"]["in_both"]:
        try:
            report["model"] = _measured(folder, out, plan, train, holdout)
        except ModelRefused as refused:
            report["refused"] = refused.seen
    (out / "report.json").write_text(json.dumps(report, sort_keys=True, ensure_ascii=False), "utf-8")


def _parts(train: data.Rows, holdout: data.Rows) -> dict[str, Any]:
    """What the two parts share: nobody may be in both, and no two hospitals may share a pseudonym."""
    known: dict[str, set[str]] = {}
    for rows in (train, holdout):
        for site in sorted(set(rows.site.tolist())):
            known.setdefault(site, set()).update(rows.pseudonym[rows.site == site].tolist())
    return {
        "in_both": len(set(train.pseudonym.tolist()) & set(holdout.pseudonym.tolist())),
        "shared_by_hospitals": sum(map(len, known.values())) - len(set().union(*known.values())),
        "train": figures.about(len(train)),
        "holdout": figures.about(len(holdout)),
    }


def _measured(folder: Path, out: Path, plan: dict[str, Any], train: data.Rows, holdout: data.Rows) -> dict[str, Any]:
    columns = set(train.columns) & set(holdout.columns)
    words = data.categories(train)
    raw = (folder / "model.onnx").read_bytes()
    submitted = canonical(raw, columns, words)
    y = holdout.outcome

    def quality(p: Floats) -> tuple[float, float, float]:
        return figures.discrimination(p, y)[0], figures.brier(p, y), float(p.mean())

    before = score(submitted, holdout)
    found = reencode(submitted, bytes.fromhex(plan["secret"]), lambda model: score(model, holdout), quality)
    released = found.model.SerializeToString(deterministic=True)
    p = score(found.model, holdout)
    whole = figures.discrimination(p, y)
    by_group = groups.by_group(holdout, p, plan["threshold"])
    report = {
        "submitted_auc": rounded(quality(before)[0]),
        "whole": _whole(p, y, plan["threshold"]),
        "groups": by_group,
        "weakest": groups.weakest(by_group, whole[0]),
        "control": _control(folder, columns, words, holdout),
        "membership": membership(score(found.model, train), train.outcome, p, y),
        "trees": _trees(found.model, train),
        "mantissa_bits": found.mantissa_bits,
        "weights": found.weights,
        "capacity_bytes": found.capacity_bytes,
        "bytes": len(released),
    }
    (out / "model.onnx").write_bytes(released)
    return report


def _whole(p: Floats, y: Ints, threshold: float) -> dict[str, Any]:
    slope, intercept = figures.calibration(p, y)
    return {
        "auc": [rounded(value) for value in figures.discrimination(p, y)],
        "brier": rounded(figures.brier(p, y)),
        "slope": rounded(slope),
        "intercept": rounded(intercept),
        "deciles": figures.deciles(p, y),
        "at": figures.predictive(p, y, threshold),
        "events": figures.about(int(y.sum())),
    }


def _control(folder: Path, columns: set[str], words: set[str], holdout: data.Rows) -> dict[str, Any] | None:
    """The mean AUC of the controls: one alone strays up to 0.15 from 0.5, for a random direction is still one."""
    file = folder / "controls.zip"
    if not file.exists():
        return None
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()[:MAX_CONTROLS]
        raws = [archive.open(entry).read(MAX_BYTES + 1) for entry in entries]
    found = [figures.discrimination(score(canonical(raw, columns, words), holdout), holdout.outcome)[0] for raw in raws]
    return {"auc": rounded(sum(found) / len(found)), "models": len(found)} if found else None


def _trees(model: ModelProto, train: data.Rows) -> dict[str, Any] | None:
    found = tree_inputs(model, train)
    return None if found is None else leaves(*found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
