"""Layers that change the size of a picture."""

from __future__ import annotations

import numpy as np

from napari_webipred.runtime.graph import Attribute, Tensor
from napari_webipred.runtime.layers.context import Build
from napari_webipred.runtime.layers.registry import layer

_BILINEAR: dict[str, Attribute] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


@layer("UpSampling2D", interpolation=("nearest", "bilinear"))
def upsampling(build: Build, x: Tensor) -> Tensor:
    """Enlarge a picture by whole factors."""
    name, height, width, channels = build.picture(x)
    vertical, horizontal = build.pair("size", 2)
    nearest: dict[str, Attribute] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    attributes = _BILINEAR if build.option("interpolation") == "bilinear" else nearest
    scales = build.constant([1, 1, vertical, horizontal])
    made = build.node("Resize", name, "", scales, **attributes)
    taller = None if height is None else height * vertical
    return build.made_picture(made, taller, None if width is None else width * horizontal, channels)


@layer(
    "Resizing",
    interpolation=("bilinear", "nearest"),
    crop_to_aspect_ratio=(False,),
    antialias=(False,),
    pad_to_aspect_ratio=(False,),
)
def resizing(build: Build, x: Tensor) -> Tensor:
    """Bring a picture to a fixed size, without smoothing before."""
    name, _, _, channels = build.picture(x)
    height, width = build.integer("height"), build.integer("width")
    nearest: dict[str, Attribute] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "half_pixel",
        "nearest_mode": "round_prefer_ceil",
    }
    attributes = nearest if build.option("interpolation") == "nearest" else _BILINEAR
    # The batch and the channels are taken from the tensor, for the batch has no fixed size.
    kept = build.node("Slice", build.node("Shape", name), build.integers(0), build.integers(2), build.integers(0))
    sizes = build.node("Concat", kept, build.integers(height, width), axis=0)
    return build.made_picture(build.node("Resize", name, "", "", sizes, **attributes), height, width, channels)


@layer("CenterCrop")
def center_crop(build: Build, x: Tensor) -> Tensor:
    """Cut the middle out of a picture."""
    name, *sizes, channels = build.picture(x)
    wanted = [build.integer("height"), build.integer("width")]
    begins = []
    for size, target in zip(sizes, wanted, strict=True):
        if size is None or size < target:
            raise build.refuse(f"cannot cut {wanted} pixels out of a picture of {sizes}")
        begins.append(int((size - target) / 2))
    ends = np.add(begins, wanted).tolist()
    cut = build.node("Slice", name, build.integers(*begins), build.integers(*ends), build.integers(2, 3))
    return build.made_picture(cut, wanted[0], wanted[1], channels)
