"""Operators of TensorFlow and Keras 3 that Keras saves as layers, and scaled sums."""

from __future__ import annotations

from typing import Any

from napari_webipred.runtime.connections import Row, constant_of, is_number
from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import ACTIVATIONS, ALL_NUMBERS, stored_axis
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.merge import combine
from napari_webipred.runtime.layers.registry import layer

# Binary operators: TensorFlow's names, then those of Keras 3 that are not also layers.
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
# Unary operators: an ONNX operation, or an activation.
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
# Unary operators with a slope: an ONNX operation, the Keras argument for its alpha, and the default of that.
_SLOPED = {
    "nn.leaky_relu": ("LeakyRelu", "alpha", 0.2),
    "LeakyRelu": ("LeakyRelu", "negative_slope", 0.2),
    "Elu": ("Elu", "alpha", 1.0),
    "Celu": ("Celu", "alpha", 1.0),
}
# Unary operators with a lower and an upper bound.
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
# Names of the second operand, if it is a named argument.
_SECOND = ("y", "x2", "bias")
# Settings of the other operators, with the values that are supported.
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_SETTINGS: dict[str, dict[str, tuple[Any, ...]]] = {
    "cast": {"dtype": _FLOATS},
    "Cast": {"dtype": _FLOATS},
    "nn.gelu": {"approximate": (False, True)},
    "Gelu": {"approximate": (False, True)},
    "nn.silu": {"beta": (1,)},
    "Squareplus": {"b": (4,)},
}
# What every call or layer may have, and what is looked at elsewhere.
_COMMON = {"name", "trainable", "function", "data_format", *_SECOND}
_FUNCTIONS = (*_BINARY, *_UNARY, *_SLOPED, *_BOUNDED, *_REDUCTIONS, *_NORMALISED)


@layer(*(name for name in _FUNCTIONS if name[0].isupper()), inputs=None, numbers=True)
@layer("TFOpLambda", inputs=None, numbers=True, function=tuple(name for name in _FUNCTIONS if not name[0].isupper()))
def operator(context: LayerContext, *operands: Tensor | float | Row) -> Tensor:
    """Apply an operator of TensorFlow or Keras 3, element by element or along axes."""
    name = context.option("function") if context.layer.class_name == "TFOpLambda" else context.layer.class_name
    inputs = [*operands, *_second_operand(context)]
    if context.arguments.get("data_format") not in (None, "NHWC"):
        raise context.refuse(f"has the unsupported data_format {context.arguments['data_format']!r:.80}")
    _check_settings(context, name)
    if name in _BINARY and len(inputs) == 2:
        return combine(context, _BINARY[name], inputs)
    x = inputs[0]
    if name in _BINARY or len(inputs) > 1 or not isinstance(x, Tensor):
        raise context.refuse(f"has an unsupported number or type of inputs ({len(inputs)})")
    if name in _REDUCTIONS:
        return _reduce(context, x, _REDUCTIONS[name])
    if name in _NORMALISED:
        return _normalise(context, x, _NORMALISED[name])
    if name in _SLOPED:
        op, key, default = _SLOPED[name]
        return context.like(x, context.node(op, x.name, alpha=_number(context, key, default)))
    if name in _BOUNDED:
        low, high = (_number(context, key, None) for key in _BOUNDED[name])
        return context.like(x, context.node("Clip", x.name, context.constant(low), context.constant(high)))
    if name not in _UNARY:
        raise context.wrong("function")
    return _unary(context, x, _UNARY[name])


def _check_settings(context: LayerContext, name: str) -> None:
    """Refuse every setting that is not used, because it would change the numbers."""
    known = _SETTINGS.get(name, {})
    used = {"axis", "keepdims"} if name in _REDUCTIONS else {"axis"} if name in _NORMALISED else set()
    used.update((_SLOPED[name][1],) if name in _SLOPED else _BOUNDED.get(name, ()))
    options = {**context.layer.config}
    if "dtype" not in known or context.layer.class_name == "TFOpLambda":
        options.pop("dtype", None)  # with which the layer computes
    for key, value in {**options, **context.arguments}.items():
        if value is not None and key not in used and key not in _COMMON and value not in known.get(key, ()):
            raise context.refuse(f"has the unsupported setting {key:.80}={value!r:.80}")


