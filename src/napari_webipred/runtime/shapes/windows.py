"""Operators that look at windows of an image: convolutions and poolings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_webipred.runtime.onnx_graph import FLOAT, INT64
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Shape, Value

# Which input holds the filters.
FILTERS = {
    **dict.fromkeys(("Conv", "ConvInteger", "DeformConv", "ConvTranspose"), 1),
    "com.microsoft.FusedConv": 1,
    "QLinearConv": 3,
}


def kernel_of(operator: Operator, weight: Shape) -> list[int]:
    """Return the sizes of the window: those of the attribute, or of the weight."""
    return operator.listed("kernel_shape") or list(weight[2:])


@rule("Conv", "com.microsoft.FusedConv")
def convolution(operator: Operator) -> Value:
    """Return one channel for each filter."""
    return operator.like(convolved(operator, operator.rank(3), operator.rank(3, 1)))


@rule("ConvInteger")
def integer_convolution(operator: Operator) -> Value:
    """Return whole numbers of 32 bits."""
    return Value(6, convolved(operator, operator.rank(3), operator.rank(3, 1)))


@rule("QLinearConv")
def quantised_convolution(operator: Operator) -> Value:
    """Return numbers of the type of the output's zero point."""
    return operator.like(convolved(operator, operator.rank(3), operator.rank(3, 3)), 7)


def convolved(operator: Operator, image: Shape, weight: Shape) -> Shape:
    """Return the shape of (batch, channels, ...) after a convolution with (filters, channels / groups, ...)."""
    kernel = kernel_of(operator, weight)
    if len(weight) != len(image) or len(kernel) != len(image) - 2:
        raise operator.refuse(f"has a kernel of the shape {list(weight)} for a tensor of {list(image)}")
    if image[1] != weight[1] * operator.whole("group", 1):
        raise operator.refuse(f"has a kernel for {weight[1]} channels, but gets {image[1]}")
    return (image[0], weight[0], *slid(operator, image[2:], kernel))


