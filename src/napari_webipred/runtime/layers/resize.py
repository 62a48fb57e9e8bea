"""Layers that change the size of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_webipred.runtime.graph import Attribute, Graph, Tensor
from napari_webipred.runtime.layers.context import LayerContext
from napari_webipred.runtime.layers.registry import layer

_BILINEAR: dict[str, Attribute] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


@layer("UpSampling2D", interpolation=("nearest", "bilinear"))
def upsampling(context: LayerContext, x: Tensor) -> Tensor:
    """Enlarge an image by integer factors."""
    name, height, width, channels = context.image(x)
    vertical, horizontal = context.pair("size", 2)
    nearest: dict[str, Attribute] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    attributes = _BILINEAR if context.option("interpolation") == "bilinear" else nearest
    scales = context.constant([1, 1, vertical, horizontal])
    made = context.node("Resize", name, "", scales, **attributes)
    new_height = None if height is None else height * vertical
    return context.image_tensor(made, new_height, None if width is None else width * horizontal, channels)


@layer(
    "Resizing",
    interpolation=("bilinear", "nearest"),
    crop_to_aspect_ratio=(False,),
    antialias=(False,),
    pad_to_aspect_ratio=(False,),
)
def resizing(context: LayerContext, x: Tensor) -> Tensor:
    """Resize an image to a fixed size, without antialiasing."""
    name, *_, channels = context.image(x)
    height, width = context.integer("height"), context.integer("width")
    if context.option("interpolation") == "nearest":
        rows = 0 if context.channels_last else 1
        sizes = context.known(x, rows), context.known(x, rows + 1)
        return context.image_tensor(nearest(context.graph, name, sizes, (height, width), 0.5), height, width, channels)
    made = bilinear(context.graph, name, (height, width), "half_pixel")
    return context.image_tensor(made, height, width, channels)


def bilinear(graph: Graph, name: str, wanted: Sequence[int], transformation: str) -> str:
    """Resize an image stored as NCHW to a height and width, with ONNX' word for where the pixels lie."""
    # The batch size is read from the tensor, because it is not fixed. With factors in place of sizes, ONNX Runtime
    # makes up its mind twice how large the image becomes.
    first, two = graph.constant([0], np.int64), graph.constant([2], np.int64)
    kept = graph.node("Slice", graph.node("Shape", name), first, two, first)
    sizes = graph.node("Concat", kept, graph.constant(list(wanted), np.int64), axis=0)
    return graph.node("Resize", name, "", "", sizes, mode="linear", coordinate_transformation_mode=transformation)


def nearest(graph: Graph, name: str, sizes: Sequence[int], wanted: Sequence[int], centre: float) -> str:
    """Return rows and columns of an image stored as NCHW, each of them the nearest one.

    ONNX' Resize divides by the factor between the sizes, so that a place that should be a whole number may be rounded
    to the pixel before it.

    Parameters
    ----------
    sizes, wanted : sequence of int
        Height and width before and after.
    centre : float
        Where the centre of a pixel lies in it: 0.5, or 0 in older versions of TensorFlow.
    """
    for axis, (size, count) in enumerate(zip(sizes, wanted, strict=True), 2):
        if size != count:
            # In float32, as TensorFlow does.
            places = (np.arange(count, dtype=np.float32) + np.float32(centre)) * (np.float32(size) / np.float32(count))
            indices = np.minimum(np.floor(places), size - 1)
            name = graph.node("Gather", name, graph.constant(indices, np.int64), axis=axis)
    return name


@layer("CenterCrop")
def center_crop(context: LayerContext, x: Tensor) -> Tensor:
    """Crop the centre of an image."""
    name, *sizes, channels = context.image(x)
    wanted = [context.integer("height"), context.integer("width")]
    begins = []
    for size, target in zip(sizes, wanted, strict=True):
        if size is None or size < target:
            raise context.refuse(f"cannot crop {wanted} pixels from an image of {sizes}")
        begins.append(int((size - target) / 2))
    ends = np.add(begins, wanted).tolist()
    cut = context.node("Slice", name, context.integers(*begins), context.integers(*ends), context.integers(2, 3))
    return context.image_tensor(cut, wanted[0], wanted[1], channels)
