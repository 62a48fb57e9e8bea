"""Images for *File > Open Sample > napari-webipred*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LayerData = tuple[Any, dict[str, Any], str]

PLANES = 12
WIDEST_BLUR = 6.0


def images() -> list[LayerData]:
    """Return the sample images of the demonstration model, each as a layer; an empty viewer shows them side by side."""
    from napari import current_viewer

    from napari_webipred._napari.images.place import grid

    viewer = current_viewer()
    if viewer is not None and not len(viewer.layers):
        grid(viewer).enabled = True
    return _images()


def _images() -> list[LayerData]:
    from napari_webipred.imaging.readers import file_source, read
    from napari_webipred.samples import sample_images

    layers: list[LayerData] = []
    for path in sample_images():
        pixels = read(file_source(path), ())
        layers.append((pixels, {"name": path.stem.replace("_", " "), "rgb": pixels.ndim == 3}, "image"))
    return layers


def focus_series() -> list[LayerData]:
    """Return a stack along z that runs through the focus: sharp in the middle, blurred at both ends."""
    from PIL import Image, ImageFilter

    image = Image.fromarray(_grey(_images()[0][0]))
    middle = (PLANES - 1) / 2
    planes = [
        np.asarray(image.filter(ImageFilter.GaussianBlur(WIDEST_BLUR * abs(z - middle) / middle)))
        for z in range(PLANES)
    ]
    return [(np.stack(planes), {"name": "focus series", "axis_labels": ("z", "y", "x")}, "image")]


def _grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=-1).astype(np.uint8)
