"""Activations, as layers and as options of other layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_webipred.runtime.connections import class_of, is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.registry import KINDS, layer

ALL_NUMBERS = "has axis=None: it computes with all numbers of all images together, which is unsupported"


def activation(context: LayerContext, x: Tensor, option: str = "activation") -> Tensor:
    """Apply the activation in an option of the layer; absent and null mean none.

    Keras writes it as a string, as ``{"class_name": "function", "config": "relu6"}``, or as a whole layer.
    """
    value = context.option(option, "linear")
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return _activation_layer(context, value, x)
    name = value if isinstance(value, str) else ""  # with a package, it is a function of somebody else
    if name.removesuffix("_v2") in {"softmax", "log_softmax"}:  # as TensorFlow calls them in older files
        return _softmax(context, x, -1, "LogSoftmax" if name.startswith("log") else "Softmax")
    if name not in ACTIVATIONS:
        raise context.refuse(f"has the unsupported activation {value!r:.80}")
    return context.like(x, ACTIVATIONS[name](context, x.name))


def _activation_layer(context: LayerContext, value: dict[str, Any], x: Tensor) -> Tensor:
    kind = KINDS.get(class_of(value, str(value.get("class_name"))))
    if kind is None or kind.build.__module__ != __name__:
        raise context.refuse(f"has the unsupported activation {value.get('class_name')!r:.80}")
    inner = type(context.layer)(context.layer.name, context.layer.class_name, context.layer.scope, value["config"])
    return kind.build(LayerContext(context.graph, inner, context.keras, {}), x)


def relu6(context: LayerContext, x: str) -> str:
    """Clip to 0 ... 6."""
    return context.node("Clip", x, context.constant(0), context.constant(6))


def swish(context: LayerContext, x: str) -> str:
    """Return x * sigmoid(x)."""
    return context.node("Mul", x, context.node("Sigmoid", x))


def mish(context: LayerContext, x: str) -> str:
    """Return x * tanh(softplus(x))."""
    return context.node("Mul", x, context.node("Tanh", context.node("Softplus", x)))


def gelu(context: LayerContext, x: str) -> str:
    """Return x / 2 * (1 + erf(x / sqrt 2)), the exact form, which is the default of Keras.

    Written with a division, because ONNX Runtime makes one operation of it only then.
    """
    erf = context.node("Erf", context.node("Div", x, context.constant(math.sqrt(2))))
    half = context.node("Mul", x, context.constant(0.5))
    return context.node("Mul", half, context.node("Add", erf, context.constant(1)))


def gelu_new(context: LayerContext, x: str) -> str:
    """Return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""
    cube = context.node("Mul", context.node("Mul", x, x), x)
    inner = context.node("Add", x, context.node("Mul", cube, context.constant(0.044715)))
    tanh = context.node("Tanh", context.node("Mul", inner, context.constant(math.sqrt(2 / math.pi))))
    half = context.node("Mul", x, context.constant(0.5))
    return context.node("Mul", half, context.node("Add", tanh, context.constant(1)))


def hard_sigmoid(context: LayerContext, x: str) -> str:
    """Return clip(x / 5 + 1/2, 0, 1), or with Keras 3 clip(x / 6 + 1/2, 0, 1)."""
    return context.node("HardSigmoid", x, alpha=1 / 6 if context.keras >= 3 else 0.2, beta=0.5)


def hard_tanh(context: LayerContext, x: str) -> str:
    """Clip to -1 ... 1."""
    return context.node("Clip", x, context.constant(-1), context.constant(1))


def log_sigmoid(context: LayerContext, x: str) -> str:
    """Return log(sigmoid(x)) as -softplus(-x), which does not underflow."""
    return context.node("Neg", context.node("Softplus", context.node("Neg", x)))


def tanh_shrink(context: LayerContext, x: str) -> str:
    """Return x - tanh(x)."""
    return context.node("Sub", x, context.node("Tanh", x))


def squareplus(context: LayerContext, x: str) -> str:
    """Return (x + sqrt(x^2 + 4)) / 2."""
    root = context.node("Sqrt", context.node("Add", context.node("Mul", x, x), context.constant(4)))
    return context.node("Mul", context.node("Add", x, root), context.constant(0.5))


def sparse_plus(context: LayerContext, x: str) -> str:
    """Return 0 below -1, (x + 1)^2 / 4 from there to 1, and x above."""
    middle = context.node("Add", hard_tanh(context, x), context.constant(1))
    above = context.node("Relu", context.node("Sub", x, context.constant(1)))
    return context.node("Add", context.node("Mul", context.node("Mul", middle, middle), context.constant(0.25)), above)


def leaky_relu(context: LayerContext, x: str) -> str:
    """Return x, or x / 5 where x is below zero."""
    return context.node("LeakyRelu", x, alpha=0.2)


