"""Operators on quantised tensors."""

from __future__ import annotations

from collections.abc import Sequence

from napari_webipred.runtime.onnx_graph import FLOAT
from napari_webipred.runtime.shapes.elementwise import broadcast
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Value

_MICROSOFT = "com.microsoft"
_UINT8 = 2


@rule("QuantizeLinear", f"{_MICROSOFT}.QuantizeLinear")
def quantise(operator: Operator) -> Value:
    """Return a tensor with the dtype of the zero point."""
    element_type = operator.value(2).element_type if operator.has(2) else operator.whole("output_dtype", 0) or _UINT8
    return Value(element_type, operator.shape())


@rule("DequantizeLinear", f"{_MICROSOFT}.DequantizeLinear")
def dequantise(operator: Operator) -> Value:
    """Return a tensor with the dtype of the scale."""
    return Value(operator.whole("output_dtype", 0) or operator.value(1).element_type, operator.shape())


@rule("DynamicQuantizeLinear")
def quantise_dynamically(operator: Operator) -> Sequence[Value]:
    """Return uint8 values, their scale and their zero point."""
    return [Value(_UINT8, operator.shape()), Value(FLOAT, ()), Value(_UINT8, ())]


@rule(f"{_MICROSOFT}.QLinearAdd", f"{_MICROSOFT}.QLinearMul")
def arithmetic(operator: Operator) -> Value:
    """Return a tensor with the broadcast shape of the inputs."""
    return operator.like(broadcast(operator, operator.shape(0), operator.shape(3)))


@rule(f"{_MICROSOFT}.QLinearConcat")
def concat(operator: Operator) -> Value:
    """Return the concatenation of the inputs, each of which has a scale and a zero point."""
    shapes = [operator.shape(index) for index in range(2, len(operator.values), 3)]
    if not shapes:
        raise operator.refuse("has no tensors to concatenate")
    axis = operator.axis(operator.whole("axis", 0), len(shapes[0]))
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1:
        raise operator.refuse(f"cannot concatenate tensors of shapes {', '.join(str(list(s)) for s in shapes[:5])}")
    return operator.like((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]), 2)