def slid(operator: Operator, sizes: Shape, kernel: Sequence[int], *, ceil: bool = False) -> Shape:
    """Return how many places a window takes along each axis."""
    count = len(sizes)
    strides = _positive(operator, "strides", count)
    dilations = _positive(operator, "dilations", count)
    automatic = operator.attribute("auto_pad", "NOTSET")
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(pads) != 2 * count or len(kernel) != count or min(kernel, default=1) < 1:
        raise operator.refuse(f"has the window {list(kernel)} and the paddings {pads}")
    made = []
    for i, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        if automatic in {"SAME_UPPER", "SAME_LOWER"}:
            made.append(-(-size // stride))
            continue
        reach = (kernel[i] - 1) * dilations[i] + 1
        around = 0 if automatic == "VALID" else pads[i] + pads[i + count]
        left = size + around - reach
        # Division in C goes towards zero, so a window that is a little too large has a place, too.
        places = (-(-left // stride) if ceil or left < 0 else left // stride) + 1
        if ceil and (places - 1) * stride >= size + (0 if automatic == "VALID" else pads[i]):
            places -= 1  # the last window would lie in the padding alone
        made.append(places)
    if min(made, default=0) < 0:
        raise operator.refuse(f"has a window of {list(kernel)} for a tensor of {list(sizes)}")
    return tuple(made)


def _positive(operator: Operator, name: str, count: int) -> list[int]:
    values = operator.listed(name, [1] * count) or []
    if len(values) != count or min(values, default=1) < 1:
        raise operator.refuse(f"has {name}={values!r:.80}")
    return values


@rule("ConvTranspose")
def transposed_convolution(operator: Operator) -> Value:
    """Return an image that is enlarged by the strides."""
    image, weight = operator.rank(3), operator.rank(3, 1)
    kernel = kernel_of(operator, weight)
    count = len(image) - 2
    if len(weight) != len(image) or len(kernel) != count or image[1] != weight[0]:
        raise operator.refuse(f"has a kernel of the shape {list(weight)} for a tensor of {list(image)}")
    channels = weight[1] * operator.whole("group", 1)
    if (wanted := operator.listed("output_shape")) is not None:
        return operator.like((image[0], channels, *wanted[-count:]))
    strides, dilations = _positive(operator, "strides", count), _positive(operator, "dilations", count)
    extra = operator.listed("output_padding", [0] * count) or [0] * count
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(pads) != 2 * count or len(extra) != count:
        raise operator.refuse(f"has the paddings {pads} and {extra}")
    automatic = operator.attribute("auto_pad", "NOTSET")
    sizes = []
    for i, size in enumerate(image[2:]):
        reach = (kernel[i] - 1) * dilations[i] + 1
        cut = {"NOTSET": pads[i] + pads[i + count], "VALID": 0}.get(automatic)
        whole = (size - 1) * strides[i] + reach + extra[i]
        sizes.append(min(whole, size * strides[i]) if cut is None else whole - cut)
    if min(sizes, default=1) < 1:
        raise operator.refuse(f"cuts more than there is off a tensor of {list(image)}")
    return operator.like((image[0], channels, *sizes))


@rule("DeformConv")
def deformable_convolution(operator: Operator) -> Value:
    """Return one channel for each filter."""
    return operator.like(convolved(operator, operator.rank(4), operator.rank(4, 1)))


def _pooled(operator: Operator, image: Shape) -> Shape:
    kernel = operator.listed("kernel_shape")
    if kernel is None:
        raise operator.refuse("has no kernel_shape")
    return (*image[:2], *slid(operator, image[2:], kernel, ceil=bool(operator.whole("ceil_mode", 0))))


@rule("MaxPool")
def max_pool(operator: Operator) -> Sequence[Value]:
    """Return the largest number of each window, and where it was."""
    shape = _pooled(operator, operator.rank(3))
    return [operator.like(shape), Value(INT64, shape)]


@rule("AveragePool", "LpPool", "com.microsoft.QLinearAveragePool")
def pool(operator: Operator) -> Value:
    """Return a number for each window."""
    return operator.like(_pooled(operator, operator.rank(3)))


@rule("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "com.microsoft.QLinearGlobalAveragePool")
def global_pool(operator: Operator) -> Value:
    """Return one number for each channel."""
    image = operator.rank(3)
    return operator.like((*image[:2], *(1,) * (len(image) - 2)))


@rule("MaxUnpool")
def max_unpool(operator: Operator) -> Value:
    """Return an image in which the largest numbers stand where they were before."""
    image = operator.rank(3)
    if operator.has(2):
        return operator.like(operator.integers(2))
    kernel = operator.listed("kernel_shape") or []
    count = len(image) - 2
    strides = _positive(operator, "strides", count)
    pads = operator.listed("pads", [0] * 2 * count) or []
    if len(kernel) != count or len(pads) != 2 * count:
        raise operator.refuse(f"has the window {kernel} and the paddings {pads}")
    sizes = [(size - 1) * strides[i] - pads[i] - pads[i + count] + kernel[i] for i, size in enumerate(image[2:])]
    return operator.like((*image[:2], *sizes))


@rule("Col2Im")
def columns_to_image(operator: Operator) -> Value:
    """Return the image that blocks are put together to."""
    columns, image, block = operator.rank(3), operator.integers(1), operator.integers(2)
    return operator.like((columns[0], columns[1] // max(math.prod(block), 1), *image))


@rule("GridSample")
def grid_sample(operator: Operator) -> Value:
    """Return the numbers at given places."""
    return operator.like((*operator.rank(3)[:2], *operator.rank(3, 1)[1:-1]))


@rule("AffineGrid")
def affine_grid(operator: Operator) -> Value:
    """Return the place of each pixel of an image whose size is given."""
    size = operator.integers(1)
    return Value(operator.value().element_type if operator.has(0) else FLOAT, (size[0], *size[2:], len(size) - 2))
