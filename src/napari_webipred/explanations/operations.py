"""The operations that heads of networks are made of, in float64: what each gives, and products with its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_webipred.explanations import windows
from napari_webipred.explanations.windows import Window, window_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

Attributes: TypeAlias = Mapping[str, Any]
# From the attributes and inputs to the output.
Forward: TypeAlias = "Callable[[Attributes, Sequence[Array]], Array]"
# From these, the output and weights g of the output, shape (n, *output shape without the batch axis), to those of the
# first input. The inputs are of one image.
Back: TypeAlias = "Callable[[Attributes, Sequence[Array], Array, Array], Array]"


class UnknownOperationError(Exception):
    """A head holds an operation that is not among `OPERATIONS`, or in a form that they do not have."""


def _shaped(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    return g.reshape(len(g), *inputs[0].shape[1:])


def _reshape(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    x, wanted = inputs[0], [int(size) for size in inputs[1]]
    sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    shaped = x.reshape(sizes)
    if shaped.shape[0] != 1:  # a batch of one image stays one
        raise UnknownOperationError("Reshape")
    return shaped


def _flatten(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    axis = attributes.get("axis", 1)
    if axis != 1:
        raise UnknownOperationError("Flatten")
    return inputs[0].reshape(1, -1)


def _without_ones(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    axes = _axes(attributes, inputs, inputs[0].ndim)
    return np.squeeze(
        inputs[0], tuple(axes) if axes else tuple(i for i, n in enumerate(inputs[0].shape) if i and n == 1)
    )


def _with_ones(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    return np.expand_dims(inputs[0], tuple(_axes(attributes, inputs, None)))


def _transpose(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    order = attributes["perm"]
    if order[0] != 0:
        raise UnknownOperationError("Transpose")
    return inputs[0].transpose(order)


def _transpose_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    return g.transpose(np.argsort(attributes["perm"]))


def _axes(attributes: Attributes, inputs: Sequence[Array], rank: int | None) -> list[int]:
    given = attributes.get("axes", inputs[1] if len(inputs) > 1 else [])
    axes = [int(axis) for axis in np.ravel(given)]
    return axes if rank is None else [axis % rank for axis in axes]


def _mean(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    axes, kept = _reduced(attributes, inputs)
    mean: Array = inputs[0].mean(axis=axes, keepdims=True)
    return mean if kept else mean.squeeze(axes)


def _mean_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    axes, _ = _reduced(attributes, inputs)
    shape = inputs[0].shape
    wide = g.reshape(len(g), *(1 if axis in axes else shape[axis] for axis in range(1, len(shape))))
    return np.broadcast_to(wide / math.prod(shape[axis] for axis in axes), (len(g), *shape[1:]))


def _most(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    axes, kept = _reduced(attributes, inputs)
    most: Array = inputs[0].max(axis=axes, keepdims=True)
    return most if kept else most.squeeze(axes)


def _most_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    axes, _ = _reduced(attributes, inputs)
    x = inputs[0]
    first = x == x.max(axis=axes, keepdims=True)
    # Of equal values the first counts.
    order = [axis for axis in range(x.ndim) if axis not in axes] + list(axes)
    moved = first.transpose(order).reshape(*(x.shape[axis] for axis in order[: x.ndim - len(axes)]), -1)
    only = (np.cumsum(moved, axis=-1) == 1) & moved
    only = only.reshape([x.shape[axis] for axis in order]).transpose(np.argsort(order))
    wide = g.reshape(len(g), *(1 if axis in axes else x.shape[axis] for axis in range(1, x.ndim)))
    back: Array = wide * only
    return back


def _reduced(attributes: Attributes, inputs: Sequence[Array]) -> tuple[tuple[int, ...], bool]:
    axes = tuple(_axes(attributes, inputs, inputs[0].ndim))
    if not axes or 0 in axes:
        raise UnknownOperationError("reduction")
    return axes, bool(attributes.get("keepdims", 1))


def _over_places(forward: Forward) -> Forward:
    """Make a global pooling of a reduction."""
    return lambda attributes, inputs: forward({"axes": range(2, inputs[0].ndim)}, inputs[:1])


def _over_places_back(back: Back) -> Back:
    return lambda attributes, inputs, value, g: back({"axes": range(2, inputs[0].ndim)}, inputs[:1], value, g)


def _product(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    if inputs[1].ndim != 2:
        raise UnknownOperationError("MatMul")
    product: Array = inputs[0] @ inputs[1]
    return product


def _product_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    return g @ inputs[1].T


def _dense(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    if attributes.get("transA", 0):
        raise UnknownOperationError("Gemm")
    y: Array = attributes.get("alpha", 1.0) * (inputs[0] @ _weights(attributes, inputs))
    return y if len(inputs) < 3 else y + attributes.get("beta", 1.0) * inputs[2]


def _dense_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    back: Array = attributes.get("alpha", 1.0) * (g @ _weights(attributes, inputs).T)
    return back


def _weights(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    return inputs[1].T if attributes.get("transB", 0) else inputs[1]


def _convolution(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    y = windows.convolved(inputs[0], inputs[1], _window(attributes, inputs[1].shape[2:]), attributes.get("group", 1))
    return y if len(inputs) < 3 else y + inputs[2][:, None, None]


def _convolution_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    window = _window(attributes, inputs[1].shape[2:])
    return windows.convolved_back(g, inputs[0].shape, inputs[1], window, attributes.get("group", 1))


def _window(attributes: Attributes, size: Sequence[int]) -> Window:
    window = window_of(attributes, (int(size[0]), int(size[1]))) if len(size) == 2 else None
    if window is None:
        raise UnknownOperationError("window")
    return window


def _largest(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    return windows.largest(inputs[0], _window(attributes, attributes["kernel_shape"]))


def _largest_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    return windows.largest_back(g, inputs[0], value, _window(attributes, attributes["kernel_shape"]))


def _average(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    window = _window(attributes, attributes["kernel_shape"])
    return windows.average(inputs[0], window, bool(attributes.get("count_include_pad", 0)))


def _average_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    window = _window(attributes, attributes["kernel_shape"])
    return windows.average_back(g, inputs[0], window, bool(attributes.get("count_include_pad", 0)))


def _normalised(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    x, scale, shift, mean, variance = inputs[:5]
    along = (-1, *(1,) * (x.ndim - 2))
    factor = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    y: Array = x * factor.reshape(along) + (shift - mean * factor).reshape(along)
    return y


def _normalised_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    _, scale, _, _, variance = inputs[:5]
    factor = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    back: Array = g * factor.reshape(-1, *(1,) * (g.ndim - 2))
    return back


def _layer_norm(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    x = inputs[0]
    axes = _last_axes(attributes, x)
    centred = x - x.mean(axis=axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axes, keepdims=True) + attributes.get("epsilon", 1e-5))
    y: Array = centred / deviation * inputs[1]
    return y if len(inputs) < 3 else y + inputs[2]


def _layer_norm_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    x = inputs[0]
    axes = _last_axes(attributes, x)
    centred = x - x.mean(axis=axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axes, keepdims=True) + attributes.get("epsilon", 1e-5))
    unit, scaled = centred / deviation, g * inputs[1]
    mean, along = scaled.mean(axis=axes, keepdims=True), (scaled * unit).mean(axis=axes, keepdims=True)
    back: Array = (scaled - mean - unit * along) / deviation
    return back


def _last_axes(attributes: Attributes, x: Array) -> tuple[int, ...]:
    first = attributes.get("axis", -1) % x.ndim
    if first == 0:
        raise UnknownOperationError("LayerNormalization")
    return tuple(range(first, x.ndim))


def _pointwise(
    function: Callable[[Attributes, Array], Array], slope: Callable[[Attributes, Array, Array], Array]
) -> tuple[Forward, Back]:
    """Make an operation of a function of each number and its slope (from the number and the result)."""
    return (
        lambda attributes, inputs: function(attributes, inputs[0]),
        lambda attributes, inputs, value, g: g * slope(attributes, inputs[0], value),
    )


def _sigmoid(x: Array) -> Array:
    y: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return y


def _ends(attributes: Attributes, inputs: Sequence[Array]) -> tuple[float, float]:
    low = inputs[1] if len(inputs) > 1 else attributes.get("min", -np.inf)
    high = inputs[2] if len(inputs) > 2 else attributes.get("max", np.inf)
    return float(np.asarray(low if np.size(low) else -np.inf)), float(np.asarray(high if np.size(high) else np.inf))


def _clip_back(attributes: Attributes, inputs: Sequence[Array], value: Array, g: Array) -> Array:
    low, high = _ends(attributes, inputs)
    back: Array = g * ((inputs[0] > low) & (inputs[0] < high))
    return back


def _same(attributes: Attributes, inputs: Sequence[Array]) -> Array:
    return inputs[0]


def _gelu_slope(attributes: Attributes, x: Array, value: Array) -> Array:
    slope: Array = _normal(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return slope


def _normal(x: Array) -> Array:
    return np.array([0.5 * (1 + math.erf(each / math.sqrt(2))) for each in x.ravel()]).reshape(x.shape)


_KEPT: Back = lambda attributes, inputs, value, g: g  # noqa: E731
OPERATIONS: dict[str, tuple[Forward, Back]] = {
    **dict.fromkeys(("Identity", "Cast", "Dropout"), (_same, _KEPT)),
    "Reshape": (_reshape, _shaped),
    "Flatten": (_flatten, _shaped),
    "Squeeze": (_without_ones, _shaped),
    "Unsqueeze": (_with_ones, _shaped),
    "Transpose": (_transpose, _transpose_back),
    "ReduceMean": (_mean, _mean_back),
    "ReduceMax": (_most, _most_back),
    "GlobalAveragePool": (_over_places(_mean), _over_places_back(_mean_back)),
    "GlobalMaxPool": (_over_places(_most), _over_places_back(_most_back)),
    "AveragePool": (_average, _average_back),
    "MaxPool": (_largest, _largest_back),
    "MatMul": (_product, _product_back),
    "Gemm": (_dense, _dense_back),
    "Conv": (_convolution, _convolution_back),
    "BatchNormalization": (_normalised, _normalised_back),
    "LayerNormalization": (_layer_norm, _layer_norm_back),
    "Relu": _pointwise(lambda a, x: np.maximum(x, 0), lambda a, x, y: (x > 0).astype(np.float64)),
    "LeakyRelu": _pointwise(
        lambda a, x: np.where(x > 0, x, a.get("alpha", 0.01) * x),
        lambda a, x, y: np.where(x > 0, 1.0, a.get("alpha", 0.01)),
    ),
    "Elu": _pointwise(
        lambda a, x: np.where(x > 0, x, a.get("alpha", 1.0) * np.expm1(np.minimum(x, 0))),
        lambda a, x, y: np.where(x > 0, 1.0, y + a.get("alpha", 1.0)),
    ),
    "Sigmoid": _pointwise(lambda a, x: _sigmoid(x), lambda a, x, y: y * (1 - y)),
    "Tanh": _pointwise(lambda a, x: np.tanh(x), lambda a, x, y: 1 - y**2),
    "Softplus": _pointwise(lambda a, x: np.logaddexp(x, 0), lambda a, x, y: _sigmoid(x)),
    "HardSigmoid": _pointwise(
        lambda a, x: np.clip(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
        lambda a, x, y: a.get("alpha", 0.2) * ((y > 0) & (y < 1)),
    ),
    "HardSwish": _pointwise(
        lambda a, x: x * np.clip(x / 6 + 0.5, 0, 1),
        lambda a, x, y: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5)),
    ),
    "Gelu": _pointwise(lambda a, x: x * _normal(x), _gelu_slope),
    "Clip": (lambda attributes, inputs: np.clip(inputs[0], *_ends(attributes, inputs)), _clip_back),
}
