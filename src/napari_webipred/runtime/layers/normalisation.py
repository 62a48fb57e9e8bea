"""Layers that shift and scale: trained, adapted or fixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.activation import stored_axis
from napari_webipred.runtime.layers.context import Build
from napari_webipred.runtime.layers.registry import layer


@layer(
    "BatchNormalization",
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "SyncBatchNormalization",
    renorm=(False,),
    virtual_batch_size=(),
)
def batch_normalisation(build: Build, x: Tensor) -> Tensor:
    """Scale each channel by the statistics of training: gamma * (x - mean) / sqrt(variance + epsilon) + beta."""
    axes = build.integers_of("axis", [-1])
    if len(axes) != 1:
        raise build.wrong("axis")
    axis = build.axis(x, axes[0])
    size = build.known(x, axis)
    epsilon = build.number("epsilon", 1e-3)
    scale, center = build.flag("scale", default=True), build.flag("center", default=True)
    roles = [*(["gamma"] if scale else []), *(["beta"] if center else []), "moving_mean", "moving_variance"]
    trained = [build.trained(role, (size,)) for role in roles]

    def factor(*values: NDArray[np.float32]) -> NDArray[np.float64]:
        named = dict(zip(roles, values, strict=True))
        gamma: NDArray[np.float64] = np.asarray(named.get("gamma", 1.0), np.float64)
        return gamma / np.sqrt(named["moving_variance"].astype(np.float64) + epsilon)

    def offset(*values: NDArray[np.float32]) -> NDArray[np.float64]:
        named = dict(zip(roles, values, strict=True))
        beta: NDArray[np.float64] = np.asarray(named.get("beta", 0.0), np.float64)
        return beta - named["moving_mean"] * factor(*values)

    if len(x.shape) == 3 and stored_axis(x, axis) == 1:
        # A stored operation, so that ONNX Runtime can fuse it with the convolution before it.
        by_role = {weight.role: build.graph.initializer([weight]) for weight in trained}
        # Made of a weight, so that the file has to hold as many numbers as it claims.
        gamma = by_role.get("gamma") or build.graph.initializer(trained[-1:], np.ones_like, "ones")
        beta = by_role.get("beta") or build.graph.initializer(trained[-1:], np.zeros_like, "zeros")
        inputs = (x.name, gamma, beta, by_role["moving_mean"], by_role["moving_variance"])
        return build.like(x, build.node("BatchNormalization", *inputs, epsilon=epsilon))
    x = build.graph.plain(x)
    across = [size if i == axis else 1 for i in range(len(x.shape))]
    a = build.graph.initializer(trained, lambda *values: factor(*values).reshape(across), "factor")
    b = build.graph.initializer(trained, lambda *values: offset(*values).reshape(across), "offset")
    return build.like(x, build.node("Add", build.node("Mul", x.name, a), b))


@layer("LayerNormalization", rms_scaling=(False,))
def layer_normalisation(build: Build, x: Tensor) -> Tensor:
    """Standardise one or more axes of each picture by their own mean and (biased) variance."""
    x = build.graph.plain(x)
    axes = sorted({build.axis(x, axis) for axis in build.integers_of("axis", [-1])})
    if not axes:
        raise build.wrong("axis")
    shape = [build.known(x, axis) for axis in axes]
    scale, center = build.flag("scale", default=True), build.flag("center", default=True)
    epsilon = build.number("epsilon", 1e-3)
    if scale and axes == list(range(axes[0], len(x.shape))):
        gamma = build.weight("gamma", shape)
        beta = [build.weight("beta", shape)] if center else []
        return build.like(x, build.node("LayerNormalization", x.name, gamma, *beta, axis=axes[0] + 1, epsilon=epsilon))
    places = [axis + 1 for axis in axes]
    centred = build.node("Sub", x.name, build.node("ReduceMean", x.name, axes=places, keepdims=1))
    variance = build.node("ReduceMean", build.node("Mul", centred, centred), axes=places, keepdims=1)
    name = build.node("Div", centred, build.node("Sqrt", build.node("Add", variance, build.constant(epsilon))))
    across = [build.known(x, axis) if axis in axes else 1 for axis in range(len(x.shape))]
    for op, role, wanted in (("Mul", "gamma", scale), ("Add", "beta", center)):
        if wanted:
            name = build.node(op, name, build.weight(role, shape, lambda values: values.reshape(across)))
    return build.like(x, name)


_MAX_GROUPS = 2**16


@layer("GroupNormalization")
def group_normalisation(build: Build, x: Tensor) -> Tensor:
    """Standardise groups of neighbouring channels of each picture by their own mean and (biased) variance."""
    build.rank(x, 3)
    (axis,) = build.integers_of("axis", -1, 1)
    place = build.axis(x, axis)
    if place == 1:
        raise build.refuse(f"has the axis {axis}; only the first or the last is supported")
    x = build.graph.nchw(x) if place == 2 else build.graph.plain(x)
    channels, groups = build.known(x, place), build.integer("groups", 32, -1)
    groups = channels if groups == -1 else groups
    if not 1 <= groups <= _MAX_GROUPS or channels % groups:
        raise build.wrong("groups")
    rows = build.node("Reshape", x.name, build.integers(0, groups, -1))
    even = (build.constant(np.ones(groups)), build.constant(np.zeros(groups)))
    name = build.node("InstanceNormalization", rows, *even, epsilon=build.number("epsilon", 1e-3))
    name = build.node("Reshape", name, build.node("Shape", x.name))
    for op, role, option in (("Mul", "gamma", "scale"), ("Add", "beta", "center")):
        if build.flag(option, default=True):
            trained = build.weight(role, (channels,), lambda values: values.reshape(channels, 1, 1))
            name = build.node(op, name, trained)
    return build.like(x, name)


@layer("UnitNormalization")
def unit_normalisation(build: Build, x: Tensor) -> Tensor:
    """Divide by the Euclidean length along one or more axes, the last by default."""
    axes = [stored_axis(x, build.axis(x, axis)) for axis in build.integers_of("axis", [-1])]
    squares = build.node("ReduceSumSquare", x.name, axes=axes, keepdims=1)
    length = build.node("Sqrt", build.node("Max", squares, build.constant(1e-12)))
    return build.like(x, build.node("Div", x.name, length))


@layer("Rescaling")
def rescaling(build: Build, x: Tensor) -> Tensor:
    """Return x * scale + offset; either may be a list with a number for each channel."""
    scale, offset = build.numbers("scale"), build.numbers("offset") or [0.0]
    if scale is None:
        raise build.wrong("scale")
    if len(scale) == len(offset) == 1:
        name = build.node("Mul", x.name, build.constant(scale[0]))
        return build.like(x, build.node("Add", name, build.constant(offset[0])) if offset[0] else name)
    x = build.graph.plain(x)
    name = build.node("Mul", x.name, _per_channel(build, x, scale))
    return build.like(x, build.node("Add", name, _per_channel(build, x, offset)))


def _per_channel(build: Build, x: Tensor, values: list[float]) -> str:
    if len(values) not in {1, build.known(x, -1)}:
        raise build.refuse(f"has {len(values)} numbers for {x.shape[-1]} channels")
    return build.constant(values)


@layer("Normalization")
def normalisation(build: Build, x: Tensor) -> Tensor:
    """Return (x - mean) / max(sqrt(variance), 1e-7), or with ``invert`` the way back."""
    x = build.graph.plain(x)
    axes = [] if build.option("axis", -1) == [] else build.integers_of("axis", [-1])
    kept = sorted(build.axis(x, axis) for axis in axes)
    shape = [build.known(x, axis) for axis in kept]
    across = [build.known(x, i) if i in kept else 1 for i in range(len(x.shape))]
    mean, variance = build.numbers("mean"), build.numbers("variance")

    def deviation(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(np.sqrt(values), np.float32(1e-7)).reshape(across)

    if mean is not None and variance is not None:
        if len(mean) != np.prod(shape) or len(variance) != len(mean) or min(variance) < 0:
            raise build.wrong("mean")
        shift = build.constant(np.reshape(mean, across))
        width = build.constant(deviation(np.asarray(variance, np.float32)))
    else:
        shift = build.weight("mean", shape, lambda values: values.reshape(across))
        width = build.weight("variance", shape, deviation)
        build.graph.spare.add(build.trained("count", ()))
    if build.flag("invert", default=False):
        return build.like(x, build.node("Add", build.node("Mul", x.name, width), shift))
    return build.like(x, build.node("Div", build.node("Sub", x.name, shift), width))
