"""Operations on pictures: convolution, pooling, normalisation, padding, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.graph_model import BROKEN
from napari_webipred.runtime.operations.arithmetic import finished, fused
from napari_webipred.runtime.operations.context import OpContext, SpaceToBatch, Value, operation


def _spatial(context: OpContext, name: str) -> list[int]:
    """Return the numbers for height and width of an attribute that has four, one for each axis."""
    values = context.attribute(name, [1, 1, 1, 1])
    last = context.attribute("data_format", "NHWC") == "NHWC"
    if len(values) != 4 or not all(type(n) is int and 0 < n < 2**16 for n in values):
        raise context.refuse(f"has the unusable attribute {name}={values!r:.80}", BROKEN)
    height, width = (1, 2) if last else (2, 3)
    if any(n != 1 for i, n in enumerate(values) if i not in {height, width}):
        raise context.refuse(f"has {name}={values!r:.80}, which goes beyond the picture")
    return [values[height], values[width]]


def _window(context: OpContext) -> dict[str, Any]:
    form = context.attribute("data_format", "NHWC")
    if form not in {"NHWC", "NCHW"}:
        raise context.refuse(f"has the data format {form!r:.80}")
    return {
        "padding": context.attribute("padding", "VALID").lower(),
        "strides": _spatial(context, "strides"),
        "data_format": "channels_last" if form == "NHWC" else "channels_first",
    }


@operation("Conv2D", "_FusedConv2D")
def convolution(context: OpContext) -> Value:
    """Convolve with a kernel of (height, width, channels in / groups, channels out)."""
    x, gaps = _gathered(context)
    kernel, window = context.array(1), _window(context)
    if kernel.ndim != 4 or len(x.shape) != 3:
        raise context.refuse(f"has a kernel of shape {list(kernel.shape)} for a tensor of {list(x.shape)}", BROKEN)
    if window["padding"] == "explicit":
        margins = context.listed("explicit_paddings")
        if len(margins) != 8 or window["data_format"] != "channels_last" or any(margins[i] for i in (0, 1, 6, 7)):
            raise context.refuse(f"has the paddings {margins!r:.80}")
        x = context.layer("ZeroPadding2D", x, padding=[margins[2:4], margins[4:6]])
        window["padding"] = "valid"
    channels = x.shape[2 if window["data_format"] == "channels_last" else 0]
    if channels is None or not kernel.size or channels % kernel.shape[2]:
        raise context.refuse(f"has a kernel of shape {list(kernel.shape)} for {channels} channels", BROKEN)
    activations, arrays = fused(context)
    weights = {"kernel": kernel, **({"bias": arrays.pop("bias")} if "bias" in arrays else {})}
    made = context.layer(
        "Conv2D",
        x,
        weights=weights,
        filters=kernel.shape[3],
        kernel_size=list(kernel.shape[:2]),
        groups=channels // kernel.shape[2],
        dilation_rate=gaps or _spatial(context, "dilations"),
        use_bias="bias" in weights,
        **window,
    )
    made = finished(context, made, activations, arrays)
    return SpaceToBatch(made, (gaps[0], gaps[1])) if gaps else made


@operation("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
def depthwise_convolution(context: OpContext) -> Value:
    """Convolve each channel alone with a kernel of (height, width, channels, multiplier)."""
    x, gaps = _gathered(context)
    kernel = context.array(1)
    if kernel.ndim != 4:
        raise context.refuse(f"has a kernel of shape {list(kernel.shape)}", BROKEN)
    activations, arrays = fused(context)
    weights = {"depthwise_kernel": kernel, **({"bias": arrays.pop("bias")} if "bias" in arrays else {})}
    made = context.layer(
        "DepthwiseConv2D",
        x,
        weights=weights,
        kernel_size=list(kernel.shape[:2]),
        depth_multiplier=kernel.shape[3],
        dilation_rate=gaps or _spatial(context, "dilations"),
        use_bias="bias" in weights,
        **_window(context),
    )
    made = finished(context, made, activations, arrays)
    return SpaceToBatch(made, (gaps[0], gaps[1])) if gaps else made


def _gathered(context: OpContext) -> tuple[Tensor, list[int]]:
    """Return the picture that is to be convolved, and the gaps between the pixels if it is scattered."""
    value = context.value(0)
    if not isinstance(value, SpaceToBatch):
        return context.tensor(), []
    if _spatial(context, "strides") != [1, 1] or context.attribute("padding", "VALID") != "VALID":
        raise context.refuse("has strides or paddings although it gets every n-th pixel only")
    return value.tensor, list(value.gaps)


@operation("SpaceToBatchND")
def scatter(context: OpContext) -> Value:
    """Put every n-th pixel together: TensorFlow's way to a convolution with gaps."""
    gaps, margins = context.integers(1), context.integers(2)
    if len(gaps) != 2 or len(margins) != 4 or not all(0 < gap < 2**15 for gap in gaps):
        raise context.refuse(f"has the block {gaps!r:.80}")
    padded = context.layer("ZeroPadding2D", context.tensor(), padding=[margins[:2], margins[2:]])
    return SpaceToBatch(padded, (gaps[0], gaps[1]))


