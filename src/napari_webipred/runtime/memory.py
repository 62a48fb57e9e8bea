"""How much memory ONNX Runtime needs to run a network, bounded from above by the shapes of its tensors."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from napari_webipred import limits
from napari_webipred.runtime.onnx_graph import FLOAT, FLOAT16, OnnxGraph, Operation
from napari_webipred.runtime.order import as_run
from napari_webipred.runtime.shapes import Operator, Value
from napari_webipred.runtime.shapes.products import einsum_sizes
from napari_webipred.runtime.shapes.windows import FILTERS

_MICROSOFT = "com.microsoft"
_BFLOAT16 = 16

# ONNX Runtime keeps what it has convolved in blocks of so many channels, as long as only these operators follow.
_BLOCK = 16
_CONVOLUTIONS = {"Conv", f"{_MICROSOFT}.FusedConv"}
_IN_BLOCKS = {
    *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "GlobalAveragePool", "GlobalMaxPool"),
    *("HardSigmoid", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Relu", "Resize", "Sigmoid", "Sum", "Tanh", "Upsample"),
}
# What no longer fits where it was, because what lay beside it is still needed, and copies in blocks and back. The
# largest that was measured is 1.7: `benchmarks/limits.py`.
_SCATTERED = 2
# Beside the numbers: ONNX Runtime itself, what it takes from the system at least, and what it writes down of each
# operation and tensor.
_ALWAYS = 16 * 2**20
PER_OPERATION = 7 * 2**10
_PER_TENSOR = 1024
# Numbers of the part of an image that a thread unfolds at a time; of a convolution in groups it is all of a group. More
# threads are not counted: where there are many, images are not unfolded at all.
_UNFOLDED = 16_384
_THREADS = min(os.cpu_count() or 1, 16)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes.

    Attributes
    ----------
    weights : int
        What stays as long as the network is open.
    folds : bool
        Whether ONNX Runtime may compute what depends on no image once, when it opens the network.
    run : int
        What one run needs beside the weights.
    largest : str
        Which operation makes the largest tensor of a run, in words.
    """

    weights: int
    folds: bool
    run: int
    largest: str


def memory_of(graph: OnnxGraph, values: Mapping[str, Value]) -> Memory:
    """Bound the memory of a network.

    Parameters
    ----------
    graph : OnnxGraph
    values : mapping of str to Value
        What `napari_webipred.runtime.shapes.infer` has told of it.
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
    return Memory(weights + (folded if folds else 0), folds, _SCATTERED * run + _ALWAYS, words)


def _in_blocks(graph: OnnxGraph, kept: set[str]) -> set[str]:
    """Return the tensors that may be kept in blocks of channels."""
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
    """Walk through a run: tensors come when they are made and go when nothing needs them any more."""
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
    """Return the bytes of a tensor; of 16-bit numbers there is a copy with 32 bits, with which they are computed."""
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
    """Return the bytes that an operation needs while it runs, beside what it takes and makes."""
    workspace = WORKSPACES.get(operation.kind)
    made = [values[name] for name in operation.outputs if name]
    if workspace is None or not made:
        return 0
    given = tuple(values[name] if name else None for name in operation.inputs)
    return workspace(Operator(operation, given, 0), made)


# --- what operators need for themselves ------------------------------------------------------------------------------

Workspace = Callable[[Operator, list[Value]], int]


def _times(count: int) -> Workspace:
    """Count so many copies of the largest tensor."""
    return lambda operator, made: count * max(value.bytes for value in (*operator.given(), *made))


def _convolution(operator: Operator, made: list[Value]) -> int:
    """Count the windows side by side, as a matrix, where that is multiplied instead of the image."""
    weight = operator.shape(1)
    places, groups = math.prod(made[0].shape[2:]), operator.whole("group", 1)
    filters, unfolded = weight[0] // max(groups, 1), math.prod(weight[1:]) * places
    if groups > 1:
        return 4 * min(_THREADS, groups) * max(unfolded, filters * places, _UNFOLDED)
    return 4 * max(unfolded if filters > places else 0, _THREADS * _UNFOLDED)


def _transposed_convolution(operator: Operator, made: list[Value]) -> int:
    return 4 * math.prod(operator.shape(1)[1:]) * math.prod(operator.shape()[2:])


def _unfolded_convolution(operator: Operator, made: list[Value]) -> int:
    """Count the windows side by side, of all groups, and copies of image and result in another order."""
    weight = operator.shape(FILTERS[operator.operation.kind])
    unfolded = math.prod(weight[1:]) * operator.whole("group", 1) * made[0].size // max(weight[0], 1)
    return 4 * unfolded + 2 * operator.value().bytes + 8 * made[0].size


def _softmax(operator: Operator, made: list[Value]) -> int:
    """Count a copy in which the axis comes last, unless it is the last one."""
    shape = operator.shape()
    last = operator.axis(operator.whole("axis", -1), max(len(shape), 1)) == len(shape) - 1
    return 0 if last else 2 * made[0].bytes


def _reduction(operator: Operator, made: list[Value]) -> int:
    """Count a table of places."""
    return 8 * (made[0].size + operator.value().size // max(made[0].size, 1))


def _several(operator: Operator, made: list[Value]) -> int:
    return 2 * made[0].bytes if len(operator.values) > 2 else 0


def _resize(operator: Operator, made: list[Value]) -> int:
    """Count tables for each axis, and an image of which only one axis is resized yet."""
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
    # ONNX Runtime may put several simpler operations in the place of these.
    **dict.fromkeys(("CenterCropPad", "Celu", "GroupNormalization", "Gelu", "HardSwish", "Mish"), _times(4)),
    **dict.fromkeys(("MeanVarianceNormalization", "RMSNormalization", "RotaryEmbedding", "Swish"), _times(4)),
}
