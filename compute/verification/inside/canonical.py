"""A stranger's ONNX file, built again from nothing but what we know: what is not in the table does not leave.

Names, texts, metadata, dead nodes, unknown protobuf fields and trailing bytes have no way through.
ONNX IR specification (onnx/onnx docs/IR.md), operators ai.onnx.ml 1-3.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper

MAX_BYTES: Final = 32_000_000
MAX_NODES: Final = 200
OPSETS: Final = {"": 21, "ai.onnx.ml": 3}

WEIGHTS, INTS, INT, FLOAT, CATEGORIES, DROP = "weights", "ints", "int", "float", "categories", "drop"
SOFT = frozenset({"NONE", "SOFTMAX", "LOGISTIC"})
MODES = frozenset({"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "LEAF"})
_TREE = {
    **dict.fromkeys(["nodes_falsenodeids", "nodes_featureids", "nodes_nodeids", "nodes_treeids"], INTS),
    **dict.fromkeys(["nodes_truenodeids", "nodes_missing_value_tracks_true"], INTS),
    "nodes_values": WEIGHTS, "nodes_modes": MODES, "nodes_hitrates": DROP, "base_values": WEIGHTS,
    "post_transform": SOFT,
}  # fmt: skip
_CLASSES = dict.fromkeys(["class_ids", "class_nodeids", "class_treeids"], INTS)
_TARGETS = dict.fromkeys(["target_ids", "target_nodeids", "target_treeids"], INTS)

#: The operators of linear models and tree ensembles, and what each attribute may carry.
ALLOWED: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("", "Concat"): {"axis": INT},
    ("", "Cast"): {"to": INT},
    ("", "Gather"): {"axis": INT},
    ("", "Reshape"): {"allowzero": INT},
    ("", "Identity"): {},
    **{("", op): {} for op in ("Add", "Sub", "Mul", "Div", "MatMul", "Sigmoid")},
    ("ai.onnx.ml", "Scaler"): {"offset": WEIGHTS, "scale": WEIGHTS},
    ("ai.onnx.ml", "Imputer"): {"imputed_value_floats": WEIGHTS, "replaced_value_float": FLOAT},
    ("ai.onnx.ml", "Normalizer"): {"norm": frozenset({"MAX", "L1", "L2"})},
    ("ai.onnx.ml", "OneHotEncoder"): {"cats_strings": CATEGORIES, "cats_int64s": INTS, "zeros": INT},
    ("ai.onnx.ml", "LinearClassifier"): {
        "coefficients": WEIGHTS, "intercepts": WEIGHTS, "classlabels_ints": INTS, "multi_class": INT,
        "post_transform": SOFT,
    },
    ("ai.onnx.ml", "TreeEnsembleClassifier"): _TREE | _CLASSES | {"class_weights": WEIGHTS, "classlabels_int64s": INTS},
    ("ai.onnx.ml", "TreeEnsembleRegressor"): _TREE | _TARGETS
    | {"target_weights": WEIGHTS, "n_targets": INT, "aggregate_function": frozenset({"SUM", "AVERAGE"})},
}  # fmt: skip
#: The trees' operators: their leaves are looked at one by one.
TREES: Final = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})


class ModelRefused(Exception):
    """This file is no model that may leave. `seen` names what, never a value of it."""

    def __init__(self, seen: str) -> None:
        super().__init__(seen)
        self.seen = seen


@dataclass
class Names:
    """New names in the order of first use: a name is a place to hide text."""

    given: dict[str, str]
    count: int = field(default=0)

    def of(self, name: str) -> str:
        """The new name; the empty name (an input left out) stays."""
        if name and name not in self.given:
            self.given[name] = f"_{self.count}"
            self.count += 1
        return self.given[name] if name else ""


def canonical(raw: bytes, columns: set[str], words: set[str]) -> ModelProto:
    """The model that `raw` describes, rebuilt. Raises `ModelRefused`."""
    model = _parsed(raw)
    graph = model.graph
    outputs = _outputs(graph)
    nodes = _living(graph, set(outputs))
    used = {name for node in nodes for name in node.input}
    inputs = [value for value in graph.input if value.name in used]
    for value in inputs:
        if value.name not in columns:
            raise ModelRefused("an input that is no column of the snapshot")
    names = Names({value.name: value.name for value in inputs} | outputs)
    constants = [_constant(tensor, names) for tensor in graph.initializer if tensor.name in used]
    rebuilt = [_node(node, names, words) for node in nodes]
    found = helper.make_graph(
        rebuilt,
        "model",
        [helper.make_tensor_value_info(value.name, _element(value), [None, 1]) for value in inputs],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
        constants,
    )
    opsets = [helper.make_opsetid(domain, _opset(model, domain)) for domain in OPSETS]
    return helper.make_model(found, opset_imports=opsets, ir_version=8, producer_name="")


def _parsed(raw: bytes) -> ModelProto:
    if len(raw) > MAX_BYTES:
        raise ModelRefused("more bytes than a model may have")
    try:
        model = onnx.load_model_from_string(raw)
    except Exception as problem:
        raise ModelRefused("not an ONNX file") from problem
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        raise ModelRefused("functions, training data or sparse tensors")
    if not 0 < len(graph.node) <= MAX_NODES:
        raise ModelRefused("no nodes, or too many")
    for opset in model.opset_import:
        if opset.version > OPSETS.get(opset.domain, 0):
            raise ModelRefused("an operator set outside the list")
    return model


def _opset(model: ModelProto, domain: str) -> int:
    return max((item.version for item in model.opset_import if item.domain == domain), default=OPSETS[domain])


def _outputs(graph: Any) -> dict[str, str]:
    """The one label and the one table of probabilities, by their old names."""
    by_type = {output.type.tensor_type.elem_type: output.name for output in graph.output}
    if len(graph.output) != 2 or set(by_type) != {TensorProto.INT64, TensorProto.FLOAT}:
        raise ModelRefused("outputs other than a label and probabilities")
    return {by_type[TensorProto.INT64]: "label", by_type[TensorProto.FLOAT]: "probabilities"}


def _living(graph: Any, wanted: set[str]) -> list[NodeProto]:
    """The nodes that the outputs need, in order: what computes nothing only carries something."""
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]


def _element(value: Any) -> int:
    kind = int(value.type.tensor_type.elem_type)
    if kind not in (TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64):
        raise ModelRefused("an input of another type")
    return kind


def _constant(tensor: TensorProto, names: Names) -> TensorProto:
    """A constant tensor: weights as float32, or a shape or an index of a few integers."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelRefused("data outside the file")
    values = onnx.numpy_helper.to_array(tensor)
    few = tensor.data_type == TensorProto.INT64 and values.size <= 64 and bool((abs(values) < 1000).all())
    if not few and (tensor.data_type != TensorProto.FLOAT or not bool((abs(values) < 1e30).all())):
        raise ModelRefused("a constant of another type")
    return onnx.numpy_helper.from_array(values, names.of(tensor.name))


