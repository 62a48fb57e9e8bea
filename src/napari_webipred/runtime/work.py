"""An estimate of the work of an ONNX model for one image, from the shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from napari_webipred.runtime.onnx_graph import OnnxGraph, Operation
from napari_webipred.runtime.shapes import Operator, Value
from napari_webipred.runtime.shapes.products import einsum_sizes
from napari_webipred.runtime.shapes.windows import FILTERS

# The cost of an element, in multiply-adds of large matrices (one core does 40 in a nanosecond): if it is copied, if a
# function of it is computed or it is moved, and if ONNX Runtime is slow at that. Measured by `benchmarks/limits.py`.
# So estimates are never much too low, but may be too high for small models.
_MOVED, _COMPUTED, _SLOW = 16, 128, 512
_COMPUTED_KINDS = {
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "CumProd", "CumSum", "Elu", "Erf"),
    *("Exp", "Gelu", "Log", "LpNormalization", "Mish", "Mod", "Pow", "Selu", "Sin", "Sinh", "Tan"),
    *("DepthToSpace", "Expand", "GatherElements", "GatherND", "MaxUnpool", "OneHot", "Resize", "ReverseSequence"),
    *("Scatter", "ScatterElements", "ScatterND", "SpaceToDepth", "Tile", "Transpose", "Trilu", "Upsample", "Where"),
    *("AffineGrid", "ArgMax", "ArgMin", "Col2Im", "GridSample", "GroupNormalization", "InstanceNormalization"),
    *("MeanVarianceNormalization", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd", "RotaryEmbedding"),
    *("LogSoftmax", "Hardmax", "Softmax", "Softplus", "Swish", "TopK"),
}
_SLOW_KINDS = {"Gather", "LRN"}
_SLOW_FACTORS = {("Resize", "cubic"): 32, ("Upsample", "cubic"): 32, ("GridSample", "bicubic"): 16}
_SLOW_FACTORS[("GridSample", "cubic")] = 16
# The cost of a matrix product in a stack of them, of an integer of 32 or 64 bits, and of an element of a window for
# the index of its maximum or for a power.
_MATRIX, _INTEGER, _INDEX, _POWER = 8192, 8, 64, 512
_INTEGER_TYPES = {6, 7, 12, 13}

Work = Callable[[Operator, Sequence[Value]], int]


def multiply_adds(graph: OnnxGraph, values: Mapping[str, Value]) -> int:
    """Estimate the work of a model.

    Parameters
    ----------
    graph : OnnxGraph
    values : mapping of str to Value
        From `napari_webipred.runtime.shapes.infer`.

    Returns
    -------
    int
        In multiply-adds of a product of large matrices, the fastest operation of a CPU. An element that is only copied
        counts as several.
    """
    return sum(_of_operation(operation, values) for operation in graph.operations)


def _of_operation(operation: Operation, values: Mapping[str, Value]) -> int:
    given = tuple(values[name] if name else None for name in operation.inputs)
    made = [values[name] for name in operation.outputs if name]
    if not made:
        return 0
    operator = Operator(operation, given, 0)
    kind = operation.kind.rpartition(".")[2]
    each = _SLOW if kind in _SLOW_KINDS else _COMPUTED if kind in _COMPUTED_KINDS else _MOVED
    each *= _SLOW_FACTORS.get((kind, str(operation.attributes.get("mode", ""))), 1)
    products = PRODUCTS.get(kind)
    if products is None:
        return each * max(value.size for value in (*operator.given(), *made))
    return each * made[0].size + products(operator, made)


def _convolution(operator: Operator, made: Sequence[Value]) -> int:
    return made[0].size * math.prod(operator.shape(FILTERS[operator.operation.kind])[1:])


def _transposed_convolution(operator: Operator, made: Sequence[Value]) -> int:
    return operator.value().size * math.prod(operator.shape(1)[1:])


def _pool(operator: Operator, made: Sequence[Value]) -> int:
    points = made[0].size * math.prod(operator.listed("kernel_shape") or [1])
    if operator.operation.kind == "LpPool":
        return _POWER * points
    placed = len(made) > 1 or any(step > 1 for step in operator.listed("dilations") or [])
    return _INDEX * points if placed else points


def _product(operator: Operator, made: Sequence[Value]) -> int:
    inner = operator.shape()[-2 if operator.whole("transA", 0) else -1]
    factor = _INTEGER if operator.value().element_type in _INTEGER_TYPES else 1
    return factor * made[0].size * inner + _MATRIX * math.prod(made[0].shape[:-2])


def _einsum(operator: Operator, made: Sequence[Value]) -> int:
    sizes, output = einsum_sizes(operator)
    terms = operator.attribute("equation", "").partition("->")[0].split(",")
    stack = [letter for letter in set(output) if all(letter in term for term in terms)]
    return math.prod(sizes.values()) + _MATRIX * math.prod(sizes[letter] for letter in stack)


def _attention(operator: Operator, made: Sequence[Value]) -> int:
    query, key = operator.value(), operator.value(1 if operator.has(1) else 0)
    return 2 * query.size * key.size // max(key.shape[-1], 1)


def _recurrent(operator: Operator, made: Sequence[Value]) -> int:
    first, second = operator.rank(3)[:2]
    return first * second * (operator.value(1).size + operator.value(2).size)


def _sorted(operator: Operator, made: Sequence[Value]) -> int:
    return _COMPUTED * operator.value().size * max(made[0].shape, default=1).bit_length()


# By the names of operators, for any domain.
PRODUCTS: dict[str, Work] = {
    **{kind.rpartition(".")[2]: _convolution for kind in FILTERS},
    "ConvTranspose": _transposed_convolution,
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(("FusedGemm", "FusedMatMul", "Gemm", "MatMul", "QGemm"), _product),
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul"), _product),
    "Einsum": _einsum,
    "Attention": _attention,
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "TopK": _sorted,
}
