"""Reductions along axes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_webipred.runtime.onnx_graph import INT64
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Shape, Value


def reduced(shape: Shape, axes: Sequence[int], keep: bool) -> Shape:
    """Return a shape in which these axes have size 1 or are removed."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)


@rule(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
    *("ReduceSum", "ReduceSumSquare"),
)
def reduction(operator: Operator) -> Value:
    """Return a tensor with one value for all elements along the axes."""
    shape = operator.shape()
    axes = operator.axes("axes", 1, len(shape))
    if not axes:
        axes = [] if operator.whole("noop_with_empty_axes", 0) else list(range(len(shape)))
    return operator.like(reduced(shape, axes, bool(operator.whole("keepdims", 1))))


@rule("ArgMax", "ArgMin")
def extreme(operator: Operator) -> Value:
    """Return the index of the extreme along an axis."""
    shape = operator.shape()
    axis = operator.axis(operator.whole("axis", 0), len(shape))
    return Value(INT64, reduced(shape, [axis], bool(operator.whole("keepdims", 1))))


@rule("TopK")
def top_k(operator: Operator) -> Sequence[Value]:
    """Return the largest values along an axis and their indices."""
    shape = operator.shape()
    axis = operator.axis(operator.whole("axis", -1), len(shape))
    count = operator.integers(1)[0] if operator.has(1) else operator.whole("k", 0)
    if not 0 <= count <= shape[axis]:
        raise operator.refuse(f"cannot select {count} of {shape[axis]} values")
    made = (*shape[:axis], count, *shape[axis + 1 :])
    return [operator.like(made), Value(INT64, made)]
