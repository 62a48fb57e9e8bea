"""Operations on images: convolution, pooling, normalisation, padding, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.graph_model import BROKEN
from napari_webipred.runtime.layers.resize import bilinear, nearest
from napari_webipred.runtime.operations.arithmetic import fused, with_activation
from napari_webipred.runtime.operations.context import OpContext, SpaceToBatch, Value, operation


def _spatial(context: OpContext, name: str) -> list[int]:
    """Return the values for height and width of an attribute with one value for each of the four axes."""
    values = context.attribute(name, [1, 1, 1, 1])
    last = context.attribute("data_format", "NHWC") == "NHWC"
    if len(values) != 4 or not all(type(n) is int and 0 < n < 2**16 for n in values):
        raise context.refuse(f"has an invalid attribute: {name}={values!r:.80}", BROKEN)
    height, width = (1, 2) if last else (2, 3)
    if any(n != 1 for i, n in enumerate(values) if i not in {height, width}):
        raise context.refuse(f"has {name}={values!r:.80}; only the values for height and width may differ from 1")
    return [values[height], values[width]]


def _window(context: OpContext) -> dict[str, Any]:
    form = context.attribute("data_format", "NHWC")
    if form not in {"NHWC", "NCHW"}:
        raise context.refuse(f"has the unsupported data format {form!r:.80}")
    return {
        "padding": context.attribute("padding", "VALID").lower(),
        "strides": _spatial(context, "strides"),
        "data_format": "channels_last" if form == "NHWC" else "channels_first",
    }


@operation("Conv2D", "_FusedConv2D")
def convolution(context: OpContext) -> Value:
    """Convolve with a kernel of (height, width, channels in / groups, channels out)."""
    x, dilations = _with_dilations(context)
    kernel, window = context.array(1), _window(context)
    if kernel.ndim != 4 or len(x.shape) != 3:
        raise context.refuse(
            f"has a kernel of shape {list(kernel.shape)}, which does not fit an input of shape {list(x.shape)}", BROKEN
        )
    if window["padding"] == "explicit":
        paddings = context.listed("explicit_paddings")
        if len(paddings) != 8 or window["data_format"] != "channels_last" or any(paddings[i] for i in (0, 1, 6, 7)):
            raise context.refuse(f"has unsupported paddings: {paddings!r:.80}")
        x = context.layer("ZeroPadding2D", x, padding=[paddings[2:4], paddings[4:6]])
        window["padding"] = "valid"
    channels = x.shape[2 if window["data_format"] == "channels_last" else 0]
    if channels is None or not kernel.size or channels % kernel.shape[2]:
        raise context.refuse(
            f"has a kernel of shape {list(kernel.shape)}, which does not fit {channels} channels", BROKEN
        )
    sizes = {"filters": kernel.shape[3], "groups": channels // kernel.shape[2]}
    return _convolved(context, "Conv2D", "kernel", x, dilations, **sizes, **window)


@operation("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
def depthwise_convolution(context: OpContext) -> Value:
    """Convolve each channel separately with a kernel of (height, width, channels, multiplier)."""
    x, dilations = _with_dilations(context)
    kernel = context.array(1)
    if kernel.ndim != 4:
        raise context.refuse(f"needs a kernel with 4 axes, but got the shape {list(kernel.shape)}", BROKEN)
    sizes = {"depth_multiplier": kernel.shape[3]}
    return _convolved(context, "DepthwiseConv2D", "depthwise_kernel", x, dilations, **sizes, **_window(context))


def _convolved(context: OpContext, class_name: str, role: str, x: Tensor, dilations: list[int], **config: Any) -> Value:
    """Apply the Keras layer of this class, with the bias and the activation that are fused with the operation."""
    kernel = context.array(1)
    activations, arrays = fused(context)
    weights = {role: kernel, **({"bias": arrays.pop("bias")} if "bias" in arrays else {})}
    made = context.layer(
        class_name,
        x,
        weights=weights,
        kernel_size=list(kernel.shape[:2]),
        dilation_rate=dilations or _spatial(context, "dilations"),
        use_bias="bias" in weights,
        **config,
    )
    made = with_activation(context, made, activations, arrays)
    return SpaceToBatch(made, (dilations[0], dilations[1])) if dilations else made


def _with_dilations(context: OpContext) -> tuple[Tensor, list[int]]:
    """Return the image to convolve, and the dilations if it comes from SpaceToBatchND."""
    value = context.value(0)
    if not isinstance(value, SpaceToBatch):
        return context.tensor(), []
    if _spatial(context, "strides") != [1, 1] or context.attribute("padding", "VALID") != "VALID":
        raise context.refuse("combines SpaceToBatchND with strides or padding, which is unsupported")
    return value.tensor, list(value.dilations)


@operation("SpaceToBatchND")
def space_to_batch(context: OpContext) -> Value:
    """Remember the block shape, which is the dilation of the next convolution."""
    dilations, paddings = context.integers(1), context.integers(2)
    if len(dilations) != 2 or len(paddings) != 4 or not all(0 < gap < 2**15 for gap in dilations):
        raise context.refuse(f"has the unsupported block shape {dilations!r:.80}")
    padded = context.layer("ZeroPadding2D", context.tensor(), padding=[paddings[:2], paddings[2:]])
    return SpaceToBatch(padded, (dilations[0], dilations[1]))


@operation("BatchToSpaceND")
def batch_to_space(context: OpContext) -> Value:
    """Return the output of a convolution with dilations."""
    value, dilations, paddings = context.value(0), context.integers(1), context.integers(2)
    if not isinstance(value, SpaceToBatch) or dilations != list(value.dilations) or len(paddings) != 4:
        raise context.refuse("does not belong to a SpaceToBatchND with the same block shape")
    return (
        context.layer("Cropping2D", value.tensor, cropping=[paddings[:2], paddings[2:]])
        if any(paddings)
        else value.tensor
    )


@operation("MaxPool", "AvgPool")
def pooling(context: OpContext) -> Value:
    """Return the maximum or the mean of each window; pixels outside the image are ignored."""
    kind = "MaxPooling2D" if context.operation.op == "MaxPool" else "AveragePooling2D"
    return context.layer(kind, context.tensor(), pool_size=_spatial(context, "ksize"), **_window(context))


@operation("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "_FusedBatchNormEx")
def batch_normalisation(context: OpContext) -> Value:
    """Normalise each channel by its training statistics."""
    if context.attribute("is_training", default=False):
        raise context.refuse("is in training mode", "Ask the publisher of the model to save it in inference mode.")
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {role: context.array(i).ravel() for i, role in enumerate(roles, 1)}
    axis = -1 if context.attribute("data_format", "NHWC") == "NHWC" else 1
    epsilon = context.attribute("epsilon", 1e-4)
    made = context.layer("BatchNormalization", context.tensor(), weights=weights, axis=axis, epsilon=epsilon)
    activation = context.attribute("activation_mode", "Identity")
    if context.attribute("num_side_inputs", 0) or activation not in {"Identity", "Relu"}:
        raise context.refuse(f"has an unsupported fused activation or side input ({activation!r:.80})")
    return context.layer("Activation", made, activation="relu") if activation == "Relu" else made


@operation("Pad", "PadV2")
def padding(context: OpContext) -> Value:
    """Pad an image with zeros."""
    x, paddings = context.tensor(), context.integers(1)
    zeros = context.operation.op == "Pad" or not context.array(2).any()
    if len(x.shape) != 3 or len(paddings) != 8 or any(paddings[:2]) or min(paddings) < 0 or not zeros:
        fault = (
            f"paddings {paddings} for a tensor of shape {list(x.shape)}"
            if zeros
            else "padding with values other than 0"
        )
        raise context.refuse(f"has unsupported {fault}")
    if not any(paddings[6:]):
        return context.layer("ZeroPadding2D", x, padding=[paddings[2:4], paddings[4:6]])
    # Channels first, or channels of zeros are added.
    plain = context.graph.plain(x)
    pads = context.graph.constant([0, *paddings[2::2], 0, *paddings[3::2]], np.int64)
    sizes = zip(context.known(x), paddings[2::2], paddings[3::2], strict=True)
    return Tensor(context.node("Pad", plain.name, pads), tuple(size + before + after for size, before, after in sizes))


@operation("ResizeBilinear", "ResizeNearestNeighbor")
def resizing(context: OpContext) -> Value:
    """Resize an image to a fixed size, without antialiasing."""
    x, sizes = context.tensor(), context.integers(1)
    if len(sizes) != 2 or len(x.shape) != 3:
        raise context.refuse(f"cannot resize a tensor of shape {list(x.shape)} to {sizes}", BROKEN)
    if not all(0 < n < 2**15 for n in sizes):
        raise context.refuse(f"cannot resize an image to {sizes[0]}x{sizes[1]} pixels")
    if context.attribute("align_corners", default=False):
        raise context.refuse("has align_corners=True, which is unsupported")
    centred = context.attribute("half_pixel_centers", default=False)
    if context.operation.op == "ResizeBilinear" and centred:
        return context.layer("Resizing", x, height=sizes[0], width=sizes[1])
    x, (height, width, channels) = context.graph.nchw(x), context.known(x)
    if context.operation.op == "ResizeNearestNeighbor":
        factors = sizes[0] // height, sizes[1] // width
        if [height * factors[0], width * factors[1]] == sizes:  # where the centre lies makes no difference
            return context.layer("UpSampling2D", x, size=list(factors))
        name = nearest(context.graph, x.name, (height, width), sizes, 0.5 if centred else 0)
        return Tensor(name, (sizes[0], sizes[1], channels), nchw=True)
    name = bilinear(context.graph, x.name, sizes, "asymmetric")
    return Tensor(name, (sizes[0], sizes[1], channels), nchw=True)
