"""A model asked about rows, by ONNX Runtime on one thread: the same bytes give the same answers."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from .canonical import TREES, ModelRefused
from .data import Rows
from .figures import Floats

_AS = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": np.str_}

HAIR = 0.1  # a sum of coarse leaf weights may pass 1 by a little; it counts as 1


def score(model: ModelProto, rows: Rows) -> Floats:
    """The predicted risk of each row. Raises `ModelRefused` when the model does not run, or gives no probability."""
    p = np.asarray(_run(model, "probabilities", rows))
    if p.shape != (len(rows), 2) or not np.isfinite(p).all() or p.min() < -HAIR or p.max() > 1 + HAIR:
        raise ModelRefused("outputs that are no probabilities")
    return np.clip(p[:, 1].astype(np.float64), 0.0, 1.0)


def tree_inputs(model: ModelProto, rows: Rows) -> tuple[Any, NDArray[np.float32]] | None:
    """The first tree ensemble's node and what it is given for each row; None for other models."""
    node = next((node for node in model.graph.node if node.op_type in TREES), None)
    if node is None:
        return None
    name = node.input[0]
    partial = ModelProto()
    partial.CopyFrom(model)
    if name in {value.name for value in model.graph.input}:
        return node, np.asarray(rows.columns[name], dtype=np.float32).reshape(-1, 1)
    del partial.graph.output[:]
    partial.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return node, np.asarray(_run(partial, name, rows), dtype=np.float32)


def _run(model: ModelProto, output: str, rows: Rows) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feed = {
            item.name: rows.columns[item.name].astype(_AS[item.type]).reshape(-1, 1) for item in session.get_inputs()
        }
        return session.run([output], feed)[0]
    except Exception as problem:  # the runtime raises its own kinds, and a stranger chose the model
        raise ModelRefused(f"it does not run: {type(problem).__name__}") from problem
