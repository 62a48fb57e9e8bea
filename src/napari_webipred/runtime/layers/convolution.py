"""Convolutions."""

from __future__ import annotations

from napari_webipred.runtime.graph import Attribute, Tensor
from napari_webipred.runtime.layers.activation import activation
from napari_webipred.runtime.layers.context import Build
from napari_webipred.runtime.layers.padding import window
from napari_webipred.runtime.layers.registry import layer


@layer("Conv2D", "Convolution2D", padding=("valid", "same"))
def convolution(build: Build, x: Tensor) -> Tensor:
    """Convolve with a kernel of (height, width, channels in / groups, channels out)."""
    name, height, width, channels = build.picture(x)
    filters, groups, kernel = build.integer("filters"), build.integer("groups", 1), build.pair("kernel_size", 1)
    if channels % groups or filters % groups:
        raise build.wrong("groups")
    strides, dilations = build.pair("strides", 1), build.pair("dilation_rate", 1)
    (height, width), placing = window(build, (height, width), kernel, strides, dilations)
    inputs = [
        _without_padding(build, name, placing),
        build.weight("kernel", (*kernel, channels // groups, filters), lambda k: k.transpose(3, 2, 0, 1)),
        *_bias(build, filters),
    ]
    made = build.node("Conv", *inputs, group=groups, **placing)
    return activation(build, build.made_picture(made, height, width, filters))


@layer("DepthwiseConv2D", padding=("valid", "same"))
def depthwise_convolution(build: Build, x: Tensor) -> Tensor:
    """Convolve each channel alone; channel c with multiplier m gives output c * depth_multiplier + m."""
    picture = _depthwise(build, x, with_bias=True)
    return activation(build, picture)


@layer("SeparableConv2D", "SeparableConvolution2D", padding=("valid", "same"))
def separable_convolution(build: Build, x: Tensor) -> Tensor:
    """Convolve each channel alone, then mix the channels point by point."""
    spread = _depthwise(build, x, with_bias=False)
    name, height, width, channels = build.picture(spread)
    filters = build.integer("filters")
    pointwise = build.weight("pointwise_kernel", (1, 1, channels, filters), lambda k: k.transpose(3, 2, 0, 1))
    made = build.node("Conv", name, pointwise, *_bias(build, filters), kernel_shape=[1, 1])
    return activation(build, build.made_picture(made, height, width, filters))


@layer("Conv2DTranspose", "Convolution2DTranspose", padding=("valid", "same"))
def transposed_convolution(build: Build, x: Tensor) -> Tensor:
    """Spread each pixel with a kernel of (height, width, channels out, channels in)."""
    name, height, width, channels = build.picture(x)
    filters, kernel, strides = build.integer("filters"), build.pair("kernel_size", 1), build.pair("strides", 1)
    dilations = build.pair("dilation_rate", 1)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    surplus = _surplus(build, reach, strides)
    overlap, gap = [max(n, 0) for n in surplus], [max(-n, 0) for n in surplus]
    attributes: dict[str, Attribute] = {
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
        "pads": [total // 2 for total in overlap] + [total - total // 2 for total in overlap],
        "output_padding": gap,
    }
    inputs = [
        name,
        build.weight("kernel", (*kernel, filters, channels), lambda k: k.transpose(3, 2, 0, 1)),
        *_bias(build, filters),
    ]
    made = build.node("ConvTranspose", *inputs, **attributes)
    sizes = [
        None if size is None else (size - 1) * strides[i] + reach[i] - surplus[i]
        for i, size in enumerate((height, width))
    ]
    return activation(build, build.made_picture(made, sizes[0], sizes[1], filters))


def _surplus(build: Build, reach: list[int], strides: tuple[int, int]) -> list[int]:
    """Return by how much a transposed convolution comes out longer than Keras wants it; negative where it is shorter.

    The lengths are those of ``deconv_output_length`` in Keras 2 and 3.
    """
    same = build.option("padding", "valid") == "same"
    if build.option("output_padding") is None:
        lacking = [size - stride for size, stride in zip(reach, strides, strict=True)]
        return lacking if same else [min(n, 0) for n in lacking]
    more = build.integers_of("output_padding", 0, 2)
    if min(more) < 0:
        raise build.wrong("output_padding")
    return [2 * (size // 2 if same else 0) - n for size, n in zip(reach, more, strict=True)]


def _depthwise(build: Build, x: Tensor, *, with_bias: bool) -> Tensor:
    name, height, width, channels = build.picture(x)
    kernel, multiplier = build.pair("kernel_size", 1), build.integer("depth_multiplier", 1)
    strides, dilations = build.pair("strides", 1), build.pair("dilation_rate", 1)
    (height, width), placing = window(build, (height, width), kernel, strides, dilations)
    made = channels * multiplier
    weight = build.weight(
        "depthwise_kernel",
        (*kernel, channels, multiplier),
        lambda k: k.transpose(2, 3, 0, 1).reshape(made, 1, *kernel),
    )
    inputs = [_without_padding(build, name, placing), weight, *(_bias(build, made) if with_bias else [])]
    return build.made_picture(build.node("Conv", *inputs, group=channels, **placing), height, width, made)


def _without_padding(build: Build, name: str, placing: dict[str, Attribute]) -> str:
    """Let a convolution itself make zeros that a layer before it has put around the picture: it is faster at that."""
    pads = placing.get("pads")
    if name not in build.graph.paddings or not isinstance(pads, list):
        return name
    inner, margins = build.graph.paddings[name]
    placing["pads"] = [pad + margin for pad, margin in zip(pads, margins, strict=True)]
    return inner


def _bias(build: Build, filters: int) -> list[str]:
    return [build.weight("bias", (filters,))] if build.flag("use_bias", default=True) else []
