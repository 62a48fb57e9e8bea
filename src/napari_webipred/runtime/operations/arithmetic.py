"""Operations that work element by element, along axes, or multiply matrices."""

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
from napari_webipred.runtime.operations.context import OPERATIONS, Rows, Sizes, Step, Value, operation

Array = NDArray[np.float32]

# A constant that is computed of others may not be larger than the largest of them, or this.
_MAX_FOLDED = 2**16

# What to do with constants, and the ONNX operation or the activation for tensors.
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
# What TensorFlow joins to a convolution or a product of matrices.
FUSED_ACTIVATIONS = {"Relu": "relu", "Relu6": "relu6", "Elu": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh"}


@operation(*_UNARY)
def unary(step: Step) -> Value:
    """Compute a function of each element."""
    fold, done = _UNARY[step.operation.op]
    if isinstance(step.value(0), np.ndarray):
        if fold is None:
            raise step.refuse("is given a constant")
        with np.errstate(all="ignore"):
            return finite(step, fold(step.array(0)))
    x = step.tensor()
    if done == "square":
        name = step.node("Mul", x.name, x.name)
    elif done == "rsqrt":
        name = step.node("Reciprocal", step.node("Sqrt", x.name))
    elif done in ACTIVATIONS:
        return step.layer("Activation", x, activation=done)
    elif done == "erfc":
        name = step.node("Sub", step.graph.constant(1), step.node("Erf", x.name))
    else:
        name = step.node(done, x.name)
    return Tensor(name, x.shape, x.nchw)


@operation(*_BINARY, "AddN", "BiasAdd")
def binary(step: Step) -> Value:
    """Combine tensors and constants element by element."""
    fold, done = _BINARY.get(step.operation.op, _BINARY["Add"])
    if any(isinstance(value, tuple) for value in step.values):
        return _sizes(step)
    values = [
        value if isinstance(value, (Tensor, np.ndarray)) else step.array(i) for i, value in enumerate(step.values)
    ]
    if len(values) < 2 or (len(values) > 2 and step.operation.op != "AddN"):
        raise step.refuse(f"has {len(values)} inputs", BROKEN)
    if step.operation.op == "BiasAdd" and step.attribute("data_format", "NHWC") != "NHWC":
        values[1] = step.array(1)[:, None, None]
    if not any(isinstance(value, Tensor) for value in values):
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        with np.errstate(all="ignore"):
            return finite(step, reduce(lambda x, y: _folded(step, fold, x, y), arrays))
    made = reduce(lambda x, y: _combined(step, done, x, y), values)
    assert isinstance(made, Tensor)
    if step.operation.op == "SquaredDifference":
        return Tensor(step.node("Mul", made.name, made.name), made.shape, made.nchw)
    return made


def _sizes(step: Step) -> Sizes:
    """Multiply sizes; the number of pictures may only be multiplied by 1."""
    if step.operation.op != "Mul" or len(step.values) != 2:
        raise step.refuse("computes with the number of pictures, which is not supported")
    x, y = step.sizes(0), step.sizes(1)
    if 0 in {len(x), len(y)} or (len(x) != len(y) and 1 not in {len(x), len(y)}):
        raise step.refuse(f"multiplies {len(x)} sizes by {len(y)}", BROKEN)
    count = max(len(x), len(y))
    pairs = zip(x * (count // len(x)), y * (count // len(y)), strict=True)
    return tuple(_times(step, *pair) for pair in pairs)


def _times(step: Step, a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        if {a, b} != {None, 1}:
            raise step.refuse("computes with the number of pictures, which is not supported")
        return None
    return a * b


def _folded(step: Step, fold: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    try:
        size = np.broadcast(x, y).size
    except ValueError as error:
        raise step.refuse(f"combines constants of shapes {list(x.shape)} and {list(y.shape)}", BROKEN) from error
    if size > max(x.size, y.size, _MAX_FOLDED):
        raise step.refuse(f"makes a constant of {size} numbers of smaller ones")
    return np.asarray(fold(x, y), np.float32)


def finite(step: Step, array: Array) -> Array:
    """Return a computed constant as float32, or refuse one that is no longer a number."""
    if not np.isfinite(array).all():
        raise step.refuse("gives a constant that is not finite", BROKEN)
    return np.asarray(array, np.float32)


def _combined(step: Step, op: str, x: Tensor | Array, y: Tensor | Array) -> Tensor:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        if len(x.shape) != len(y.shape):
            raise step.refuse(f"combines tensors of shapes {list(x.shape)} and {list(y.shape)}")
        if x.nchw or y.nchw:
            x, y = step.graph.nchw(x), step.graph.nchw(y)
        like, names = x, (x.name, y.name)
        other: tuple[int | None, ...] = y.shape
    else:
        tensor, array = (x, y) if isinstance(x, Tensor) else (y, x)
        assert isinstance(tensor, Tensor)
        assert isinstance(array, np.ndarray)
        constant = step.constant(array, tensor, "operand")
        like, names = tensor, (tensor.name, constant) if tensor is x else (constant, tensor.name)
        other = array.shape[1:] if array.ndim > len(like.shape) else array.shape
        other = (1,) * (len(like.shape) - len(other)) + other
    shape = _broadcast(like.shape, other)
    if shape is None:
        raise step.refuse(f"combines tensors of shapes {list(like.shape)} and {list(other)}", BROKEN)
    return Tensor(step.node(op, *names), shape, like.nchw)


def _broadcast(a: Sequence[int | None], b: Sequence[int | None]) -> tuple[int | None, ...] | None:
    if any(m is not None and n is not None and m != n and 1 not in {m, n} for m, n in zip(a, b, strict=True)):
        return None
    return tuple(n if m == 1 or (m is None and n != 1) else m for m, n in zip(a, b, strict=True))


@operation("LeakyRelu")
def leaky_relu(step: Step) -> Value:
    """Return x, below zero x times the slope."""
    return step.layer("LeakyReLU", step.tensor(), alpha=step.attribute("alpha", 0.2))


@operation("Prelu")
def prelu(step: Step) -> Value:
    """Return x, below zero x times a trained slope."""
    return sloped(step, step.tensor(), step.array(1))


def sloped(step: Step, x: Tensor, slope: Array) -> Tensor:
    """Return x, below zero x times a slope that is broadcast."""
    return Tensor(step.node("PRelu", x.name, step.constant(slope, x, "slope")), x.shape, x.nchw)


@operation("Softmax", "LogSoftmax")
def softmax(step: Step) -> Value:
    """Normalise the exponentials along the last axis."""
    return step.layer("Activation", step.tensor(), activation=_snake(step.operation.op))


def _snake(name: str) -> str:
    return "log_softmax" if name == "LogSoftmax" else "softmax"


@operation(*_REDUCTIONS)
def reduction(step: Step) -> Value:
    """Take the mean, sum, product or an extreme along axes."""
    kept = step.attribute("keep_dims", default=False)
    if isinstance(step.value(0), tuple):
        if step.operation.op != "Prod":
            raise step.refuse("computes with the number of pictures, which is not supported")
        sizes = step.sizes(0)
        # What depends on the number of pictures has to follow from the rest when a tensor is reshaped.
        return (-1 if None in sizes else math.prod(step.integers(0)),)
    x = step.tensor()
    axes = sorted({step.axis(x, axis) for axis in step.integers(1)})
    if len(x.shape) == 3 and axes == [0, 1] and step.operation.op in {"Mean", "Max"}:
        kind = "GlobalAveragePooling2D" if step.operation.op == "Mean" else "GlobalMaxPooling2D"
        return step.layer(kind, x, keepdims=kept)
    if not axes:
        return x
    x = step.graph.plain(x)
    op, places = _REDUCTIONS[step.operation.op], [axis + 1 for axis in axes]
    if op == "ReduceSum":  # alone of these it takes the axes as an input
        name = step.node(op, x.name, step.graph.constant(places, np.int64), keepdims=int(kept))
    else:
        name = step.node(op, x.name, axes=places, keepdims=int(kept))
    return Tensor(name, tuple(1 if i in axes else n for i, n in enumerate(x.shape) if kept or i not in axes))


@operation("MatMul", "_FusedMatMul", "BatchMatMulV2", "BatchMatMul")
def product(step: Step) -> Value:
    """Multiply by a constant matrix, and do what was joined to that."""
    given, kernel = step.value(0), step.array(1)
    x = given.tensor if isinstance(given, Rows) else step.tensor()
    batched = step.operation.op.startswith("Batch") or isinstance(given, Rows)
    before, turned = ("adj_x", "adj_y") if step.operation.op.startswith("Batch") else ("transpose_a", "transpose_b")
    if step.attribute(before, default=False) or kernel.ndim != 2 or (not batched and len(x.shape) != 1):
        raise step.refuse(f"multiplies tensors of shapes {list(x.shape)} and {list(kernel.shape)}")
    if step.attribute(turned, default=False):
        kernel = kernel.T
    options, extra = fused(step)
    weights = {"kernel": kernel, **({"bias": extra.pop("bias")} if "bias" in extra else {})}
    made = step.layer("Dense", x, weights=weights, units=kernel.shape[1], use_bias="bias" in weights)
    made = finished(step, made, options, extra)
    return Rows(made) if isinstance(given, Rows) else made


def fused(step: Step) -> tuple[list[str], dict[str, Array]]:
    """Return what TensorFlow has joined to an operation: names of activations, and the constants for that."""
    names = step.attribute("fused_ops", [])
    arrays: dict[str, Array] = {}
    left = [*names]
    if left[:1] == ["BiasAdd"]:
        arrays["bias"] = step.array(2).ravel()
        left.pop(0)
    if left == ["Prelu"]:
        arrays["slope"] = step.array(3 if "bias" in arrays else 2)
    elif left and (len(left) > 1 or left[0] not in {*FUSED_ACTIVATIONS, "LeakyRelu"}):
        raise step.refuse(f"has {names!r:.80} joined to it")
    return left, arrays


def finished(step: Step, x: Tensor, activations: list[str], arrays: dict[str, Array]) -> Tensor:
    """Apply the activation that was joined to an operation."""
    if not activations:
        return x
    if activations == ["Prelu"]:
        return sloped(step, x, arrays["slope"])
    if activations == ["LeakyRelu"]:
        return step.layer("LeakyReLU", x, alpha=step.attribute("leakyrelu_alpha", 0.2))
    return step.layer("Activation", x, activation=FUSED_ACTIVATIONS[activations[0]])


def _as_before(step: Step) -> Any:
    return step.value(0)


# In a prediction these do nothing.
for _name in ("Identity", "StopGradient", "PreventGradient", "Snapshot", "PlaceholderWithDefault", "CheckNumerics"):
    OPERATIONS[_name] = _as_before
