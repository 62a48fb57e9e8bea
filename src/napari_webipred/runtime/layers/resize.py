"""Layers that change the size of an image."""

from __future__ import annotations

import numpy as np

from napari_webipred.runtime.graph import Attribute, Tensor
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
    name, _, _, channels = context.image(x)
    height, width = context.integer("height"), context.integer("width")
    nearest: dict[str, Attribute] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "half_pixel",
        "nearest_mode": "round_prefer_ceil",
    }
    attributes = nearest if context.option("interpolation") == "nearest" else _BILINEAR
    # The batch size is read from the tensor, because it is not fixed.
    kept = context.node(
        "Slice", context.node("Shape", name), context.integers(0), context.integers(2), context.integers(0)
    )
    sizes = context.node("Concat", kept, context.integers(height, width), axis=0)
    return context.image_tensor(context.node("Resize", name, "", "", sizes, **attributes), height, width, channels)


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
