"""A model is rebuilt from what is known; what rides on it stays behind, and what remains possible is bounded."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier

from compute.verification.inside.canonical import ModelRefused, canonical
from compute.verification.inside.data import Rows
from compute.verification.inside.figures import brier, discrimination
from compute.verification.inside.reencode import reencode, with_bits
from compute.verification.inside.scoring import score, tree_inputs
from compute.verification.inside.trees import leaves

COLUMNS, WORDS = {"age", "sex"}, {"F", "M"}
PAYLOAD = bytes(range(1, 161))  # two bytes for each of 80 weights


def regression(coefficients: list[float]) -> ModelProto:
    """A hand-made model: sex one-hot and 40 powers of age, so that it has weights enough to carry something."""
    half = len(coefficients) // 2
    nodes = [
        helper.make_node("OneHotEncoder", ["sex"], ["hot"], domain="ai.onnx.ml", cats_strings=["F", "M"]),
        helper.make_node("Reshape", ["hot", "shape"], ["flat"]),
        helper.make_node("Concat", ["flat", *["age"] * (half - 2)], ["all"], axis=1),
        helper.make_node(
            "LinearClassifier", ["all"], ["label", "p"], domain="ai.onnx.ml", classlabels_ints=[0, 1],
            coefficients=coefficients, intercepts=[0.5, -0.5], post_transform="SOFTMAX",
        ),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "secret graph name",
        [
            helper.make_tensor_value_info("age", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("sex", TensorProto.STRING, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2]),
        ],
        [numpy_helper.from_array(np.array([-1, 2], dtype=np.int64), "shape")],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="secret producer")


def weights() -> list[float]:
    plain = np.random.default_rng(1).normal(0, 0.01, 80).astype(np.float32)
    return [float(value) for value in np.concatenate([-plain[:40], plain[:40]])]


def rows(n: int = 3000) -> Rows:
    random = np.random.default_rng(2)
    age, sex = random.normal(0, 1, n), np.where(random.random(n) < 0.5, "F", "M")
    outcome = (random.random(n) < 1 / (1 + np.exp(1 - age))).astype(np.int64)
    names = np.array([str(place) for place in range(n)])
    return Rows(np.full(n, "h01"), names, outcome, {"age": age, "sex": sex})


def linear(model: ModelProto) -> list[float]:
    return next(
        list(item.floats) for node in model.graph.node for item in node.attribute if item.name == "coefficients"
    )


def low_bytes(values: list[float]) -> bytes:
    """What an author reads back: the two lowest bytes of each weight."""
    return np.array(values, dtype=np.float32).view(np.uint8).reshape(-1, 4)[:, :2].tobytes()


def planted() -> ModelProto:
    raw = np.array(weights(), dtype=np.float32).view(np.uint8).reshape(-1, 4)
    raw[:, :2] = np.frombuffer(PAYLOAD, np.uint8).reshape(-1, 2)
    return regression([float(value) for value in raw.reshape(-1).view(np.float32)])


def test_a_payload_in_low_bits_survives_the_rebuilding_and_not_the_reencoding():
    model, people = canonical(planted().SerializeToString(), COLUMNS, WORDS), rows()
    assert low_bytes(linear(model)) == PAYLOAD  # the control: it is there, and it is read this way

    def quality(p):
        return discrimination(p, people.outcome)[0], brier(p, people.outcome), float(p.mean())

    found = reencode(model, b"secret of the zone", lambda one: score(one, people), quality)
    after = low_bytes(linear(found.model))
    assert sum(a == b for a, b in zip(after, PAYLOAD, strict=True)) < 8
    assert quality(score(found.model, people))[0] == pytest.approx(quality(score(model, people))[0], abs=0.001)
    assert found.capacity_bytes >= 80 * (9 + found.mantissa_bits) / 8


def test_kept_bits_still_carry_and_are_charged():
    """The honest half: an author who knows the number of kept bits writes into them, and the bound covers it."""
    model = canonical(regression(weights()).SerializeToString(), COLUMNS, WORDS)
    coarse = with_bits(model, 8, b"s")
    top = [np.float32(value).view(np.uint32) >> 15 for value in linear(coarse)]
    assert top == [np.float32(value).view(np.uint32) >> 15 for value in linear(model)]


def test_zero_stays_zero():
    model = canonical(regression([0.0, 1.5] * 40).SerializeToString(), COLUMNS, WORDS)
    assert [value == 0 for value in linear(with_bits(model, 3, b"s"))] == [True, False] * 40


def test_names_texts_and_unknown_bytes_stay_behind():
    model = regression(weights())
    model.doc_string = model.graph.doc_string = "secret text"
    model.metadata_props.add(key="secret key", value="secret value")
    model.graph.node[0].name = model.graph.node[0].doc_string = "secret node"
    model.graph.node.append(helper.make_node("Identity", ["age"], ["secret dead end"]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(500, np.float32), "secret tensor"))
    raw = model.SerializeToString() + b"\xfa\x3f\x12secret tail field."
    assert raw.count(b"secret") > 8
    rebuilt = canonical(raw, COLUMNS, WORDS)
    assert b"secret" not in rebuilt.SerializeToString()
    assert [node.op_type for node in rebuilt.graph.node] == ["OneHotEncoder", "Reshape", "Concat", "LinearClassifier"]
    assert len(rebuilt.graph.initializer) == 1
    assert (
        score(rebuilt, rows()).tolist()
        == score(canonical(regression(weights()).SerializeToString(), COLUMNS, WORDS), rows()).tolist()
    )


def operator(model: ModelProto) -> None:
    model.graph.node[1].op_type = "Hidden"


def domain(model: ModelProto) -> None:
    model.opset_import.add(domain="com.example", version=1)


def category(model: ModelProto) -> None:
    model.graph.node[0].attribute[0].strings[0] = b"a patient's name"


def attribute(model: ModelProto) -> None:
    model.graph.node[1].attribute.append(helper.make_attribute("note", "hello"))


def twice(model: ModelProto) -> None:
    model.graph.node[3].attribute.append(model.graph.node[3].attribute[0])


def column(model: ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[2].input[1] = "name"
    model.graph.node[2].input[2:] = ["name"] * 38


def output(model: ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("all", TensorProto.FLOAT, [None, 40]))


def outside(model: ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def nan(model: ModelProto) -> None:
    next(item for item in model.graph.node[3].attribute if item.name == "coefficients").floats[3] = float("nan")


def subgraph(model: ModelProto) -> None:
    model.graph.node[1].attribute.append(helper.make_attribute("allowzero", model.graph))


def function(model: ModelProto) -> None:
    model.functions.add(name="f")


@pytest.mark.parametrize(
    "change",
    [operator, domain, category, attribute, twice, column, output, outside, nan, subgraph, function],
    ids=lambda change: change.__name__,
)
def test_what_is_not_in_the_table_does_not_leave(change: Callable[[ModelProto], None]):
    model = regression(weights())
    canonical(model.SerializeToString(), COLUMNS, WORDS)
    change(model)
    with pytest.raises(ModelRefused) as refused:
        canonical(model.SerializeToString(), COLUMNS, WORDS)
    assert "name" not in refused.value.seen.replace("names", "")


@pytest.mark.parametrize("raw", [b"", b"\x80\x04N.", b"PK\x03\x04", b"\x08\x08", b"\xff" * 100])
def test_what_is_no_model_is_refused(raw):
    with pytest.raises(ModelRefused):
        canonical(raw, COLUMNS, WORDS)


def test_a_model_that_gives_no_probabilities_is_refused():
    model = regression([value * 100 for value in weights()])
    next(item for item in model.graph.node[3].attribute if item.name == "post_transform").s = b"NONE"
    with pytest.raises(ModelRefused):
        score(canonical(model.SerializeToString(), COLUMNS, WORDS), rows())


@pytest.mark.parametrize("smallest", [1, 20])
def test_people_behind_a_leaf_are_counted_as_the_forest_counts_them(smallest):
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    people = rows(800)
    given = people.columns["age"].astype(np.float32).reshape(-1, 1)
    forest = RandomForestClassifier(5, min_samples_leaf=smallest, bootstrap=False, random_state=3)
    forest.fit(given, people.outcome)
    made = to_onnx(
        forest,
        initial_types=[("age", FloatTensorType([None, 1]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    model = canonical(made.SerializeToString(), {"age"}, set())
    seen = leaves(*tree_inputs(model, people))
    counts = [np.bincount(tree.apply(given)) for tree in forest.estimators_]
    assert seen["smallest_leaf"] == min(int(count[count > 0].min()) for count in counts)
    assert seen["trees"] == 5
    assert seen["leaves"] == sum(tree.tree_.n_leaves for tree in forest.estimators_)


def test_the_models_are_valid_to_the_foreign_checker():
    onnx.checker.check_model(canonical(regression(weights()).SerializeToString(), COLUMNS, WORDS))