def _second_operand(context: LayerContext) -> list[Tensor | float | Row]:
    """Return the second operand if it is called by a name, else nothing."""
    second = next((context.arguments[key] for key in _SECOND if context.arguments.get(key) is not None), None)
    if second is None or isinstance(second, Tensor):
        return [] if second is None else [second]
    if (constant := constant_of(second)) is None:
        raise context.refuse(f"needs a number or a tensor as second input, not {second!r:.80}")
    return [constant]


def _unary(context: LayerContext, x: Tensor, function: str) -> Tensor:
    if function == "square":
        return context.like(x, context.node("Mul", x.name, x.name))
    if function == "rsqrt":
        return context.like(x, context.node("Reciprocal", context.node("Sqrt", x.name)))
    if function == "gelu" and _setting(context, "approximate", default=False):
        function = "gelu_new"
    return context.like(
        x, ACTIVATIONS[function](context, x.name) if function in ACTIVATIONS else context.node(function, x.name)
    )


def _reduce(context: LayerContext, x: Tensor, op: str) -> Tensor:
    x = context.graph.plain(x)
    value = _setting(context, "axis", default=None)
    values = [value] if is_integer(value) else value
    if not isinstance(values, list) or not values or not all(map(is_integer, values)):
        raise context.refuse(f"has the unsupported axis {value!r:.80}")
    axes = sorted({context.axis(x, int(axis)) for axis in values})
    keepdims = bool(_setting(context, "keepdims", default=False))
    onnx_axes = [axis + 1 for axis in axes]
    if op == "ReduceSum":  # the only one that takes its axes as a tensor
        name = context.node(op, x.name, context.integers(*onnx_axes), keepdims=int(keepdims))
    else:
        name = context.node(op, x.name, axes=onnx_axes, keepdims=int(keepdims))
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keepdims or axis not in axes]
    return Tensor(name, tuple(sizes))


def _normalise(context: LayerContext, x: Tensor, op: str) -> Tensor:
    if context.layer.config.get("axis", -1) is None:
        raise context.refuse(ALL_NUMBERS)
    axis = _setting(context, "axis", default=-1)
    axis = -1 if axis is None else axis
    if not is_integer(axis):
        raise context.refuse(f"has the unsupported axis {axis!r:.80}")
    return context.like(x, context.node(op, x.name, axis=stored_axis(x, context.axis(x, int(axis)))))


def _number(context: LayerContext, name: str, default: float | None) -> float:
    value = _setting(context, name, default=default)
    if not is_number(value):
        raise context.refuse(f"needs a number as {name}, not {value!r:.80}")
    return float(value)


def _setting(context: LayerContext, name: str, *, default: Any) -> Any:
    """Return an option: an argument of the call in TensorFlow, part of the config in Keras 3."""
    return context.arguments.get(name, context.option(name, default))


@layer("LayerScale")
def layer_scale(context: LayerContext, x: Tensor) -> Tensor:
    """Multiply each channel by a weight."""
    x = context.graph.plain(x)
    gamma = context.weight("gamma", (context.known(x, -1),))
    return context.like(x, context.node("Mul", x.name, gamma))


@layer("Lambda", inputs=None)
def known_lambda(context: LayerContext, *tensors: Tensor) -> Tensor:
    """Compute one of the two Lambda layers of keras.applications that `registry.is_known_lambda` recognises."""
    if context.layer.name.endswith("_2_reduce"):
        # ResNeXt: a grouped convolution is written as a sum over the input channels of each group.
        x = context.graph.plain(tensors[0])
        if len(tensors) != 1 or len(x.shape) != 5:
            raise context.refuse("is unknown, and code inside a model is never run")
        name = context.node("ReduceSum", x.name, context.integers(4), keepdims=0)
        return Tensor(name, (*x.shape[:3], x.shape[4]))
    if len(tensors) != 2:
        raise context.refuse("is unknown, and code inside a model is never run")
    first, second = tensors
    scale = context.option("arguments")["scale"]
    scaled = context.node("Mul", second.name, context.constant(float(scale)))
    return combine(context, "Add", [first, context.like(second, scaled)])


@layer("CustomScaleLayer", inputs=2)
def scaled_sum(context: LayerContext, first: Tensor, second: Tensor) -> Tensor:
    """Return first + scale * second."""
    scaled = context.node("Mul", second.name, context.constant(context.number("scale", 1.0)))
    return combine(context, "Add", [first, context.like(second, scaled)])
