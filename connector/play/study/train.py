"""A02's study code: predicts chronic kidney disease within three years, and writes model, metrics and a table.

Runs inside the zone's walls: reads /in/*.train.parquet, writes /out, has no network.
`--controls` adds ten models of the same code on shuffled outcomes, which belong to nobody.
`--forest` gives a forest whose leaves hold single patients: it looks fine, and remembers.
"""

import argparse
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NOT_PREDICTORS = {"pseudonym", "outcome", "hospital"}
#: Bands of unequal width: their lower edges are no scale.
UNEVEN = {"uacr", "diabetes_duration"}
OPSET = {"": 18, "ai.onnx.ml": 3}
CONTROLS = 10


def read(folder: Path) -> dict[str, Any]:
    """The hospitals' train parts, one under the other, with the hospital of each row."""
    parts = []
    for file in sorted(folder.glob("*.train.parquet")):
        with duckdb.connect(config={"threads": 1, "memory_limit": "128MB"}) as db:
            part = db.execute("select * from read_parquet(?)", [str(file)]).fetchnumpy()
        part["hospital"] = np.full(len(part["outcome"]), file.name.split(".")[0])
        parts.append(part)
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Predictors:
    """The predictors as numbers, the fitted encoder that made them so, and what a model with it takes in."""

    matrix: Any
    encoder: Any
    inputs: list[tuple[str, Any]]


def predictors(rows: dict[str, Any]) -> Predictors:
    """Numbers scaled, texts and uneven bands one column a value. Made once: outcomes play no part in it."""
    names = [name for name in rows if name not in NOT_PREDICTORS]
    texts = [place for place, name in enumerate(names) if rows[name].dtype.kind in "OU"]
    bands = [place for place, name in enumerate(names) if name in UNEVEN]
    numbers = [place for place in range(len(names)) if place not in texts + bands]
    table = np.empty((len(rows["outcome"]), len(names)), dtype=object)
    for place, name in enumerate(names):
        table[:, place] = rows[name].astype(np.float32) if place in numbers else rows[name]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder = make_column_transformer((StandardScaler(), numbers), (one_hot, texts), (one_hot, bands))
    kinds = dict.fromkeys(texts, StringTensorType) | dict.fromkeys(bands, Int64TensorType)
    inputs = [(name, kinds.get(place, FloatTensorType)([None, 1])) for place, name in enumerate(names)]
    return Predictors(encoder.fit_transform(table), encoder, inputs)


def learner(forest: bool) -> Any:
    """What is fitted: a regression, or a forest without any limit."""
    if forest:
        return RandomForestClassifier(12, random_state=7)
    return LogisticRegression(C=0.5, solver="newton-cholesky")


def model(given: Predictors, outcome: Any, forest: bool) -> bytes:
    """The model fitted on all rows, as ONNX with one input a column."""
    fitted = make_pipeline(given.encoder, learner(forest).fit(given.matrix, outcome))
    onnx = to_onnx(fitted, initial_types=given.inputs, options={"zipmap": False}, target_opset=OPSET)
    return bytes(onnx.SerializeToString())


def inner_auc(given: Predictors, outcome: Any, forest: bool) -> float:
    """The AUC on a fifth of the rows that a model fitted on the rest has not seen."""
    fit_x, test_x, fit_y, test_y = train_test_split(
        given.matrix, outcome, test_size=0.2, random_state=7, stratify=outcome
    )
    return float(roc_auc_score(test_y, learner(forest).fit(fit_x, fit_y).predict_proba(test_x)[:, 1]))


def table_of(rows: dict[str, Any]) -> str:
    """Patients and events by hospital and sex."""
    lines = ["hospital,sex,count,n_outcome"]
    for hospital in np.unique(rows["hospital"]):
        for sex in np.unique(rows["sex"].astype(str)):
            chosen = (rows["hospital"] == hospital) & (rows["sex"].astype(str) == sex)
            lines.append(f"{hospital},{sex},{chosen.sum()},{int(rows['outcome'][chosen].sum())}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The model with its metrics and table, and the controls where they are wanted."""
    options = argparse.ArgumentParser()
    options.add_argument("--controls", action="store_true")
    options.add_argument("--forest", action="store_true")
    options.add_argument("--in", dest="source", type=Path, default=Path(os.environ.get("DURE_IN", "/in")))
    options.add_argument("--out", type=Path, default=Path(os.environ.get("DURE_OUT", "/out")))
    asked = options.parse_args()

    rows = read(asked.source)
    given, outcome = predictors(rows), rows["outcome"].astype(np.int64)
    (asked.out / "model.onnx").write_bytes(model(given, outcome, asked.forest))
    auc = round(inner_auc(given, outcome, asked.forest), 4)
    metrics = {"inner_auc": auc, "event_rate": round(float(outcome.mean()), 4), "n_train": len(outcome)}
    (asked.out / "metrics.json").write_text(json.dumps({"format": "dure-metrics-1", "metrics": metrics}))
    (asked.out / "table.csv").write_text(table_of(rows))
    if asked.controls:
        random = np.random.default_rng(7)
        with zipfile.ZipFile(asked.out / "controls.zip", "w") as archive:
            for number in range(CONTROLS):
                archive.writestr(f"{number}.onnx", model(given, random.permutation(outcome), asked.forest))


if __name__ == "__main__":
    main()
