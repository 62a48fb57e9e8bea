"""Element-wise operations, reductions and matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.graph_model import BROKEN
from napari_webipred.runtime.layers.activation import ACTIVATIONS
from napari_webipred.runtime.operations.context import OPERATIONS, FlattenedBatch, OpContext, Sizes, Value, operation

Array = NDArray[np.float32]

# A constant computed from others may be as large as the largest of them, or as this.
_MAX_FOLDED = 2**16

# The NumPy function for constants, and the ONNX operation or activation for tensors.
_UNARY: dict[str, tuple[Callable[[Array], Array] | None, str]] = {
    "Abs": (np.abs, "Abs"),
    "Neg": (np.negative, "Neg"),
    "Exp": (np.exp, "Exp"),
    "Log": (np.log, "Log"),
    "Sqrt": (np.sqrt, "Sqrt"),
    "Reciprocal": (np.reciprocal, "Reciprocal"),
    "Inv": (np.reciprocal, "Reciprocal"),
    "Rsqrt": (lambda x: np.reciprocal(np.sqrt(x)), "rsqrt"),
    "Square": (np.square, "square"),
    "Erf": (None, "Erf"),
    "Erfc": (None, "erfc"),
    "Relu": (None, "relu"),
    "Relu6": (None, "relu6"),
    "Elu": (None, "elu"),
    "Selu": (None, "selu"),
    "Sigmoid": (None, "sigmoid"),
    "Tanh": (None, "tanh"),
    "Softplus": (None, "softplus"),
    "Softsign": (None, "softsign"),
}
_BINARY: dict[str, tuple[Callable[[Array, Array], Array], str]] = {
    "Add": (np.add, "Add"),
    "AddV2": (np.add, "Add"),
    "Sub": (np.subtract, "Sub"),
    "Mul": (np.multiply, "Mul"),
    "Div": (np.divide, "Div"),
    "RealDiv": (np.divide, "Div"),
    "Maximum": (np.maximum, "Max"),
    "Minimum": (np.minimum, "Min"),
    "Pow": (np.power, "Pow"),
    "SquaredDifference": (lambda x, y: np.square(x - y), "Sub"),
}
_REDUCTIONS = {"Mean": "ReduceMean", "Max": "ReduceMax", "Min": "ReduceMin", "Sum": "ReduceSum", "Prod": "ReduceProd"}
# Activations that TensorFlow fuses with a convolution or a matrix product.
FUSED_ACTIVATIONS = {"Relu": "relu", "Relu6": "relu6", "Elu": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh"}


@operation(*_UNARY)
def unary(context: OpContext) -> Value:
    """Apply a function to each element."""
    fold, function = _UNARY[context.operation.op]
    if isinstance(context.value(0), np.ndarray):
        if fold is None:
            raise context.refuse("has a constant as input, which is unsupported")
        with np.errstate(all="ignore"):
            return finite(context, fold(context.array(0)))
    x = context.tensor()
    if function == "square":
        name = context.node("Mul", x.name, x.name)
    elif function == "rsqrt":
        name = context.node("Reciprocal", context.node("Sqrt", x.name))
    elif function in ACTIVATIONS:
        return context.layer("Activation", x, activation=function)
    elif function == "erfc":
        name = context.node("Sub", context.graph.constant(1), context.node("Erf", x.name))
    else:
        name = context.node(function, x.name)
    return Tensor(name, x.shape, x.nchw)


@operation(*_BINARY, "AddN", "BiasAdd")
def binary(context: OpContext) -> Value:
    """Combine tensors and constants element by element."""
    fold, function = _BINARY.get(context.operation.op, _BINARY["Add"])
    if any(isinstance(value, tuple) for value in context.values):
        return _sizes(context)
    values = [
        value if isinstance(value, (Tensor, np.ndarray)) else context.array(i) for i, value in enumerate(context.values)
    ]
    if len(values) < 2 or (len(values) > 2 and context.operation.op != "AddN"):
        raise context.refuse(f"has {len(values)} inputs instead of two", BROKEN)
    if context.operation.op == "BiasAdd" and context.attribute("data_format", "NHWC") != "NHWC":
        values[1] = context.array(1)[:, None, None]
    if not any(isinstance(value, Tensor) for value in values):
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        with np.errstate(all="ignore"):
            return finite(context, reduce(lambda x, y: _folded(context, fold, x, y), arrays))
    made = reduce(lambda x, y: _combined(context, function, x, y), values)
    assert isinstance(made, Tensor)
    if context.operation.op == "SquaredDifference":
        return Tensor(context.node("Mul", made.name, made.name), made.shape, made.nchw)
    return made


def _sizes(context: OpContext) -> Sizes:
    """Multiply shapes; the batch size may only be multiplied by 1."""
    if context.operation.op != "Mul" or len(context.values) != 2:
        raise context.refuse("depends on the batch size, which is unsupported")
    x, y = context.sizes(0), context.sizes(1)
    if 0 in {len(x), len(y)} or (len(x) != len(y) and 1 not in {len(x), len(y)}):
        raise context.refuse(f"cannot multiply shapes of {len(x)} and {len(y)} sizes", BROKEN)
    count = max(len(x), len(y))
    pairs = zip(x * (count // len(x)), y * (count // len(y)), strict=True)
    return tuple(_times(context, *pair) for pair in pairs)


def _times(context: OpContext, a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        if {a, b} != {None, 1}:
            raise context.refuse("depends on the batch size, which is unsupported")
        return None
    return a * b


def _folded(context: OpContext, fold: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    try:
        size = np.broadcast(x, y).size
    except ValueError as error:
        raise context.refuse(
            f"cannot combine constants of shapes {list(x.shape)} and {list(y.shape)}", BROKEN
        ) from error
    if size > max(x.size, y.size, _MAX_FOLDED):
        raise context.refuse(f"computes a constant of {size} values, which is too large")
    return np.asarray(fold(x, y), np.float32)


def finite(context: OpContext, array: Array) -> Array:
    """Return a computed constant as float32; refuse NaN and infinity."""
    if not np.isfinite(array).all():
        raise context.refuse("computes a constant that is not finite", BROKEN)
    return np.asarray(array, np.float32)


def _combined(context: OpContext, op: str, x: Tensor | Array, y: Tensor | Array) -> Tensor:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        if len(x.shape) != len(y.shape):
            raise context.refuse(f"cannot combine tensors of shapes {list(x.shape)} and {list(y.shape)}")
        if x.nchw or y.nchw:
            x, y = context.graph.nchw(x), context.graph.nchw(y)
        like, names = x, (x.name, y.name)
        other: tuple[int | None, ...] = y.shape
    else:
        tensor, array = (x, y) if isinstance(x, Tensor) else (y, x)
        assert isinstance(tensor, Tensor)
        assert isinstance(array, np.ndarray)
        constant = context.constant(array, tensor, "operand")
        like, names = tensor, (tensor.name, constant) if tensor is x else (constant, tensor.name)
        other = array.shape[1:] if array.ndim > len(like.shape) else array.shape
        other = (1,) * (len(like.shape) - len(other)) + other
    shape = _broadcast(like.shape, other)
    if shape is None:
        raise context.refuse(f"cannot combine tensors of shapes {list(like.shape)} and {list(other)}", BROKEN)
    return Tensor(context.node(op, *names), shape, like.nchw)


def _broadcast(a: Sequence[int | None], b: Sequence[int | None]) -> tuple[int | None, ...] | None:
    if any(m is not None and n is not None and m != n and 1 not in {m, n} for m, n in zip(a, b, strict=True)):
        return None
    return tuple(n if m == 1 or (m is None and n != 1) else m for m, n in zip(a, b, strict=True))


@operation("LeakyRelu")
def leaky_relu(context: OpContext) -> Value:
    """Return x, or x times the slope where x is below zero."""
    return context.layer("LeakyReLU", context.tensor(), alpha=context.attribute("alpha", 0.2))


@operation("Prelu")
def prelu(context: OpContext) -> Value:
    """Return x, or x times a trained slope where x is below zero."""
    return parametric_relu(context, context.tensor(), context.array(1))


def parametric_relu(context: OpContext, x: Tensor, slope: Array) -> Tensor:
    """Return x, or x times a broadcast slope where x is below zero."""
    return Tensor(context.node("PRelu", x.name, context.constant(slope, x, "slope")), x.shape, x.nchw)


@operation("Softmax", "LogSoftmax")
def softmax(context: OpContext) -> Value:
    """Apply softmax along the last axis."""
    return context.layer("Activation", context.tensor(), activation=_snake(context.operation.op))


def _snake(name: str) -> str:
    return "log_softmax" if name == "LogSoftmax" else "softmax"


@operation(*_REDUCTIONS)
def reduction(context: OpContext) -> Value:
    """Reduce along axes: mean, sum, product, maximum or minimum."""
    keepdims = context.attribute("keep_dims", default=False)
    if isinstance(context.value(0), tuple):
        if context.operation.op != "Prod":
            raise context.refuse("depends on the batch size, which is unsupported")
        sizes = context.sizes(0)
        # A product with the batch size becomes -1: when a tensor is reshaped, it follows from the other sizes.
        return (-1 if None in sizes else math.prod(context.integers(0)),)
    x = context.tensor()
    axes = sorted({context.axis(x, axis) for axis in context.integers(1)})
    if len(x.shape) == 3 and axes == [0, 1] and context.operation.op in {"Mean", "Max"}:
        kind = "GlobalAveragePooling2D" if context.operation.op == "Mean" else "GlobalMaxPooling2D"
        return context.layer(kind, x, keepdims=keepdims)
    if not axes:
        return x
    x = context.graph.plain(x)
    op, onnx_axes = _REDUCTIONS[context.operation.op], [axis + 1 for axis in axes]
    if op == "ReduceSum":  # the only one whose axes are an input
        name = context.node(op, x.name, context.graph.constant(onnx_axes, np.int64), keepdims=int(keepdims))
    else:
        name = context.node(op, x.name, axes=onnx_axes, keepdims=int(keepdims))
    return Tensor(name, tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes))


@operation("MatMul", "_FusedMatMul", "BatchMatMulV2", "BatchMatMul")
def product(context: OpContext) -> Value:
    """Multiply by a constant matrix, and apply the fused operations."""
    given, kernel = context.value(0), context.array(1)
    x = given.tensor if isinstance(given, FlattenedBatch) else context.tensor()
    batched = context.operation.op.startswith("Batch") or isinstance(given, FlattenedBatch)
    before, transposed = (
        ("adj_x", "adj_y") if context.operation.op.startswith("Batch") else ("transpose_a", "transpose_b")
    )
    if context.attribute(before, default=False) or kernel.ndim != 2 or (not batched and len(x.shape) != 1):
        raise context.refuse(f"cannot multiply tensors of shapes {list(x.shape)} and {list(kernel.shape)}")
    if context.attribute(transposed, default=False):
        kernel = kernel.T
    options, extra = fused(context)
    weights = {"kernel": kernel, **({"bias": extra.pop("bias")} if "bias" in extra else {})}
    made = context.layer("Dense", x, weights=weights, units=kernel.shape[1], use_bias="bias" in weights)
    made = with_activation(context, made, options, extra)
    return FlattenedBatch(made) if isinstance(given, FlattenedBatch) else made


def fused(context: OpContext) -> tuple[list[str], dict[str, Array]]:
    """Return the operations that TensorFlow has fused with this one: activations, and their constants."""
    names = context.attribute("fused_ops", [])
    arrays: dict[str, Array] = {}
    left = [*names]
    if left[:1] == ["BiasAdd"]:
        arrays["bias"] = context.array(2).ravel()
        left.pop(0)
    if left == ["Prelu"]:
        arrays["slope"] = context.array(3 if "bias" in arrays else 2)
    elif left and (len(left) > 1 or left[0] not in {*FUSED_ACTIVATIONS, "LeakyRelu"}):
        raise context.refuse(f"has the unsupported fused operations {names!r:.80}")
    return left, arrays


def with_activation(context: OpContext, x: Tensor, activations: list[str], arrays: dict[str, Array]) -> Tensor:
    """Apply the activation that is fused with an operation."""
    if not activations:
        return x
    if activations == ["Prelu"]:
        return parametric_relu(context, x, arrays["slope"])
    if activations == ["LeakyRelu"]:
        return context.layer("LeakyReLU", x, alpha=context.attribute("leakyrelu_alpha", 0.2))
    return context.layer("Activation", x, activation=FUSED_ACTIVATIONS[activations[0]])


def _identity(context: OpContext) -> Any:
    return context.value(0)


# These do nothing in prediction.
for _name in ("Identity", "StopGradient", "PreventGradient", "Snapshot", "PlaceholderWithDefault", "CheckNumerics"):
    OPERATIONS[_name] = _identity