def _operation(op: str, **attributes: float) -> Callable[[LayerContext, str], str]:
    return lambda context, x: context.node(op, x, **attributes)


ACTIVATIONS: dict[str, Callable[[LayerContext, str], str]] = {
    "linear": lambda _, x: x,
    "relu": _operation("Relu"),
    "sigmoid": _operation("Sigmoid"),
    "tanh": _operation("Tanh"),
    "elu": _operation("Elu"),
    "selu": _operation("Selu"),
    "softplus": _operation("Softplus"),
    "softsign": _operation("Softsign"),
    "exponential": _operation("Exp"),
    "relu6": relu6,
    "swish": swish,
    "silu": swish,
    "mish": mish,
    "gelu": gelu,
    "gelu_new": gelu_new,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": _operation("HardSwish"),
    "hard_swish": _operation("HardSwish"),
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "celu": _operation("Celu"),
    "log_sigmoid": log_sigmoid,
    "tanh_shrink": tanh_shrink,
    "squareplus": squareplus,
    "hard_shrink": _operation("Shrink", lambd=0.5, bias=0.0),
    "soft_shrink": _operation("Shrink", lambd=0.5, bias=0.5),
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": _operation("HardSigmoid", alpha=0.5, beta=0.5),
}


@layer("Activation")
def activation_layer(context: LayerContext, x: Tensor) -> Tensor:
    """Apply an activation by name."""
    return activation(context, x)


@layer("ReLU")
def relu(context: LayerContext, x: Tensor) -> Tensor:
    """Return ``max_value`` above it, x above ``threshold``, else ``negative_slope * (x - threshold)``."""
    highest = context.option("max_value")
    if highest is not None and (not is_number(highest) or highest < 0):
        raise context.wrong("max_value")
    slope, threshold = context.number("negative_slope", 0.0), context.number("threshold", 0.0)
    if threshold:
        limit = context.constant(threshold)
        below = context.node("Mul", context.node("Sub", x.name, limit), context.constant(slope))
        name = context.node("Where", context.node("GreaterOrEqual", x.name, limit), x.name, below)
    elif slope:
        name = context.node("LeakyRelu", x.name, alpha=slope)
    elif highest is not None:
        return context.like(x, context.node("Clip", x.name, context.constant(0), context.constant(highest)))
    else:
        return context.like(x, context.node("Relu", x.name))
    if highest is not None:
        name = context.node("Min", name, context.constant(highest))
    return context.like(x, name)


@layer("LeakyReLU")
def leaky_relu_layer(context: LayerContext, x: Tensor) -> Tensor:
    """Return x, or slope * x where x is below zero: ``alpha`` in Keras 2, ``negative_slope`` in Keras 3."""
    slope = context.number("negative_slope", context.number("alpha", 0.3))
    return context.like(x, context.node("LeakyRelu", x.name, alpha=slope))


@layer("ELU")
def elu(context: LayerContext, x: Tensor) -> Tensor:
    """Return x, or alpha * (exp(x) - 1) where x is below zero."""
    return context.like(x, context.node("Elu", x.name, alpha=context.number("alpha", 1.0)))


@layer("ThresholdedReLU")
def thresholded_relu(context: LayerContext, x: Tensor) -> Tensor:
    """Return x above ``theta``, else 0."""
    return context.like(x, context.node("ThresholdedRelu", x.name, alpha=context.number("theta", 1.0)))


@layer("PReLU")
def prelu(context: LayerContext, x: Tensor) -> Tensor:
    """Return x, or x times a trained slope where x is below zero."""
    x = context.graph.plain(x)
    shared = context.integers_of("shared_axes", [])
    shape = [1 if axis + 1 in shared else context.known(x, axis) for axis in range(len(x.shape))]
    return context.like(x, context.node("PRelu", x.name, context.weight("alpha", shape)))


@layer("Softmax")
def softmax(context: LayerContext, x: Tensor) -> Tensor:
    """Apply softmax along an axis, by default the last one."""
    if context.keras >= 3 and context.layer.config.get("axis", -1) is None:
        raise context.refuse(ALL_NUMBERS)
    axes = context.integers_of("axis", [-1])
    if len(axes) != 1:
        raise context.refuse(f"has axis={axes}; only softmax along one axis is supported")
    return _softmax(context, x, axes[0], "Softmax")


def _softmax(context: LayerContext, x: Tensor, axis: int, op: str) -> Tensor:
    return context.like(x, context.node(op, x.name, axis=stored_axis(x, context.axis(x, axis))))


def stored_axis(x: Tensor, index: int) -> int:
    """Return the axis of the stored tensor, with the batch axis, for an axis of ``x.shape``."""
    return int(np.array([2, 3, 1])[index]) if x.nchw else index + 1
