"""Activations, as layers of their own and as options of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_webipred.runtime.connections import is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import Build, is_integer
from napari_webipred.runtime.layers.registry import KINDS, layer


def activation(build: Build, x: Tensor, option: str = "activation") -> Tensor:
    """Apply the activation that an option of the layer names; absent and null mean none.

    Keras writes it as a string, as ``{"class_name": "function", "config": "relu6"}``, or as a whole layer.
    """
    value = build.option(option, "linear")
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return _activation_layer(build, value, x)
    name = value.rsplit(">", 1)[-1] if isinstance(value, str) else ""
    if name in {"softmax", "log_softmax"}:
        return _softmax(build, x, -1, "Softmax" if name == "softmax" else "LogSoftmax")
    if name not in ACTIVATIONS:
        raise build.refuse(f"has the activation {value!r:.80}, which is not supported")
    return build.like(x, ACTIVATIONS[name](build, x.name))


def _activation_layer(build: Build, value: dict[str, Any], x: Tensor) -> Tensor:
    kind = KINDS.get(str(value.get("class_name")).rsplit(">", 1)[-1])
    if kind is None or kind.build.__module__ != __name__:
        raise build.refuse(f"has the activation {value.get('class_name')!r:.80}, which is not supported")
    inner = type(build.layer)(build.layer.name, build.layer.class_name, build.layer.scope, value["config"])
    return kind.build(Build(build.graph, inner, build.keras, {}), x)


def relu6(build: Build, x: str) -> str:
    """Clip to 0 ... 6."""
    return build.node("Clip", x, build.constant(0), build.constant(6))


def swish(build: Build, x: str) -> str:
    """Return x * sigmoid(x)."""
    return build.node("Mul", x, build.node("Sigmoid", x))


def mish(build: Build, x: str) -> str:
    """Return x * tanh(softplus(x))."""
    return build.node("Mul", x, build.node("Tanh", build.node("Softplus", x)))


def gelu(build: Build, x: str) -> str:
    """Return x / 2 * (1 + erf(x / sqrt 2)), the exact form that Keras has for default."""
    erf = build.node("Erf", build.node("Mul", x, build.constant(math.sqrt(0.5))))
    half = build.node("Mul", x, build.constant(0.5))
    return build.node("Mul", half, build.node("Add", erf, build.constant(1)))


def gelu_new(build: Build, x: str) -> str:
    """Return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""
    cube = build.node("Mul", build.node("Mul", x, x), x)
    inner = build.node("Add", x, build.node("Mul", cube, build.constant(0.044715)))
    tanh = build.node("Tanh", build.node("Mul", inner, build.constant(math.sqrt(2 / math.pi))))
    half = build.node("Mul", x, build.constant(0.5))
    return build.node("Mul", half, build.node("Add", tanh, build.constant(1)))


def hard_sigmoid(build: Build, x: str) -> str:
    """Return clip(x / 5 + 1/2, 0, 1), or with Keras 3 clip(x / 6 + 1/2, 0, 1)."""
    return build.node("HardSigmoid", x, alpha=1 / 6 if build.keras >= 3 else 0.2, beta=0.5)


def hard_tanh(build: Build, x: str) -> str:
    """Clip to -1 ... 1."""
    return build.node("Clip", x, build.constant(-1), build.constant(1))


def log_sigmoid(build: Build, x: str) -> str:
    """Return log(sigmoid(x)) as -softplus(-x), which does not underflow."""
    return build.node("Neg", build.node("Softplus", build.node("Neg", x)))


def tanh_shrink(build: Build, x: str) -> str:
    """Return x - tanh(x)."""
    return build.node("Sub", x, build.node("Tanh", x))


def squareplus(build: Build, x: str) -> str:
    """Return (x + sqrt(x^2 + 4)) / 2."""
    root = build.node("Sqrt", build.node("Add", build.node("Mul", x, x), build.constant(4)))
    return build.node("Mul", build.node("Add", x, root), build.constant(0.5))


