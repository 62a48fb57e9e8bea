"""Element-wise operators: the output has the broadcast shape of the inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_webipred import limits
from napari_webipred.runtime.onnx_graph import BOOL, Constant
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Shape, Value


def broadcast(operator: Operator, *shapes: Shape) -> Shape:
    """Return the broadcast shape."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    made = []
    for sizes in zip(*padded, strict=True):
        different = set(sizes) - {1}
        if len(different) > 1:
            raise operator.refuse(f"cannot combine tensors of shapes {', '.join(str(list(s)) for s in shapes)}")
        made.append(different.pop() if different else 1)
    return tuple(made)


@rule(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh"),
    *("CumSum", "CumProd", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity"),
    *("InstanceNormalization", "GroupNormalization", "LRN", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization"),
    *("MeanVarianceNormalization", "Mish", "Neg", "Not", "PRelu", "Reciprocal", "Relu", "ReverseSequence", "Round"),
    *("RMSNormalization", "ScatterElements", "Scatter", "ScatterND", "Selu", "Shrink", "Sigmoid", "Sign", "Sin"),
    *("Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Trilu"),
    *("RotaryEmbedding", "SimplifiedLayerNormalization"),
    *(f"com.microsoft.{kind}" for kind in ("BiasGelu", "FastGelu", "Gelu", "QuickGelu")),
    *(f"com.microsoft.{kind}" for kind in ("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax")),
)
def same(operator: Operator) -> Value:
    """Return a tensor like the first input."""
    if operator.count > 1:
        raise operator.refuse(f"has {operator.count} outputs instead of one")
    return operator.like(operator.shape())


@rule(
    *("Add", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Mod", "Mul", "Pow", "Sub"),
    *("Max", "Mean", "Min", "Sum"),
)
def arithmetic(operator: Operator) -> Value:
    """Return a tensor with the dtype of the first input."""
    return operator.like(broadcast(operator, *(value.shape for value in operator.given() or [operator.value()])))


@rule("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor")
def comparison(operator: Operator) -> Value:
    """Return a boolean for each pair of elements."""
    return Value(BOOL, broadcast(operator, operator.shape(0), operator.shape(1)))


@rule("IsInf", "IsNaN")
def test(operator: Operator) -> Value:
    """Return a boolean for each element."""
    return Value(BOOL, operator.shape())


@rule("Where")
def where(operator: Operator) -> Value:
    """Return elements of one or the other input."""
    return operator.like(broadcast(operator, *map(operator.shape, range(3))), 1)


@rule("Cast")
def cast(operator: Operator) -> Value:
    """Return the input with another dtype."""
    return Value(operator.whole("to", 0), operator.shape())


@rule("CastLike")
def cast_like(operator: Operator) -> Value:
    """Return a tensor with the dtype of another tensor."""
    return Value(operator.value(1).element_type, operator.shape())


@rule("Dropout")
def dropout(operator: Operator) -> Sequence[Value]:
    """Return the input and a mask; training mode, in which results are random, is refused."""
    if operator.has(2) and ((training := operator.value(2).numbers) is None or np.any(training)):
        raise operator.refuse("is in training mode")
    return [operator.like(operator.shape()), Value(BOOL, operator.shape())]


@rule("BatchNormalization")
def batch_normalisation(operator: Operator) -> Value:
    """Return a tensor like the first input; training mode is refused."""
    if sum(map(bool, operator.operation.outputs)) > 1:
        raise operator.refuse("is in training mode")
    return operator.like(operator.shape())


@rule("LayerNormalization")
def layer_normalisation(operator: Operator) -> Sequence[Value]:
    """Return the normalised tensor, the mean and the inverse standard deviation."""
    shape = operator.shape()
    axis = operator.axis(operator.whole("axis", -1), len(shape))
    moments = Value(operator.whole("stash_type", 1), shape[:axis] + (1,) * (len(shape) - axis))
    return [operator.like(shape), moments, moments]


@rule("Constant")
def constant(operator: Operator) -> Value:
    """Return the tensor in the attribute."""
    found = operator.tensor("value")
    if found is None:
        return _plain_constant(operator)
    return described(found)


def described(constant: Constant) -> Value:
    """Return the value of a constant."""
    return Value(constant.element_type, constant.shape, constant.numbers(), constant=True)


def _plain_constant(operator: Operator) -> Value:
    for name, kind, element_type in (("int", np.int64, 7), ("float", np.float32, 1)):
        for value in (operator.attribute(f"value_{name}"), operator.attribute(f"value_{name}s")):
            if value is not None:
                numbers = np.asarray(value, kind)
                known = numbers if numbers.size <= limits.KNOWN_NUMBERS else None
                return Value(element_type, numbers.shape, known, constant=True)
    raise operator.refuse("contains no numeric value")
