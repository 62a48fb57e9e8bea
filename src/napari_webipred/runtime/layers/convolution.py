"""Convolution layers."""

from __future__ import annotations

from napari_webipred.runtime.graph import Attribute, Tensor
from napari_webipred.runtime.layers.activation import activation
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.padding import window
from napari_webipred.runtime.layers.registry import layer


@layer("Conv2D", "Convolution2D", padding=("valid", "same"))
def convolution(context: LayerContext, x: Tensor) -> Tensor:
    """Convolve with a kernel of (height, width, channels in / groups, channels out)."""
    name, height, width, channels = context.image(x)
    filters, groups, kernel = context.integer("filters"), context.integer("groups", 1), context.pair("kernel_size", 1)
    if channels % groups or filters % groups:
        raise context.wrong("groups")
    strides, dilations = context.pair("strides", 1), context.pair("dilation_rate", 1)
    (height, width), attributes = window(context, (height, width), kernel, strides, dilations)
    inputs = [
        _without_padding(context, name, attributes),
        context.weight("kernel", (*kernel, channels // groups, filters), lambda k: k.transpose(3, 2, 0, 1)),
        *_bias(context, filters),
    ]
    made = context.node("Conv", *inputs, group=groups, **attributes)
    return activation(context, context.image_tensor(made, height, width, filters))


@layer("DepthwiseConv2D", padding=("valid", "same"))
def depthwise_convolution(context: LayerContext, x: Tensor) -> Tensor:
    """Convolve each channel separately; output c * depth_multiplier + m is channel c with its kernel m."""
    return activation(context, _depthwise(context, x, with_bias=True))


@layer("SeparableConv2D", "SeparableConvolution2D", padding=("valid", "same"))
def separable_convolution(context: LayerContext, x: Tensor) -> Tensor:
    """Convolve each channel separately, then combine the channels with a 1 x 1 convolution."""
    depthwise = _depthwise(context, x, with_bias=False)
    name, height, width, channels = context.image(depthwise)
    filters = context.integer("filters")
    pointwise = context.weight("pointwise_kernel", (1, 1, channels, filters), lambda k: k.transpose(3, 2, 0, 1))
    made = context.node("Conv", name, pointwise, *_bias(context, filters), kernel_shape=[1, 1])
    return activation(context, context.image_tensor(made, height, width, filters))


@layer("Conv2DTranspose", "Convolution2DTranspose", padding=("valid", "same"))
def transposed_convolution(context: LayerContext, x: Tensor) -> Tensor:
    """Apply a transposed convolution with a kernel of (height, width, channels out, channels in)."""
    name, height, width, channels = context.image(x)
    filters, kernel, strides = context.integer("filters"), context.pair("kernel_size", 1), context.pair("strides", 1)
    dilations = context.pair("dilation_rate", 1)
    dilated = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    surplus = _surplus(context, dilated, strides)
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
        context.weight("kernel", (*kernel, filters, channels), lambda k: k.transpose(3, 2, 0, 1)),
        *_bias(context, filters),
    ]
    made = context.node("ConvTranspose", *inputs, **attributes)
    sizes = [
        None if size is None else (size - 1) * strides[i] + dilated[i] - surplus[i]
        for i, size in enumerate((height, width))
    ]
    return activation(context, context.image_tensor(made, sizes[0], sizes[1], filters))


def _surplus(context: LayerContext, dilated: list[int], strides: tuple[int, int]) -> list[int]:
    """Return how much longer the output of a transposed convolution is than in Keras; negative if it is shorter.

    The lengths are those of ``deconv_output_length`` in Keras 2 and 3.
    """
    same = context.option("padding", "valid") == "same"
    if context.option("output_padding") is None:
        lacking = [size - stride for size, stride in zip(dilated, strides, strict=True)]
        return lacking if same else [min(n, 0) for n in lacking]
    more = context.integers_of("output_padding", 0, 2)
    if min(more) < 0:
        raise context.wrong("output_padding")
    return [2 * (size // 2 if same else 0) - n for size, n in zip(dilated, more, strict=True)]


def _depthwise(context: LayerContext, x: Tensor, *, with_bias: bool) -> Tensor:
    name, height, width, channels = context.image(x)
    kernel, multiplier = context.pair("kernel_size", 1), context.integer("depth_multiplier", 1)
    strides, dilations = context.pair("strides", 1), context.pair("dilation_rate", 1)
    (height, width), attributes = window(context, (height, width), kernel, strides, dilations)
    made = channels * multiplier
    weight = context.weight(
        "depthwise_kernel",
        (*kernel, channels, multiplier),
        lambda k: k.transpose(2, 3, 0, 1).reshape(made, 1, *kernel),
    )
    inputs = [_without_padding(context, name, attributes), weight, *(_bias(context, made) if with_bias else [])]
    return context.image_tensor(context.node("Conv", *inputs, group=channels, **attributes), height, width, made)


def _without_padding(context: LayerContext, name: str, attributes: dict[str, Attribute]) -> str:
    """Merge a preceding zero padding into the convolution, which is faster."""
    pads = attributes.get("pads")
    if name not in context.graph.paddings or not isinstance(pads, list):
        return name
    inner, margins = context.graph.paddings[name]
    attributes["pads"] = [pad + margin for pad, margin in zip(pads, margins, strict=True)]
    return inner


def _bias(context: LayerContext, filters: int) -> list[str]:
    return [context.weight("bias", (filters,))] if context.flag("use_bias", default=True) else []