def sparse_plus(build: Build, x: str) -> str:
    """Return 0 below -1, (x + 1)^2 / 4 from there to 1, and x above."""
    middle = build.node("Add", hard_tanh(build, x), build.constant(1))
    above = build.node("Relu", build.node("Sub", x, build.constant(1)))
    return build.node("Add", build.node("Mul", build.node("Mul", middle, middle), build.constant(0.25)), above)


def leaky_relu(build: Build, x: str) -> str:
    """Return x, below zero x / 5."""
    return build.node("LeakyRelu", x, alpha=0.2)


def _operation(op: str, **attributes: float) -> Callable[[Build, str], str]:
    return lambda build, x: build.node(op, x, **attributes)


ACTIVATIONS: dict[str, Callable[[Build, str], str]] = {
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
def activation_layer(build: Build, x: Tensor) -> Tensor:
    """Apply an activation by name."""
    return activation(build, x)


@layer("ReLU")
def relu(build: Build, x: Tensor) -> Tensor:
    """Return ``max_value`` above it, x above ``threshold``, else ``negative_slope * (x - threshold)``."""
    highest = build.option("max_value")
    if highest is not None and (not is_number(highest) or highest < 0):
        raise build.wrong("max_value")
    slope, threshold = build.number("negative_slope", 0.0), build.number("threshold", 0.0)
    if threshold:
        limit = build.constant(threshold)
        below = build.node("Mul", build.node("Sub", x.name, limit), build.constant(slope))
        name = build.node("Where", build.node("GreaterOrEqual", x.name, limit), x.name, below)
    elif slope:
        name = build.node("LeakyRelu", x.name, alpha=slope)
    elif highest is not None:
        return build.like(x, build.node("Clip", x.name, build.constant(0), build.constant(highest)))
    else:
        return build.like(x, build.node("Relu", x.name))
    if highest is not None:
        name = build.node("Min", name, build.constant(highest))
    return build.like(x, name)


@layer("LeakyReLU")
def leaky_relu_layer(build: Build, x: Tensor) -> Tensor:
    """Return x, below zero x times the slope: ``alpha`` in Keras 2, ``negative_slope`` in Keras 3."""
    slope = build.number("negative_slope", build.number("alpha", 0.3))
    return build.like(x, build.node("LeakyRelu", x.name, alpha=slope))


@layer("ELU")
def elu(build: Build, x: Tensor) -> Tensor:
    """Return x, below zero alpha * (exp(x) - 1)."""
    return build.like(x, build.node("Elu", x.name, alpha=build.number("alpha", 1.0)))


@layer("ThresholdedReLU")
def thresholded_relu(build: Build, x: Tensor) -> Tensor:
    """Return x above ``theta``, else 0."""
    return build.like(x, build.node("ThresholdedRelu", x.name, alpha=build.number("theta", 1.0)))


@layer("PReLU")
def prelu(build: Build, x: Tensor) -> Tensor:
    """Return x, below zero x times a trained slope."""
    x = build.graph.plain(x)
    shared = build.integers_of("shared_axes", [])
    shape = [1 if axis + 1 in shared else build.known(x, axis) for axis in range(len(x.shape))]
    return build.like(x, build.node("PRelu", x.name, build.weight("alpha", shape)))


@layer("Softmax")
def softmax(build: Build, x: Tensor) -> Tensor:
    """Normalise the exponentials along an axis; the last by default."""
    axis = build.option("axis", -1)
    if not is_integer(axis):
        raise build.wrong("axis")
    return _softmax(build, x, int(axis), "Softmax")


def _softmax(build: Build, x: Tensor, axis: int, op: str) -> Tensor:
    place = stored_axis(x, build.axis(x, axis))
    return build.like(x, build.node(op, x.name, axis=place))


def stored_axis(x: Tensor, index: int) -> int:
    """Return where an axis of ``x.shape`` is in the stored tensor, which has the batch before it."""
    return int(np.array([2, 3, 1])[index]) if x.nchw else index + 1