def _node(node: NodeProto, names: Names, words: set[str]) -> NodeProto:
    allowed = ALLOWED.get((node.domain, node.op_type))
    if len({item.name for item in node.attribute}) < len(node.attribute):
        raise ModelRefused("an attribute twice")
    if allowed is None:
        raise ModelRefused(f"operator outside the list: {node.op_type[:40] if node.op_type.isalnum() else '?'}")
    rebuilt = helper.make_node(
        node.op_type, [names.of(name) for name in node.input], [names.of(name) for name in node.output],
        domain=node.domain,
    )  # fmt: skip
    for attribute in sorted(node.attribute, key=lambda item: item.name):
        if attribute.name not in allowed:
            raise ModelRefused(f"an attribute outside the list, of {node.op_type}")
        kind = allowed[attribute.name]
        if kind != DROP:
            rebuilt.attribute.append(_attribute(attribute, kind, words))
    return rebuilt


def _attribute(attribute: AttributeProto, kind: Any, words: set[str]) -> AttributeProto:
    value = helper.get_attribute_value(attribute)
    values = value if isinstance(value, list) else [value]
    passes = _enumerated(kind) if isinstance(kind, frozenset) else _KINDS[kind](words)
    expected = _TYPES.get(kind, (AttributeProto.STRING, AttributeProto.STRINGS))
    if attribute.type not in expected or not all(passes(item) for item in values):
        raise ModelRefused("text that is no category of the snapshot" if kind == CATEGORIES else "an attribute's value")
    return helper.make_attribute(attribute.name, value)


def _enumerated(allowed: frozenset[str]) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, bytes) and item.decode("utf-8", "replace") in allowed


_TYPES: Final[Mapping[Any, tuple[Any, ...]]] = {
    WEIGHTS: (AttributeProto.FLOATS,), FLOAT: (AttributeProto.FLOAT,),
    INTS: (AttributeProto.INTS,), INT: (AttributeProto.INT,), CATEGORIES: (AttributeProto.STRINGS,),
}  # fmt: skip
_KINDS: Final[Mapping[str, Callable[[set[str]], Callable[[Any], bool]]]] = {
    WEIGHTS: lambda _: lambda item: abs(item) < 1e30,  # also refuses NaN, whose payload bits are free
    FLOAT: lambda _: lambda item: math.isnan(item) or abs(item) < 1e30,  # the mark of a missing value is NaN
    INTS: lambda _: lambda item: -1 <= item < 2**31,
    INT: lambda _: lambda item: -(2**31) <= item < 2**31,
    CATEGORIES: lambda words: lambda item: item.decode("utf-8", "replace") in words,
}
