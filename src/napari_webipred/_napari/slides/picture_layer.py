"""An image layer as a picture that is read in parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace
from napari.layers import Image

from napari_webipred import limits
from napari_webipred._napari.images.layers import axes_of, name_of, shape_of, shown_range
from napari_webipred._napari.images.place import place_shown
from napari_webipred._napari.images.understanding import BY_ITSELF, Understanding
from napari_webipred._napari.proxy import unwrapped
from napari_webipred.errors import OptionError
from napari_webipred.imaging.planes import READER as ARRAYS
from napari_webipred.imaging.source import Index, Source

if TYPE_CHECKING:
    from napari_webipred.imaging.pyramid import Pyramid

LARGE = 1024  # pixels along a side, from which on a heat map is offered
MICROMETRE = "micrometer"


def is_large(layer: Any) -> bool:
    """Tell whether a layer is an image so large that a model sees little of it."""
    return isinstance(layer, Image) and (layer.multiscale or max(shape_of(layer)[-2:]) >= LARGE)


def picture_of(
    layer: Image, dims: Any, understanding: Understanding = BY_ITSELF, *, limits: bool = False
) -> tuple[Pyramid, Index]:
    """Describe a layer with all its levels, and the plane that is shown; no pixel is read.

    Parameters
    ----------
    layer : Image
    dims : napari.components.Dims
        Where the sliders of the viewer are.
    understanding : Understanding
        What the user has chosen for the layer.
    limits : bool
        Whether the contrast limits of the layer are black and white.

    Raises
    ------
    WebIPredError
        It cannot be read in parts.
    """
    from napari_webipred.imaging.array_levels import pyramid_of_arrays

    axes = axes_of(layer, understanding)
    if any(not axis.in_rows and axis.use != "rgb" for axis in axes):
        raise OptionError(
            f"{name_of(layer)} is read as a projection, as one of its channels or as merged channels, which have no "
            "heat map.",
            "Press F2 on it in the list of images, and choose what gives each plane a row.",
        )
    data = unwrapped(layer.data)
    neutral = ["c" if axis.use == "rgb" else f"axis_{i}" for i, axis in enumerate(axes)]
    pyramid = pyramid_of_arrays(list(data) if layer.multiscale else data, name_of(layer), rgb=layer.rgb, axes=neutral)
    places = zip(axes, place_shown(layer, dims), strict=True)
    picture = replace(pyramid, pixel_size=_pixel_size(layer), intensity_range=shown_range(layer) if limits else None)
    return picture, tuple(place for axis, place in places if axis.use != "rgb")


def axes_along(layer: Image, understanding: Understanding = BY_ITSELF) -> tuple[int, ...]:
    """Return which axes of a layer's data the index of `picture_of` is along."""
    return tuple(i for i, axis in enumerate(axes_of(layer, understanding)) if axis.use != "rgb")


def coarse_source(layers: Sequence[Image], source: Source) -> Source:
    """Return what a source shows from a level that is soon read, if its layer is huge and has one.

    Parameters
    ----------
    layers : sequence of Image
        The layers that show the source.
    source : Source
    """
    if len(layers) != 1 or not layers[0].multiscale or source.reader != ARRAYS.id:
        return source
    shapes = [level.shape for level in unwrapped(layers[0].data)]
    pixels = [math.prod(shape) / math.prod(shapes[0]) * math.prod(shape_of(layers[0])[-2:]) for shape in shapes]
    level = next((i for i, count in enumerate(pixels) if count <= limits.LEVEL_PIXELS), len(pixels) - 1)
    if level == 0:
        return source
    memory = int(source.details.memory * pixels[level] / pixels[0])
    layout = replace(source.details, memory=memory, blocks=None)
    return replace(source, location=unwrapped(layers[0].data)[level], details=layout)


def _pixel_size(layer: Image) -> tuple[float, float] | None:
    """Return the micrometres along a pixel, down and across; None if the layer has no units of length."""
    units = tuple(getattr(layer, "units", ()))[-2:]
    if len(units) < 2 or not all(unit.is_compatible_with(MICROMETRE) for unit in units):
        return None
    down, across = (
        abs(float(scale)) * float((1 * unit).to(MICROMETRE).magnitude)
        for scale, unit in zip(np.asarray(layer.scale)[-2:], units, strict=True)
    )
    return down, across
