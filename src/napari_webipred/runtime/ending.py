"""What the outputs of a network are (softmax, sigmoid, ...), as far as its operations show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, Literal, TypeAlias

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred.runtime import ranges
from napari_webipred.runtime.graph import Node
from napari_webipred.runtime.ranges import ANYTHING, LOG_SOFTMAX, NEARLY, SIGMOID, SOFTMAX, Range, nearly

# softmax: from 0 to 1, with the sum 1. sigmoid: each from 0 to 1. log-softmax: logarithms of softmax.
# clipped: clipped to 0 ... 1. linear: not probabilities. unknown: not clear from the operations.
Ending = Literal["softmax", "sigmoid", "log-softmax", "clipped", "linear", "unknown"]

# ONNX' numbers of FLOAT, FLOAT16, DOUBLE and BFLOAT16.
_FLOATS = {1, 10, 11, 16}


class End(Struct, frozen=True):
    """An output of a network.

    Attributes
    ----------
    ending : Ending
        What the values are.
    source : str
        The tensor that they come from, before operations that only move values.
    final : bool
        Whether no other operation uses that tensor.
    """

    ending: Ending
    source: str
    final: bool


def ends(nodes: Iterable[Node], constants: Mapping[str, NDArray[Any]], tensors: Iterable[str]) -> list[End]:
    """Describe the outputs of a network.

    Operations that only move, round or quantise values are skipped. A softmax or sigmoid is recognised by its name or
    by its parts, such as exponentials divided by their sum.

    Parameters
    ----------
    nodes : iterable of Node
        In an order in which they can run.
    constants : mapping of str to ndarray
        Small constants; others may have any values.
    tensors : iterable of str
        Names of the output tensors.

    Returns
    -------
    list of End
        One for each of `tensors`.
    """
    reading = _Reading(constants)
    for node in nodes:
        reading.read(node)
    found = []
    for tensor in tensors:
        source = reading.origin(tensor)
        found.append(End(_ending(reading.of(tensor)), source, source not in reading.consumed))
    return found


def _ending(numbers: Range | None) -> Ending:
    if numbers is None:
        return "unknown"
    if _adds_up(numbers):
        return "softmax"
    if numbers.log_of is not None and _adds_up(numbers.log_of):
        return "log-softmax"
    if nearly(numbers.low, 0) and nearly(numbers.high, 1):
        return "clipped" if numbers.clipped else "sigmoid"
    return "linear" if numbers.certain and not _within_0_and_1(numbers) else "unknown"


def _adds_up(numbers: Range) -> bool:
    return _within_0_and_1(numbers) and numbers.total is not None and nearly(numbers.total, 1)


def _within_0_and_1(numbers: Range) -> bool:
    return numbers.low >= -NEARLY and numbers.high <= 1 + NEARLY


class _Reading(Struct):
    """The value ranges of all tensors so far; None if nothing is known.

    ``origins`` maps a tensor to the one that it comes from without computation. Tensors in ``consumed`` are used by
    other operations.
    """

    constants: Mapping[str, NDArray[Any]]
    known: dict[str, Range | None] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    consumed: set[str] = field(default_factory=set)
    computed: dict[tuple[str, ...], str] = field(default_factory=dict)

    def read(self, node: Node) -> None:
        if node.op in _MOVES and node.inputs:
            self.origins[node.output] = self.origin(node.inputs[0])
        else:
            origins = tuple(map(self.origin, node.inputs))
            self.consumed.update(origins)
            if node.op in _COMPUTED_TWICE:
                self.origins[node.output] = self.computed.setdefault((node.op, *origins), node.output)
        rule = _RULES.get(node.op)
        self.known[node.output] = rule(self, node) if rule and node.inputs else None

    def of(self, tensor: str) -> Range | None:
        if tensor in self.known:
            return self.known[tensor]
        array = self.constants.get(tensor)
        if array is None or array.dtype.kind not in "fiu" or not array.size or not np.isfinite(array).all():
            return ANYTHING
        return Range(float(array.min()), float(array.max()), constant=True)

    def origin(self, tensor: str) -> str:
        return self.origins.get(tensor, tensor)

    def number(self, node: Node, index: int, name: str = "") -> float | None:
        """Return the value of an attribute or a constant input."""
        value = node.attributes.get(name)
        if isinstance(value, (int, float)):
            return float(value)
        numbers = self.of(node.inputs[index]) if len(node.inputs) > index else None
        return numbers.scalar if numbers else None


_Rule: TypeAlias = Callable[[_Reading, Node], Range | None]
_OfTwo: TypeAlias = Callable[[Range, Range, str, str], Range | None]


def _always(known: Range) -> _Rule:
    return lambda reading, node: known


def _of_one(function: Callable[[Range], Range | None]) -> _Rule:
    """Make a rule from a function of the first input."""

    def rule(reading: _Reading, node: Node) -> Range | None:
        numbers = reading.of(node.inputs[0])
        return None if numbers is None else function(numbers)

    return rule


def _of_one_by_name(function: Callable[[Range, str], Range | None]) -> _Rule:
    """Make a rule from a function of the first input and its name."""

    def rule(reading: _Reading, node: Node) -> Range | None:
        numbers = reading.of(node.inputs[0])
        return None if numbers is None else function(numbers, reading.origin(node.inputs[0]))

    return rule


def _of_all(function: _OfTwo, inputs: slice = slice(None)) -> _Rule:
    """Make a rule from a function of two tensors, applied from left to right."""

    def step(a: tuple[Range | None, str], b: tuple[Range | None, str]) -> tuple[Range | None, str]:
        return (None if a[0] is None or b[0] is None else function(a[0], b[0], a[1], b[1])), ""

    def rule(reading: _Reading, node: Node) -> Range | None:
        operands = [(reading.of(name), reading.origin(name)) for name in node.inputs[inputs] if name]
        return reduce(step, operands)[0] if operands else None

    return rule


def _between(low: float, high: float = math.inf) -> _Rule:
    """Make a rule for a function whose results are within these bounds for any input."""
    return _of_one(lambda x: Range(low, high, certain=x.certain))


# --- rules that need more than the range of their inputs -------------------------------------------------------------


def _cast(reading: _Reading, node: Node) -> Range | None:
    return reading.of(node.inputs[0]) if node.attributes.get("to", 1) in _FLOATS else None


def _dequantised(reading: _Reading, node: Node, first: int = 0) -> Range | None:
    """Return the range of a dequantised tensor. Ranges ignore quantisation, except those of constants."""
    name = node.inputs[first] if len(node.inputs) > first else ""
    numbers = reading.of(name)
    if numbers is None or name not in reading.constants:
        return numbers
    scale = reading.number(node, first + 1)
    zero = reading.number(node, first + 2) if len(node.inputs) > first + 2 else 0.0
    if scale is None or zero is None:
        return Range(constant=True)
    return replace(numbers, low=(numbers.low - zero) * scale, high=(numbers.high - zero) * scale)


def _of_quantised(function: _OfTwo) -> _Rule:
    """Make a rule from a function of two quantised tensors, each followed by its scale and zero point."""

    def rule(reading: _Reading, node: Node) -> Range | None:
        a, b = _dequantised(reading, node, 0), _dequantised(reading, node, 3)
        return None if a is None or b is None else function(a, b, "", "")

    return rule


def _softmax(reading: _Reading, node: Node) -> Range | None:
    """Return the range, unless the softmax is along the batch axis."""
    if node.attributes.get("axis", -1) == 0:
        return None
    return LOG_SOFTMAX if node.op == "LogSoftmax" else SOFTMAX


def _log(reading: _Reading, node: Node) -> Range | None:
    x = reading.of(node.inputs[0])
    if x is None:
        return None
    exponentials = reading.of(x.sum_of) if x.sum_of else None
    return ranges.log(x, exponentials.exp_of if exponentials else "")


def _clip(reading: _Reading, node: Node) -> Range | None:
    x = reading.of(node.inputs[0])
    return None if x is None else ranges.cut(x, reading.number(node, 1, "min"), reading.number(node, 2, "max"))


def _power(reading: _Reading, node: Node) -> Range | None:
    x, exponent = reading.of(node.inputs[0]), reading.number(node, 1)
    if x is None or exponent == 1:
        return x
    if exponent == -1:
        return ranges.inverse(x)
    return Range(0 if exponent is not None and exponent % 2 == 0 else -math.inf, certain=False)


def _mean(reading: _Reading, node: Node) -> Range | None:
    total, count = _of_all(ranges.add)(reading, node), sum(map(bool, node.inputs))
    return None if total is None else ranges.multiply(total, Range(1 / count, 1 / count, constant=True))


_MOVES = {
    *("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Dropout", "Expand"),
    *("QuantizeLinear", "DequantizeLinear"),
}
# In a decomposed softmax, these occur in the numerator and in the denominator.
_COMPUTED_TWICE = {"Exp", "Sub", "ReduceMax"}
# Sums of products, and what follows them within a network: the output may have any values.
_UNBOUNDED = (
    *("Gemm", "MatMul", "Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "Einsum", "MatMulNBits"),
    *("QGemm", "QLinearMatMul", "QLinearConv", "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat"),
    *("DynamicQuantizeMatMul", "QLinearLeakyRelu", "BatchNormalization", "InstanceNormalization"),
    *("LayerNormalization", "GroupNormalization", "SkipLayerNormalization", "LRN", "PRelu", "LeakyRelu", "Elu"),
    *("Selu", "Celu", "ThresholdedRelu", "Shrink", "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "HardSwish", "Mish"),
)
_AVERAGES = ("GlobalAveragePool", "AveragePool", "ReduceMean", "QLinearGlobalAveragePool", "QLinearAveragePool")
_SELECTIONS = ("GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMin", "Slice", "Gather", "GatherElements", "Split")

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_MOVES, _of_one(lambda x: x)),
    **dict.fromkeys(_UNBOUNDED, _always(ANYTHING)),
    **dict.fromkeys(_AVERAGES, _of_one(lambda x: x.plain)),
    **dict.fromkeys(_SELECTIONS, _of_one(ranges.some)),
    **dict.fromkeys(("Softmax", "LogSoftmax", "QLinearSoftmax"), _softmax),
    **dict.fromkeys(("Sigmoid", "HardSigmoid", "QLinearSigmoid"), _always(SIGMOID)),
    **dict.fromkeys(("Tanh", "Softsign", "Erf", "Sin", "Cos"), _between(-1, 1)),
    **dict.fromkeys(("Softplus", "Abs", "Sqrt", "ReduceL2", "ReduceSumSquare"), _between(0)),
    **dict.fromkeys(("ReduceSum", "ReduceL1"), _of_one_by_name(ranges.summed)),
    "ReduceLogSumExp": _of_one_by_name(lambda x, name: Range(certain=False, log_sum_exp_of=name)),
    "DynamicQuantizeLinear": _always(Range(certain=False)),
    "Cast": _cast,
    "DequantizeLinear": _dequantised,
    "Exp": _of_one_by_name(ranges.exp),
    "Log": _log,
    "Neg": _of_one(ranges.negated),
    "Reciprocal": _of_one(ranges.inverse),
    "Relu": _of_one(ranges.positive),
    "Clip": _clip,
    "Pow": _power,
    "Add": _of_all(ranges.add),
    "Sum": _of_all(ranges.add),
    "Mean": _mean,
    "Sub": _of_all(ranges.subtract),
    "Mul": _of_all(ranges.multiply),
    "Div": _of_all(ranges.divide),
    "Max": _of_all(ranges.larger),
    "Min": _of_all(ranges.smaller),
    "Where": _of_all(ranges.either, slice(1, 3)),
    "Concat": _of_all(ranges.joined),
    "QLinearAdd": _of_quantised(ranges.add),
    "QLinearMul": _of_quantised(ranges.multiply),
    "QLinearConcat": _of_all(ranges.joined, slice(2, None, 3)),
}
