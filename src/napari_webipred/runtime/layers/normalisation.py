"""Normalisation and rescaling layers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import stored_axis
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.registry import layer


@layer(
    "BatchNormalization",
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "SyncBatchNormalization",
    renorm=(False,),
    virtual_batch_size=(),
)
def batch_normalisation(context: LayerContext, x: Tensor) -> Tensor:
    """Normalise each channel by its training statistics: gamma * (x - mean) / sqrt(variance + epsilon) + beta."""
    axes = context.integers_of("axis", [-1])
    if len(axes) != 1:
        raise context.wrong("axis")
    axis = context.axis(x, axes[0])
    size = context.known(x, axis)
    epsilon = context.number("epsilon", 1e-3)
    scale, center = context.flag("scale", default=True), context.flag("center", default=True)
    roles = [*(["gamma"] if scale else []), *(["beta"] if center else []), "moving_mean", "moving_variance"]
    trained = [context.trained(role, (size,)) for role in roles]

    def factor(*values: NDArray[np.float32]) -> NDArray[np.float64]:
        named = dict(zip(roles, values, strict=True))
        gamma: NDArray[np.float64] = np.asarray(named.get("gamma", 1.0), np.float64)
        return gamma / np.sqrt(named["moving_variance"].astype(np.float64) + epsilon)

    def offset(*values: NDArray[np.float32]) -> NDArray[np.float64]:
        named = dict(zip(roles, values, strict=True))
        beta: NDArray[np.float64] = np.asarray(named.get("beta", 0.0), np.float64)
        return beta - named["moving_mean"] * factor(*values)

    if len(x.shape) == 3 and stored_axis(x, axis) == 1:
        # A BatchNormalization, because ONNX Runtime can fuse it with the convolution before it.
        by_role = {weight.role: context.graph.initializer([weight]) for weight in trained}
        # Made from a weight of the file: its size is that of the file, not a number that the file claims.
        gamma = by_role.get("gamma") or context.graph.initializer(trained[-1:], np.ones_like, "ones")
        beta = by_role.get("beta") or context.graph.initializer(trained[-1:], np.zeros_like, "zeros")
        inputs = (x.name, gamma, beta, by_role["moving_mean"], by_role["moving_variance"])
        return context.like(x, context.node("BatchNormalization", *inputs, epsilon=epsilon))
    x = context.graph.plain(x)
    broadcast_shape = [size if i == axis else 1 for i in range(len(x.shape))]
    a = context.graph.initializer(trained, lambda *values: factor(*values).reshape(broadcast_shape), "factor")
    b = context.graph.initializer(trained, lambda *values: offset(*values).reshape(broadcast_shape), "offset")
    return context.like(x, context.node("Add", context.node("Mul", x.name, a), b))


@layer("LayerNormalization", rms_scaling=(False,))
def layer_normalisation(context: LayerContext, x: Tensor) -> Tensor:
    """Standardise each image along one or more axes by their mean and (biased) variance."""
    x = context.graph.plain(x)
    given = list(dict.fromkeys(context.axis(x, axis) for axis in context.integers_of("axis", [-1])))
    if not given:
        raise context.wrong("axis")
    # The weights have their axes in the order of the file, but count for those of the image in its order, as in Keras.
    shape, axes = [context.known(x, axis) for axis in given], sorted(given)
    scale, center = context.flag("scale", default=True), context.flag("center", default=True)
    epsilon = context.number("epsilon", 1e-3)
    broadcast_shape = [context.known(x, axis) if axis in axes else 1 for axis in range(len(x.shape))]
    if scale and axes == list(range(axes[0], len(x.shape))):
        normalised = broadcast_shape[axes[0] :]
        gamma = context.weight("gamma", shape, lambda values: values.reshape(normalised))
        beta = [context.weight("beta", shape, lambda values: values.reshape(normalised))] if center else []
        return context.like(
            x, context.node("LayerNormalization", x.name, gamma, *beta, axis=axes[0] + 1, epsilon=epsilon)
        )
    onnx_axes = [axis + 1 for axis in axes]
    centred = context.node("Sub", x.name, context.node("ReduceMean", x.name, axes=onnx_axes, keepdims=1))
    variance = context.node("ReduceMean", context.node("Mul", centred, centred), axes=onnx_axes, keepdims=1)
    name = context.node("Div", centred, context.node("Sqrt", context.node("Add", variance, context.constant(epsilon))))
    for op, role, wanted in (("Mul", "gamma", scale), ("Add", "beta", center)):
        if wanted:
            name = context.node(op, name, context.weight(role, shape, lambda values: values.reshape(broadcast_shape)))
    return context.like(x, name)


_MAX_GROUPS = 2**16


@layer("GroupNormalization")
def group_normalisation(context: LayerContext, x: Tensor) -> Tensor:
    """Standardise groups of neighbouring channels of each image by their mean and (biased) variance."""
    context.rank(x, 3)
    (axis,) = context.integers_of("axis", -1, 1)
    index = context.axis(x, axis)
    if index == 1:
        raise context.refuse(f"has axis={axis}; only the first and the last axis of an image are supported")
    x = context.graph.nchw(x) if index == 2 else context.graph.plain(x)
    channels, groups = context.known(x, index), context.integer("groups", 32, -1)
    groups = channels if groups == -1 else groups
    if not 1 <= groups <= _MAX_GROUPS or channels % groups:
        raise context.wrong("groups")
    grouped = context.node("Reshape", x.name, context.integers(0, groups, -1))
    identity = (context.constant(np.ones(groups)), context.constant(np.zeros(groups)))
    name = context.node("InstanceNormalization", grouped, *identity, epsilon=context.number("epsilon", 1e-3))
    name = context.node("Reshape", name, context.node("Shape", x.name))
    for op, role, option in (("Mul", "gamma", "scale"), ("Add", "beta", "center")):
        if context.flag(option, default=True):
            trained = context.weight(role, (channels,), lambda values: values.reshape(channels, 1, 1))
            name = context.node(op, name, trained)
    return context.like(x, name)


@layer("UnitNormalization")
def unit_normalisation(context: LayerContext, x: Tensor) -> Tensor:
    """Divide by the Euclidean norm along one or more axes, by default the last one."""
    axes = [stored_axis(x, context.axis(x, axis)) for axis in context.integers_of("axis", [-1])]
    squares = context.node("ReduceSumSquare", x.name, axes=axes, keepdims=1)
    length = context.node("Sqrt", context.node("Max", squares, context.constant(1e-12)))
    return context.like(x, context.node("Div", x.name, length))


@layer("Rescaling")
def rescaling(context: LayerContext, x: Tensor) -> Tensor:
    """Return x * scale + offset; either may be a list with a value for each channel."""
    scale, offset = context.numbers("scale"), context.numbers("offset") or [0.0]
    if scale is None:
        raise context.wrong("scale")
    if len(scale) == len(offset) == 1:
        name = context.node("Mul", x.name, context.constant(scale[0]))
        return context.like(x, context.node("Add", name, context.constant(offset[0])) if offset[0] else name)
    x = context.graph.nchw(x) if len(x.shape) == 3 else context.graph.plain(x)
    name = context.node("Mul", x.name, _per_channel(context, x, scale))
    return context.like(x, context.node("Add", name, _per_channel(context, x, offset)))


def _per_channel(context: LayerContext, x: Tensor, values: list[float]) -> str:
    if len(values) not in {1, context.known(x, -1)}:
        raise context.refuse(f"has {len(values)} values for {x.shape[-1]} channels")
    return context.constant(np.reshape(values, (-1, 1, 1)) if x.nchw else values)


@layer("Normalization")
def normalisation(context: LayerContext, x: Tensor) -> Tensor:
    """Return (x - mean) / max(sqrt(variance), 1e-7), or with ``invert`` the inverse."""
    axes = [] if context.option("axis", -1) == [] else context.integers_of("axis", [-1])
    kept = sorted(context.axis(x, axis) for axis in axes)
    shape = [context.known(x, axis) for axis in kept]
    # With three numbers along the last axis, ONNX Runtime takes ten times as long as with whole channels one by one.
    x = context.graph.nchw(x) if kept == [2] else context.graph.plain(x)
    broadcast_shape = [*shape, 1, 1] if x.nchw else [n or 1 if i in kept else 1 for i, n in enumerate(x.shape)]
    mean, variance = context.numbers("mean"), context.numbers("variance")

    def placed(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values.reshape([1] * len(broadcast_shape) if values.size == 1 else broadcast_shape)

    def deviation(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return placed(np.maximum(np.sqrt(values), np.float32(1e-7)))

    if mean is not None and variance is not None:
        # One number stands for all.
        if not {len(mean), len(variance)} <= {1, math.prod(shape)} or min(variance) < 0:
            raise context.wrong("mean")
        shift = context.constant(placed(np.asarray(mean, np.float32)))
        width = context.constant(deviation(np.asarray(variance, np.float32)))
    else:
        shift = context.weight("mean", shape, placed)
        width = context.weight("variance", shape, deviation)
        context.graph.optional_weights.add(context.trained("count", ()))
    if context.flag("invert", default=False):
        return context.like(x, context.node("Add", context.node("Mul", x.name, width), shift))
    return context.like(x, context.node("Div", context.node("Sub", x.name, shift), width))
