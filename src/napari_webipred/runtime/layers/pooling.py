"""Pooling layers."""

from __future__ import annotations

from napari_webipred.runtime.graph import Attribute, Tensor
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.padding import window
from napari_webipred.runtime.layers.registry import layer


@layer("MaxPooling2D", "MaxPool2D", padding=("valid", "same"))
def max_pooling(context: LayerContext, x: Tensor) -> Tensor:
    """Return the maximum of each window; pixels outside the image are ignored."""
    return _pooling(context, x, "MaxPool")


@layer("AveragePooling2D", "AvgPool2D", padding=("valid", "same"))
def average_pooling(context: LayerContext, x: Tensor) -> Tensor:
    """Return the mean of each window; pixels outside the image are ignored."""
    return _pooling(context, x, "AveragePool", count_include_pad=0)


def _pooling(context: LayerContext, x: Tensor, op: str, **attributes: Attribute) -> Tensor:
    name, height, width, channels = context.image(x)
    pool = context.pair("pool_size", 2)
    strides = context.pair("strides", pool)
    (height, width), window_attributes = window(context, (height, width), pool, strides)
    if "auto_pad" in window_attributes and any(size < stride for size, stride in zip(pool, strides, strict=True)):
        # ONNX Runtime would fail for those sizes of images where the last window ends before the image does.
        raise context.refuse("needs an image of fixed size, because its strides are larger than its windows")
    return context.image_tensor(context.node(op, name, **window_attributes, **attributes), height, width, channels)


@layer("GlobalAveragePooling2D", "GlobalAvgPool2D")
def global_average_pooling(context: LayerContext, x: Tensor) -> Tensor:
    """Return the mean of each channel."""
    return _global(context, x, "GlobalAveragePool")


@layer("GlobalMaxPooling2D", "GlobalMaxPool2D")
def global_max_pooling(context: LayerContext, x: Tensor) -> Tensor:
    """Return the maximum of each channel."""
    return _global(context, x, "GlobalMaxPool")


def _global(context: LayerContext, x: Tensor, op: str) -> Tensor:
    name, _, _, channels = context.image(x)
    pooled = context.node(op, name)
    if context.flag("keepdims", default=False):
        return context.image_tensor(pooled, 1, 1, channels)
    return Tensor(context.node("Reshape", pooled, context.integers(0, channels)), (channels,))
