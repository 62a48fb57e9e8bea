"""Arithmetic that Keras records as layers: operators of TensorFlow and of Keras 3, and scaled sums."""

from __future__ import annotations

from typing import Any

from napari_webipred.runtime.connections import Row, constant_of, is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import ACTIVATIONS, stored_axis
from napari_webipred.runtime.layers.context import Build, is_integer
from napari_webipred.runtime.layers.merge import combine
from napari_webipred.runtime.layers.registry import layer

# Of two operands: TensorFlow's name, then that of Keras 3 where the latter is not a layer as well.
_BINARY = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "nn.bias_add": "Add",
    "math.subtract": "Sub",
    "math.multiply": "Mul",
    "math.truediv": "Div",
    "math.divide": "Div",
    "math.maximum": "Max",
    "math.minimum": "Min",
    "math.pow": "Pow",
    "TrueDivide": "Div",
    "Divide": "Div",
    "Power": "Pow",
}
# Of one operand: an ONNX operation, or an activation.
_UNARY = {
    "math.abs": "Abs",
    "math.negative": "Neg",
    "math.sqrt": "Sqrt",
    "math.exp": "Exp",
    "math.log": "Log",
    "math.square": "square",
    "math.sigmoid": "sigmoid",
    "math.tanh": "tanh",
    "math.softplus": "softplus",
    "math.rsqrt": "rsqrt",
    "nn.relu": "relu",
    "nn.relu6": "relu6",
    "nn.silu": "silu",
    "nn.elu": "elu",
    "nn.selu": "selu",
    "nn.gelu": "gelu",
    "cast": "linear",
    "Absolute": "Abs",
    "Negative": "Neg",
    "Sqrt": "Sqrt",
    "Exp": "Exp",
    "Log": "Log",
    "Square": "square",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Rsqrt": "rsqrt",
    "Relu": "relu",
    "Relu6": "relu6",
    "Silu": "silu",
    "Selu": "selu",
    "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "TanhShrink": "tanh_shrink",
    "Squareplus": "squareplus",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "Cast": "linear",
}
# Of one operand, with a number: an ONNX operation, and where its alpha stands, with Keras' default.
_SLOPED = {
    "nn.leaky_relu": ("LeakyRelu", "alpha", 0.2),
    "LeakyRelu": ("LeakyRelu", "negative_slope", 0.2),
    "Elu": ("Elu", "alpha", 1.0),
    "Celu": ("Celu", "alpha", 1.0),
}
# Of one operand, with a lower and an upper bound.
_BOUNDED = {"clip_by_value": ("clip_value_min", "clip_value_max"), "Clip": ("x_min", "x_max")}
_REDUCTIONS = {
    "math.reduce_mean": "ReduceMean",
    "math.reduce_max": "ReduceMax",
    "math.reduce_min": "ReduceMin",
    "math.reduce_sum": "ReduceSum",
    "Mean": "ReduceMean",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Sum": "ReduceSum",
}
_NORMALISED = {"nn.softmax": "Softmax", "nn.log_softmax": "LogSoftmax", "LogSoftmax": "LogSoftmax"}
# How the second operand is called, if it is not the second in the list.
_SECOND = ("y", "x2", "bias")
_FUNCTIONS = (*_BINARY, *_UNARY, *_SLOPED, *_BOUNDED, *_REDUCTIONS, *_NORMALISED)


