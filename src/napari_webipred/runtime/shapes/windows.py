"""Convolution, pooling and other operators on images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_webipred.runtime.onnx_graph import FLOAT, INT64
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Shape, Value

# The index of the input with the filters.
FILTERS = {
    **dict.fromkeys(("Conv", "ConvInteger", "DeformConv", "ConvTranspose"), 1),
    "com.microsoft.FusedConv": 1,
    "QLinearConv": 3,
}


def kernel_of(operator: Operator, weight: Shape) -> list[int]:
    """Return the kernel size: from the attribute, or from the weight."""
    return operator.listed("kernel_shape") or list(weight[2:])


@rule("Conv", "com.microsoft.FusedConv")
def convolution(operator: Operator) -> Value:
    """Return a tensor with one channel for each filter."""
    return operator.like(convolved(operator, operator.rank(3), operator.rank(3, 1)))


@rule("ConvInteger")
def integer_convolution(operator: Operator) -> Value:
    """Return an int32 tensor."""
    return Value(6, convolved(operator, operator.rank(3), operator.rank(3, 1)))


@rule("QLinearConv")
def quantised_convolution(operator: Operator) -> Value:
    """Return a tensor with the dtype of its zero point."""
    return operator.like(convolved(operator, operator.rank(3), operator.rank(3, 3)), 7)


def convolved(operator: Operator, image: Shape, weight: Shape) -> Shape:
    """Return the shape of (batch, channels, ...) after a convolution with (filters, channels / groups, ...)."""
    kernel = kernel_of(operator, weight)
    if len(weight) != len(image) or len(kernel) != len(image) - 2:
        raise operator.refuse(
            f"has a kernel of shape {list(weight)}, which does not fit an input of shape {list(image)}"
        )
    if image[1] != weight[1] * operator.whole("group", 1):
        raise operator.refuse(f"has a kernel for {weight[1]} channels, but its input has {image[1]}")
    return (image[0], weight[0], *window_positions(operator, image[2:], kernel))


def window_positions(operator: Operator, sizes: Shape, kernel: Sequence[int], *, ceil: bool = False) -> Shape:
    """Return the number of window positions along each axis."""
    count = len(sizes)
    strides = _positive(operator, "strides", count)
    dilations = _positive(operator, "dilations", count)
    automatic = operator.attribute("auto_pad", "NOTSET")
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(pads) != 2 * count or len(kernel) != count or min(kernel, default=1) < 1:
        raise operator.refuse(f"has kernel_shape={list(kernel)} and pads={pads}, which do not fit its input")
    made = []
    for i, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        if automatic in {"SAME_UPPER", "SAME_LOWER"}:
            made.append(-(-size // stride))
            continue
        dilated = (kernel[i] - 1) * dilations[i] + 1
        padding = 0 if automatic == "VALID" else pads[i] + pads[i + count]
        remaining = size + padding - dilated
        # Division in C rounds towards zero, so a window that is slightly too large has a position, too.
        positions = (-(-remaining // stride) if ceil or remaining < 0 else remaining // stride) + 1
        if ceil and (positions - 1) * stride >= size + (0 if automatic == "VALID" else pads[i]):
            positions -= 1  # the last window would be only padding
        made.append(positions)
    if min(made, default=0) < 0:
        raise operator.refuse(f"has kernel_shape={list(kernel)}, which does not fit an input of size {list(sizes)}")
    return tuple(made)


def _positive(operator: Operator, name: str, count: int) -> list[int]:
    values = operator.listed(name, [1] * count) or []
    if len(values) != count or min(values, default=1) < 1:
        raise operator.refuse(f"has an invalid attribute: {name}={values!r:.80}")
    return values


@rule("ConvTranspose")
def transposed_convolution(operator: Operator) -> Value:
    """Return an image enlarged by the strides."""
    image, weight = operator.rank(3), operator.rank(3, 1)
    kernel = kernel_of(operator, weight)
    count = len(image) - 2
    if len(weight) != len(image) or len(kernel) != count or image[1] != weight[0]:
        raise operator.refuse(
            f"has a kernel of shape {list(weight)}, which does not fit an input of shape {list(image)}"
        )
    channels = weight[1] * operator.whole("group", 1)
    if (wanted := operator.listed("output_shape")) is not None:
        return operator.like((image[0], channels, *wanted[-count:]))
    strides, dilations = _positive(operator, "strides", count), _positive(operator, "dilations", count)
    extra = operator.listed("output_padding", [0] * count) or [0] * count
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(pads) != 2 * count or len(extra) != count:
        raise operator.refuse(f"has pads={pads} and output_padding={extra}, which do not fit its input")
    automatic = operator.attribute("auto_pad", "NOTSET")
    sizes = []
    for i, size in enumerate(image[2:]):
        dilated = (kernel[i] - 1) * dilations[i] + 1
        cut = {"NOTSET": pads[i] + pads[i + count], "VALID": 0}.get(automatic)
        whole = (size - 1) * strides[i] + dilated + extra[i]
        sizes.append(min(whole, size * strides[i]) if cut is None else whole - cut)
    if min(sizes, default=1) < 1:
        raise operator.refuse(f"crops more than the size of its input, which has the shape {list(image)}")
    return operator.like((image[0], channels, *sizes))


@rule("DeformConv")
def deformable_convolution(operator: Operator) -> Value:
    """Return a tensor with one channel for each filter."""
    return operator.like(convolved(operator, operator.rank(4), operator.rank(4, 1)))


def _pooled(operator: Operator, image: Shape) -> Shape:
    kernel = operator.listed("kernel_shape")
    if kernel is None:
        raise operator.refuse("has no kernel_shape")
    return (*image[:2], *window_positions(operator, image[2:], kernel, ceil=bool(operator.whole("ceil_mode", 0))))


@rule("MaxPool")
def max_pool(operator: Operator) -> Sequence[Value]:
    """Return the maximum of each window and its index."""
    shape = _pooled(operator, operator.rank(3))
    return [operator.like(shape), Value(INT64, shape)]


@rule("AveragePool", "LpPool", "com.microsoft.QLinearAveragePool")
def pool(operator: Operator) -> Value:
    """Return a tensor with one value for each window."""
    return operator.like(_pooled(operator, operator.rank(3)))


@rule("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "com.microsoft.QLinearGlobalAveragePool")
def global_pool(operator: Operator) -> Value:
    """Return a tensor with one value for each channel."""
    image = operator.rank(3)
    return operator.like((*image[:2], *(1,) * (len(image) - 2)))


@rule("MaxUnpool")
def max_unpool(operator: Operator) -> Value:
    """Return an image with the maxima at their former positions."""
    image = operator.rank(3)
    if operator.has(2):
        return operator.like(operator.integers(2))
    kernel = operator.listed("kernel_shape") or []
    count = len(image) - 2
    strides = _positive(operator, "strides", count)
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(kernel) != count or len(pads) != 2 * count:
        raise operator.refuse(f"has kernel_shape={kernel} and pads={pads}, which do not fit its input")
    sizes = [(size - 1) * strides[i] - pads[i] - pads[i + count] + kernel[i] for i, size in enumerate(image[2:])]
    return operator.like((*image[:2], *sizes))


@rule("Col2Im")
def columns_to_image(operator: Operator) -> Value:
    """Return the image made from blocks."""
    columns, image, block = operator.rank(3), operator.integers(1), operator.integers(2)
    return operator.like((columns[0], columns[1] // max(math.prod(block), 1), *image))


@rule("GridSample")
def grid_sample(operator: Operator) -> Value:
    """Return a tensor with one value for each position of the grid."""
    return operator.like((*operator.rank(3)[:2], *operator.rank(3, 1)[1:-1]))


@rule("AffineGrid")
def affine_grid(operator: Operator) -> Value:
    """Return the position of each pixel of an image of this size."""
    size = operator.integers(1)
    return Value(operator.value().element_type if operator.has(0) else FLOAT, (size[0], *size[2:], len(size) - 2))
