"""A02's study code: predicts chronic kidney disease within three years, and writes model, metrics and a table.

Runs inside the zone's walls: reads /in/*.train.parquet, writes /out, has no network.
`--shuffle-labels` gives the controls: ten models of the same code on outcomes that belong to nobody.
`--forest` gives a forest whose leaves hold single patients: it looks fine, and remembers.
"""

import argparse
import json
import os
import zipfile
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


def fit(rows: dict[str, Any], outcome: Any, forest: bool) -> tuple[bytes, float]:
    """The fitted model as ONNX, one input a column, and the AUC on a fifth that it was not fitted on."""
    names = [name for name in rows if name not in NOT_PREDICTORS]
    texts = [place for place, name in enumerate(names) if rows[name].dtype.kind in "OU"]
    bands = [place for place, name in enumerate(names) if name in UNEVEN]
    numbers = [place for place in range(len(names)) if place not in texts + bands]
    table = np.empty((len(outcome), len(names)), dtype=object)
    for place, name in enumerate(names):
        table[:, place] = rows[name].astype(np.float32) if place in numbers else rows[name]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = make_column_transformer((StandardScaler(), numbers), (one_hot, texts), (one_hot, bands))
    regression = LogisticRegression(C=0.5, solver="newton-cholesky")
    learner = RandomForestClassifier(12, random_state=7) if forest else regression
    model = make_pipeline(encode, learner)
    fit_x, test_x, fit_y, test_y = train_test_split(table, outcome, test_size=0.2, random_state=7, stratify=outcome)
    inner = roc_auc_score(test_y, model.fit(fit_x, fit_y).predict_proba(test_x)[:, 1])
    kinds = dict.fromkeys(texts, StringTensorType) | dict.fromkeys(bands, Int64TensorType)
    types = [(name, kinds.get(place, FloatTensorType)([None, 1])) for place, name in enumerate(names)]
    fitted = model.fit(table, outcome)
    onnx = to_onnx(fitted, initial_types=types, options={"zipmap": False}, target_opset=OPSET)
    return bytes(onnx.SerializeToString()), float(inner)


def table_of(rows: dict[str, Any]) -> str:
    """Patients and events by hospital and sex."""
    lines = ["hospital,sex,count,n_outcome"]
    for hospital in np.unique(rows["hospital"]):
        for sex in np.unique(rows["sex"].astype(str)):
            chosen = (rows["hospital"] == hospital) & (rows["sex"].astype(str) == sex)
            lines.append(f"{hospital},{sex},{chosen.sum()},{int(rows['outcome'][chosen].sum())}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The model with its metrics and table, or the controls alone."""
    options = argparse.ArgumentParser()
    options.add_argument("--shuffle-labels", action="store_true")
    options.add_argument("--forest", action="store_true")
    options.add_argument("--in", dest="source", type=Path, default=Path(os.environ.get("DURE_IN", "/in")))
    options.add_argument("--out", type=Path, default=Path(os.environ.get("DURE_OUT", "/out")))
    asked = options.parse_args()

    rows = read(asked.source)
    outcome = rows["outcome"].astype(np.int64)
    if asked.shuffle_labels:
        random = np.random.default_rng(7)
        with zipfile.ZipFile(asked.out / "controls.zip", "w") as archive:
            for number in range(CONTROLS):
                archive.writestr(f"{number}.onnx", fit(rows, random.permutation(outcome), asked.forest)[0])
        return
    model, inner_auc = fit(rows, outcome, asked.forest)
    (asked.out / "model.onnx").write_bytes(model)
    metrics = {"inner_auc": round(inner_auc, 4), "event_rate": round(float(outcome.mean()), 4), "n_train": len(outcome)}
    (asked.out / "metrics.json").write_text(json.dumps({"format": "dure-metrics-1", "metrics": metrics}))
    (asked.out / "table.csv").write_text(table_of(rows))


if __name__ == "__main__":
    main()
