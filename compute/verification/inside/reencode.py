"""The model's weights in as few bits as it can spare; the rest is filled with the zone's own randomness.

Rounding alone removes nothing from an author who knows of it: the bits that survive can still carry something.
So those are counted and stated, as an upper bound in bytes, and never called harmless.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, TensorProto

from .canonical import ModelRefused
from .figures import Floats

MANTISSA = 23  # bits of a float32's mantissa
#: What the coarser model may lose: a tenth of a point of AUC, as much of the Brier score; its mean risk moves <= 1 %.
MAY_LOSE = 0.001
MAY_MOVE = 0.01

Score = Callable[[ModelProto], Floats]
Quality = Callable[[Floats], tuple[float, float, float]]


@dataclass(frozen=True)
class Reencoded:
    """The model as it may leave, how fine its weights are, and how much could still be hidden in them."""

    model: ModelProto
    mantissa_bits: int
    weights: int
    capacity_bytes: int


def reencode(model: ModelProto, secret: bytes, score: Score, quality: Quality) -> Reencoded:
    """The coarsest form of `model` that keeps its quality (a bisection: finer is never much worse)."""
    auc, brier, mean = quality(score(model))

    def good(bits: int) -> bool:
        try:
            now_auc, now_brier, now_mean = quality(score(with_bits(model, bits, secret)))
        except ModelRefused:  # so coarse that its outputs are no probabilities any more
            return False
        return now_auc >= auc - MAY_LOSE and now_brier <= brier + MAY_LOSE and abs(now_mean - mean) <= MAY_MOVE * mean

    low, high = 1, MANTISSA
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle + 1, high)
    found = with_bits(model, high, secret)
    count = sum(len(values) for _, values in _weights(found))
    return Reencoded(found, high, count, capacity(found, high))


def with_bits(model: ModelProto, bits: int, secret: bytes) -> ModelProto:
    """A copy whose weights keep `bits` mantissa bits; the lower ones come from `secret`. Zero stays zero."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for place, values in _weights(copy):
        noise = hashlib.shake_256(secret + place.encode()).digest(4 * len(values))
        _store(copy, place, _coarse(np.asarray(values, dtype=np.float32), bits, np.frombuffer(noise, np.uint32)))
    return copy


def capacity(model: ModelProto, bits: int) -> int:
    """An upper bound of what an author can have put into the model's bytes, in bytes.

    A weight: sign, exponent and the kept mantissa bits. An integer: the width of its list's range. A category, an
    input, a node: the choice of it and its place.
    """
    total = sum(len(values) * (9 + bits) for _, values in _weights(model))
    total += 8 * len(model.graph.input) + 16 * len(model.graph.node)
    for node in model.graph.node:
        for item in node.attribute:
            if item.type == AttributeProto.INTS and item.ints:
                total += 64 + len(item.ints) * (max(item.ints) - min(item.ints)).bit_length()
            elif item.type == AttributeProto.STRINGS:
                total += len(item.strings) * max(1, math.ceil(math.log2(len(set(item.strings)) + 1))) + 64
            else:
                total += 32
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            total += 64 * max(1, math.prod(tensor.dims))
    return (total + 7) // 8


def _weights(model: ModelProto) -> Iterator[tuple[str, Any]]:
    """Every list of weights with the name of its place."""
    for number, node in enumerate(model.graph.node):
        for item in node.attribute:
            if item.type == AttributeProto.FLOATS:
                yield f"{number}/{item.name}", item.floats
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            yield f"/{tensor.name}", onnx.numpy_helper.to_array(tensor).ravel()


def _store(model: ModelProto, place: str, values: NDArray[np.float32]) -> None:
    number, name = place.split("/", 1)
    if number:
        item = next(item for item in model.graph.node[int(number)].attribute if item.name == name)
        del item.floats[:]
        item.floats.extend(values.tolist())
        return
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.reshape(tuple(tensor.dims)), name))


def _coarse(values: NDArray[np.float32], bits: int, noise: NDArray[np.uint32]) -> NDArray[np.float32]:
    free = np.uint32((1 << (MANTISSA - bits)) - 1)
    raw = np.ascontiguousarray(values).view(np.uint32)
    return np.where(values == 0, values, ((raw & ~free) | (noise & free)).view(np.float32)).astype(np.float32)