@layer(*(name for name in _FUNCTIONS if name[0].isupper()), inputs=None, numbers=True)
@layer("TFOpLambda", inputs=None, numbers=True, function=tuple(name for name in _FUNCTIONS if not name[0].isupper()))
def operator(build: Build, *operands: Tensor | float | Row) -> Tensor:
    """Compute what an operator of TensorFlow or Keras 3 does, element by element or along axes."""
    name = build.option("function") if build.layer.class_name == "TFOpLambda" else build.layer.class_name
    second = next((build.arguments[key] for key in _SECOND if build.arguments.get(key) is not None), None)
    given = list(operands)
    if second is not None:
        constant = second if isinstance(second, Tensor) else constant_of(second)
        if constant is None:
            raise build.refuse(f"is called with {second!r:.80} instead of a number or a tensor")
        given.append(constant)
    if build.arguments.get("data_format") not in (None, "NHWC"):
        raise build.refuse(f"is called with data_format={build.arguments['data_format']!r:.80}")
    if name in _BINARY and len(given) == 2:
        return combine(build, _BINARY[name], given)
    x = given[0]
    if name in _BINARY or len(given) > 1 or not isinstance(x, Tensor):
        raise build.refuse(f"is called with {len(given)} operands")
    if name in _REDUCTIONS:
        return _reduce(build, x, _REDUCTIONS[name])
    if name in _NORMALISED:
        return _normalise(build, x, _NORMALISED[name])
    if name in _SLOPED:
        op, key, usual = _SLOPED[name]
        return build.like(x, build.node(op, x.name, alpha=_number(build, key, usual)))
    if name in _BOUNDED:
        low, high = (_number(build, key, None) for key in _BOUNDED[name])
        return build.like(x, build.node("Clip", x.name, build.constant(low), build.constant(high)))
    done = _UNARY.get(name)
    if done is None:
        raise build.wrong("function")
    if done == "square":
        return build.like(x, build.node("Mul", x.name, x.name))
    if done == "rsqrt":
        return build.like(x, build.node("Reciprocal", build.node("Sqrt", x.name)))
    if done == "gelu" and _setting(build, "approximate", default=False):
        done = "gelu_new"
    return build.like(x, ACTIVATIONS[done](build, x.name) if done in ACTIVATIONS else build.node(done, x.name))


def _reduce(build: Build, x: Tensor, op: str) -> Tensor:
    x = build.graph.plain(x)
    value = _setting(build, "axis", default=None)
    values = [value] if is_integer(value) else value
    if not isinstance(values, list) or not values or not all(map(is_integer, values)):
        raise build.refuse(f"works along the axes {value!r:.80}, which is not supported")
    axes = sorted({build.axis(x, int(axis)) for axis in values})
    kept = bool(_setting(build, "keepdims", default=False))
    places = [axis + 1 for axis in axes]
    if op == "ReduceSum":  # the only one that takes its axes as a tensor
        name = build.node(op, x.name, build.integers(*places), keepdims=int(kept))
    else:
        name = build.node(op, x.name, axes=places, keepdims=int(kept))
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape) if kept or axis not in axes]
    return Tensor(name, tuple(sizes))


def _normalise(build: Build, x: Tensor, op: str) -> Tensor:
    axis = _setting(build, "axis", default=-1)
    axis = -1 if axis is None else axis
    if not is_integer(axis):
        raise build.refuse(f"works along the axis {axis!r:.80}, which is not supported")
    return build.like(x, build.node(op, x.name, axis=stored_axis(x, build.axis(x, int(axis)))))


def _number(build: Build, name: str, default: float | None) -> float:
    value = _setting(build, name, default=default)
    if not is_number(value):
        raise build.refuse(f"is called with {name}={value!r:.80}, which is no number")
    return float(value)


def _setting(build: Build, name: str, *, default: Any) -> Any:
    """Return what TensorFlow has among the arguments of a call, and Keras 3 in the config."""
    return build.arguments.get(name, build.option(name, default))


@layer("LayerScale")
def layer_scale(build: Build, x: Tensor) -> Tensor:
    """Multiply each channel by a trained number."""
    x = build.graph.plain(x)
    gamma = build.weight("gamma", (build.known(x, -1),))
    return build.like(x, build.node("Mul", x.name, gamma))


@layer("Lambda", inputs=None)
def known_lambda(build: Build, *tensors: Tensor) -> Tensor:
    """Compute one of the two formulas that keras.applications had as code; `registry.is_known_lambda` tells which."""
    if build.layer.name.endswith("_2_reduce"):
        # ResNeXt: convolutions in groups as sums over the channels that go into each group.
        x = build.graph.plain(tensors[0])
        if len(tensors) != 1 or len(x.shape) != 5:
            raise build.refuse("is called in an unknown way, and code in a model is never run")
        name = build.node("ReduceSum", x.name, build.integers(4), keepdims=0)
        return Tensor(name, (*x.shape[:3], x.shape[4]))
    if len(tensors) != 2:
        raise build.refuse("is called in an unknown way, and code in a model is never run")
    first, second = tensors
    scale = build.option("arguments")["scale"]
    scaled = build.node("Mul", second.name, build.constant(float(scale)))
    return combine(build, "Add", [first, build.like(second, scaled)])


@layer("CustomScaleLayer", inputs=2)
def scaled_sum(build: Build, first: Tensor, second: Tensor) -> Tensor:
    """Return first + scale * second."""
    scaled = build.node("Mul", second.name, build.constant(build.number("scale", 1.0)))
    return combine(build, "Add", [first, build.like(second, scaled)])
