"""Poolings."""

from __future__ import annotations

from napari_webipred.runtime.graph import Attribute, Tensor
from napari_webipred.runtime.layers.context import Build
from napari_webipred.runtime.layers.padding import window
from napari_webipred.runtime.layers.registry import layer


@layer("MaxPooling2D", "MaxPool2D", padding=("valid", "same"))
def max_pooling(build: Build, x: Tensor) -> Tensor:
    """Take the largest value in each window; what lies outside the picture never counts."""
    return _pooling(build, x, "MaxPool")


@layer("AveragePooling2D", "AvgPool2D", padding=("valid", "same"))
def average_pooling(build: Build, x: Tensor) -> Tensor:
    """Take the mean over those points of each window that lie within the picture."""
    return _pooling(build, x, "AveragePool", count_include_pad=0)


def _pooling(build: Build, x: Tensor, op: str, **attributes: Attribute) -> Tensor:
    name, height, width, channels = build.picture(x)
    pool = build.pair("pool_size", 2)
    (height, width), placing = window(build, (height, width), pool, build.pair("strides", pool))
    return build.made_picture(build.node(op, name, **placing, **attributes), height, width, channels)


@layer("GlobalAveragePooling2D", "GlobalAvgPool2D")
def global_average_pooling(build: Build, x: Tensor) -> Tensor:
    """Take the mean of each channel."""
    return _global(build, x, "GlobalAveragePool")


@layer("GlobalMaxPooling2D", "GlobalMaxPool2D")
def global_max_pooling(build: Build, x: Tensor) -> Tensor:
    """Take the largest value of each channel."""
    return _global(build, x, "GlobalMaxPool")


def _global(build: Build, x: Tensor, op: str) -> Tensor:
    name, _, _, channels = build.picture(x)
    pooled = build.node(op, name)
    if build.flag("keepdims", default=False):
        return build.made_picture(pooled, 1, 1, channels)
    return Tensor(build.node("Reshape", pooled, build.integers(0, channels)), (channels,))