@operation("BatchToSpaceND")
def gather(context: OpContext) -> Value:
    """Put the pixels back where they belong."""
    value, gaps, margins = context.value(0), context.integers(1), context.integers(2)
    if not isinstance(value, SpaceToBatch) or gaps != list(value.gaps) or len(margins) != 4:
        raise context.refuse("does not belong to a convolution with gaps")
    return (
        context.layer("Cropping2D", value.tensor, cropping=[margins[:2], margins[2:]]) if any(margins) else value.tensor
    )


@operation("MaxPool", "AvgPool")
def pooling(context: OpContext) -> Value:
    """Take the largest value in each window, or the mean over its points that lie within the picture."""
    kind = "MaxPooling2D" if context.operation.op == "MaxPool" else "AveragePooling2D"
    return context.layer(kind, context.tensor(), pool_size=_spatial(context, "ksize"), **_window(context))


@operation("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "_FusedBatchNormEx")
def batch_normalisation(context: OpContext) -> Value:
    """Scale each channel by the statistics of training."""
    if context.attribute("is_training", default=False):
        raise context.refuse("is in the state of training", "Ask the publisher of the model for a converted one.")
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {role: context.array(i).ravel() for i, role in enumerate(roles, 1)}
    axis = -1 if context.attribute("data_format", "NHWC") == "NHWC" else 1
    epsilon = context.attribute("epsilon", 1e-4)
    made = context.layer("BatchNormalization", context.tensor(), weights=weights, axis=axis, epsilon=epsilon)
    joined = context.attribute("activation_mode", "Identity")
    if context.attribute("num_side_inputs", 0) or joined not in {"Identity", "Relu"}:
        raise context.refuse(f"has {joined!r:.80} joined to it")
    return context.layer("Activation", made, activation="relu") if joined == "Relu" else made


@operation("Pad", "PadV2")
def padding(context: OpContext) -> Value:
    """Put zeros around a picture."""
    x, margins = context.tensor(), context.integers(1)
    zeros = context.operation.op == "Pad" or not context.array(2).any()
    if len(x.shape) != 3 or len(margins) != 8 or any(margins[:2]) or min(margins) < 0 or not zeros:
        what = "zeros" if zeros else "other numbers than zero"
        raise context.refuse(f"puts {what} around a tensor of shape {list(x.shape)}, {margins} wide")
    if not any(margins[6:]):
        return context.layer("ZeroPadding2D", x, padding=[margins[2:4], margins[4:6]])
    # Channels come first, or channels of zeros are added.
    plain = context.graph.plain(x)
    pads = context.graph.constant([0, *margins[2::2], 0, *margins[3::2]], np.int64)
    sizes = zip(context.known(x), margins[2::2], margins[3::2], strict=True)
    return Tensor(context.node("Pad", plain.name, pads), tuple(size + before + after for size, before, after in sizes))


@operation("ResizeBilinear", "ResizeNearestNeighbor")
def resizing(context: OpContext) -> Value:
    """Bring a picture to a fixed size, without smoothing before."""
    x, sizes = context.tensor(), context.integers(1)
    if len(sizes) != 2 or len(x.shape) != 3:
        raise context.refuse(f"brings a tensor of shape {list(x.shape)} to {sizes}", BROKEN)
    nearest = context.operation.op == "ResizeNearestNeighbor"
    if context.attribute("align_corners", default=False):
        raise context.refuse("aligns corners, which is not supported")
    if context.attribute("half_pixel_centers", default=False):
        interpolation = "nearest" if nearest else "bilinear"
        return context.layer("Resizing", x, height=sizes[0], width=sizes[1], interpolation=interpolation)
    x, (height, width, channels) = context.graph.nchw(x), context.known(x)
    scales = context.graph.constant([1, 1, sizes[0] / height, sizes[1] / width])
    how: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"} if nearest else {"mode": "linear"}
    name = context.node("Resize", x.name, "", scales, coordinate_transformation_mode="asymmetric", **how)
    if (
        not all(0 < n < 2**15 for n in sizes)
        or [int(np.floor(np.float32(s / n) * n)) for s, n in zip(sizes, (height, width), strict=True)] != sizes
    ):
        raise context.refuse(f"brings {height}x{width} pixels to {sizes[0]}x{sizes[1]}")
    return Tensor(name, (sizes[0], sizes[1], channels), nchw=True)
