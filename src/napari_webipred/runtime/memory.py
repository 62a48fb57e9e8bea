"""An upper bound for the memory that ONNX Runtime needs to run a model, from the shapes of its tensors."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct

from napari_webipred import limits
from napari_webipred.runtime.onnx_graph import FLOAT, FLOAT16, OnnxGraph, Operation
from napari_webipred.runtime.order import as_run
from napari_webipred.runtime.shapes import Operator, Value
from napari_webipred.runtime.shapes.products import einsum_sizes
from napari_webipred.runtime.shapes.windows import FILTERS

_MICROSOFT = "com.microsoft"
_BFLOAT16 = 16

# ONNX Runtime stores the output of convolutions in blocks of 16 channels, as long as only these operators follow.
_BLOCK = 16
_CONVOLUTIONS = {"Conv", f"{_MICROSOFT}.FusedConv"}
_IN_BLOCKS = {
    *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "GlobalAveragePool", "GlobalMaxPool"),
    *("HardSigmoid", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Relu", "Resize", "Sigmoid", "Sum", "Tanh", "Upsample"),
}
# A factor for fragmentation, and for copies to blocks and back. The largest that was measured is 1.7:
# `benchmarks/limits.py`.
_FRAGMENTATION = 2
# Besides tensors: ONNX Runtime itself, its smallest allocation, and its records of each operation and tensor.
_BASE = 16 * 2**20
PER_OPERATION = 7 * 2**10
_PER_TENSOR = 1024
# Elements that a thread unfolds at a time (im2col); in a grouped convolution it is a whole group. More threads are not
# counted: with many threads, images are not unfolded.
_UNFOLDED = 16_384
_THREADS = min(os.cpu_count() or 1, 16)


class Memory(Struct, frozen=True):
    """The memory of a model, in bytes.

    Attributes
    ----------
    weights : int
        In use while the model is open.
    folds : bool
        Whether ONNX Runtime may compute constants when it opens the model (constant folding).
    run : int
        In use for one run, besides the weights.
    largest : str
        A sentence that names the operation with the largest output.
    """

    weights: int
    folds: bool
    run: int
    largest: str


def memory_of(graph: OnnxGraph, values: Mapping[str, Value]) -> Memory:
    """Compute an upper bound for the memory of a model.

    Parameters
    ----------
    graph : OnnxGraph
    values : mapping of str to Value
        From `napari_webipred.runtime.shapes.infer`.
    """
    weights = sum(stored(values[name]) for name in graph.constants)
    made = [name for each in graph.operations for name in each.outputs if name and values[name].constant]
    folded = sum(stored(values[name]) for name in made)
    folds = folded <= limits.FOLDED + weights
    kept = {*graph.constants, *(made if folds else ())}
    blocked = _in_blocks(graph, kept)
    orders = (graph.operations, as_run(graph.operations))
    run = max(_most(order, graph, values, kept, blocked) for order in orders)
    weights += PER_OPERATION * len(graph.operations)
    largest = max(graph.operations, key=lambda each: _most_made(each, values, kept), default=None)
    words = _described(largest, values) if largest else ""
    return Memory(weights + (folded if folds else 0), folds, _FRAGMENTATION * run + _BASE, words)


def _in_blocks(graph: OnnxGraph, kept: set[str]) -> set[str]:
    """Return the tensors that may be stored in blocks of channels."""
    found: set[str] = set()
    for operation in graph.operations:
        if operation.kind in _CONVOLUTIONS or (
            operation.kind in _IN_BLOCKS and found.issuperset({*operation.inputs} - kept - {""})
        ):
            found.update(operation.outputs)
    return found


def _most(
    order: list[Operation], graph: OnnxGraph, values: Mapping[str, Value], kept: set[str], blocked: set[str]
) -> int:
    """Return the peak memory of a run: a tensor is in memory from its operation to its last use."""
    needed = Counter(name for each in order for name in {*each.inputs} if name)
    needed.update(graph.outputs)
    sizes: dict[str, int] = {name: stored(values[name]) for name in graph.inputs}
    now = most = sum(sizes.values())
    for operation in order:
        for name in operation.outputs:
            if name and name not in kept:
                sizes[name] = _in_whole_blocks(values[name]) if name in blocked else stored(values[name])
                now += sizes[name]
        most = max(most, now + _workspace(operation, values))
        needed.subtract({*operation.inputs} - {""})
        for name in {*operation.inputs, *operation.outputs} & sizes.keys():
            if needed[name] <= 0:
                now -= sizes.pop(name)
    return most


def _most_made(operation: Operation, values: Mapping[str, Value], kept: set[str]) -> int:
    return max((stored(values[name]) for name in operation.outputs if name and name not in kept), default=0)


def stored(value: Value) -> int:
    """Return the bytes of a tensor; of float16 tensors there is a float32 copy for the computation."""
    copied = 4 * value.size if value.element_type in {FLOAT16, _BFLOAT16} else 0
    return value.bytes + copied + _PER_TENSOR


def _in_whole_blocks(value: Value) -> int:
    if value.element_type != FLOAT or len(value.shape) != 4:
        return stored(value)
    batch, channels, *sizes = value.shape
    return 4 * batch * math.ceil(channels / _BLOCK) * _BLOCK * math.prod(sizes) + _PER_TENSOR


def _described(operation: Operation, values: Mapping[str, Value]) -> str:
    shapes = [list(values[name].shape) for name in operation.outputs if name]
    return f"{operation.kind[:80]} makes a tensor of shape {shapes[0][:16] if shapes else []}"


def _workspace(operation: Operation, values: Mapping[str, Value]) -> int:
    """Return the bytes that an operation needs while it runs, besides its inputs and outputs."""
    workspace = WORKSPACES.get(operation.kind)
    made = [values[name] for name in operation.outputs if name]
    if workspace is None or not made:
        return 0
    given = tuple(values[name] if name else None for name in operation.inputs)
    return workspace(Operator(operation, given, 0), made)


# --- workspace of operators -------------------------------------------------------------------------------------------

Workspace = Callable[[Operator, list[Value]], int]


def _times(count: int) -> Workspace:
    """Count copies of the largest tensor."""
    return lambda operator, made: count * max(value.bytes for value in (*operator.given(), *made))


def _convolution(operator: Operator, made: list[Value]) -> int:
    """Count the unfolded windows (im2col), where ONNX Runtime uses them."""
    weight = operator.shape(1)
    places, groups = math.prod(made[0].shape[2:]), operator.whole("group", 1)
    filters, unfolded = weight[0] // max(groups, 1), math.prod(weight[1:]) * places
    if groups > 1:
        return 4 * min(_THREADS, groups) * max(unfolded, filters * places, _UNFOLDED)
    return 4 * max(unfolded if filters > places else 0, _THREADS * _UNFOLDED)


def _transposed_convolution(operator: Operator, made: list[Value]) -> int:
    return 4 * math.prod(operator.shape(1)[1:]) * math.prod(operator.shape()[2:])


def _unfolded_convolution(operator: Operator, made: list[Value]) -> int:
    """Count the unfolded windows (im2col) of all groups, and transposed copies of input and output."""
    weight = operator.shape(FILTERS[operator.operation.kind])
    unfolded = math.prod(weight[1:]) * operator.whole("group", 1) * made[0].size // max(weight[0], 1)
    return 4 * unfolded + 2 * operator.value().bytes + 8 * made[0].size


def _softmax(operator: Operator, made: list[Value]) -> int:
    """Count a transposed copy, unless the axis is the last one."""
    shape = operator.shape()
    last = operator.axis(operator.whole("axis", -1), max(len(shape), 1)) == len(shape) - 1
    return 0 if last else 2 * made[0].bytes


def _reduction(operator: Operator, made: list[Value]) -> int:
    """Count a table of indices."""
    return 8 * (made[0].size + operator.value().size // max(made[0].size, 1))


def _several(operator: Operator, made: list[Value]) -> int:
    return 2 * made[0].bytes if len(operator.values) > 2 else 0


def _resize(operator: Operator, made: list[Value]) -> int:
    """Count tables for each axis, and an image resized along one axis."""
    tables = 128 * (sum(operator.shape()) + sum(made[0].shape))
    between = 4 * max(operator.value().size, made[0].size) if operator.whole("antialias", 0) else 0
    return tables + 2 * between


def _einsum(operator: Operator, made: list[Value]) -> int:
    whole = math.prod(einsum_sizes(operator)[0].values()) if len(operator.values) > 2 else 0
    return 8 * whole + 2 * sum(value.bytes for value in (*operator.given(), *made))


def _attention(operator: Operator, made: list[Value]) -> int:
    query, key = operator.rank(3), operator.rank(3, 1 if operator.has(1) else 0)
    heads = query[1] if len(query) == 4 else operator.whole("q_num_heads", 1)
    scores = query[0] * heads * query[-2] * key[-2]
    return 8 * scores + 4 * sum(value.bytes for value in (*operator.given()[:3], *made))


def _recurrent(operator: Operator, made: list[Value]) -> int:
    first, second = operator.rank(3)[:2]
    return 16 * first * second * sum(operator.rank(3, 1)[:2]) + 4 * operator.value().bytes


WORKSPACES: dict[str, Workspace] = {
    "Conv": _convolution,
    f"{_MICROSOFT}.FusedConv": _convolution,
    "ConvTranspose": _transposed_convolution,
    **dict.fromkeys(("ConvInteger", "DeformConv", "QLinearConv"), _unfolded_convolution),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", f"{_MICROSOFT}.QLinearSoftmax"), _softmax),
    **{f"Reduce{kind}": _reduction for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod")},
    **{f"Reduce{kind}": _reduction for kind in ("Sum", "SumSquare")},
    **dict.fromkeys(("ArgMax", "ArgMin"), _reduction),
    **dict.fromkeys(("Max", "Min", "Mean", "Sum"), _several),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Einsum": _einsum,
    "Attention": _attention,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("Where", "LRN", "TopK", "Scatter", "ScatterElements", "ScatterND", "MaxUnpool"), _times(2)),
    **{f"{_MICROSOFT}.{kind}": _times(4) for kind in ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QGemm")},
    **{f"{_MICROSOFT}.QLinear{kind}": _times(4) for kind in ("Add", "Mul", "Concat", "AveragePool")},
    **dict.fromkeys(("QLinearMatMul", "MatMulInteger", "AffineGrid", "OneHot", "Col2Im"), _times(4)),
    # ONNX Runtime may replace these by several simpler operations.
    **dict.fromkeys(("CenterCropPad", "Celu", "GroupNormalization", "Gelu", "HardSwish", "Mish"), _times(4)),
    **dict.fromkeys(("MeanVarianceNormalization", "RMSNormalization", "RotaryEmbedding", "Swish"), _times(4)),
}
