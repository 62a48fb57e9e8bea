"""Image layers, and how the engine sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from msgspec.structs import replace
from napari.layers import Image

from napari_webipred._napari.images.place import place_shown
from napari_webipred._napari.images.understanding import (
    BY_ITSELF,
    Axis,
    Planes,
    Understanding,
    in_words,
    reasons,
    taken,
    understood,
)
from napari_webipred._napari.proxy import unwrapped
from napari_webipred.errors import WebIPredError
from napari_webipred.imaging.intensity import EIGHT_BIT, UNIT
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.selection import (
    COLOURS,
    PROJECTED,
    Channel,
    Colour,
    merge,
    project,
    take_channel,
    take_planes,
)
from napari_webipred.imaging.source import Source
from napari_webipred.names import visible

KINDS = {"u": "-bit", "i": "-bit signed", "f": "-bit float"}
WHITE = (1.0, 1.0, 1.0)
MAP = "napari-webipred"  # in the metadata of layers that this program makes


def image_layers(viewer: Any) -> list[Image]:
    """Return the image layers of a viewer in the order in which they were opened, without proxies and without maps."""
    return [layer for layer in map(unwrapped, viewer.layers) if isinstance(layer, Image) and not is_map(layer)]


def is_map(layer: Image) -> bool:
    """Tell whether a layer shows maps of classes or an image under review, also if the user has duplicated it."""
    return layer.metadata.get(MAP) in ("map", "review")


def shows_classes(layer: Any) -> bool:
    """Tell whether a layer is a map of classes, also if the user has kept or duplicated it."""
    return bool(layer.metadata.get(MAP) == "map")


def axes_of(layer: Image, understanding: Understanding = BY_ITSELF) -> list[Axis]:
    """Return how the leading axes of a layer are understood."""
    lengths = _lengths(layer)
    return understood(_axis_names(layer) or [f"axis_{i}" for i in range(len(lengths))], lengths, understanding)


def source_of(
    layer: Image,
    understanding: Understanding = BY_ITSELF,
    planes: Planes = "all",
    dims: Any = None,
) -> Source:
    """Describe a layer for the engine without reading its pixels.

    Parameters
    ----------
    layer : Image
        Gamma does not count. Its contrast limits count where the user chooses the range ``"limits"``.
    understanding : Understanding
        What the user has chosen for the layer.
    planes : "all", "current" or slice
        What the user has chosen for all stacks.
    dims : napari.components.Dims, optional
        Where the sliders of the viewer are; without them, the current plane counts as all.

    Returns
    -------
    Source
        No place may be left of it, if a range begins after the end of the stack.

    Raises
    ------
    WebIPredError
        The layer does not contain an image.
    """
    axes = axes_of(layer, understanding)
    source = _plain_source(layer, axes)
    source = projected(source, axes)
    for axis in axes:
        if axis.use == "merge":
            channels = [Channel(take_channel(source, axis.name, n), COLOURS[name]) for n, name in axis.channels]
            source = merge(source.name, channels)
    current = None if dims is None else place_shown(layer, dims)
    return with_planes(source, taken(axes, planes, current))


def _plain_source(layer: Image, axes: list[Axis]) -> Source:
    """Describe a layer with these axes, of which none is taken for colours only because of its name."""
    neutral = ["c" if axis.use == "rgb" else f"axis_{i}" for i, axis in enumerate(axes)]
    source = array_source(unwrapped(layer.data), name_of(layer), rgb=layer.rgb, axes=neutral)
    return replace(source, axes=tuple(axis.name for axis in axes if axis.use != "rgb"))


def projected(source: Source, axes: list[Axis]) -> Source:
    """Project a source along those axes of which the user wants the maximum or the mean."""
    for axis in axes:
        if axis.use in PROJECTED:
            source = project(source, axis.name, axis.use, axis.places)  # type: ignore[arg-type]
    return source


def with_planes(source: Source, places: dict[str, range]) -> Source:
    """Take these places along the axes of a source; there may be none."""
    if all(places.values()):
        whole = dict(zip(source.axes, map(range, source.shape), strict=True))
        return source if places == whole else take_planes(source, places)
    return replace(source, planes=tuple(places[axis] for axis in source.axes))


def grey_source(layer: Image, axes: list[str]) -> Source:
    """Describe a grey layer for merging it with others; all its leading axes, called so, are planes."""
    neutral = [f"axis_{i}" for i in range(len(axes))]
    return replace(array_source(unwrapped(layer.data), name_of(layer), rgb=False, axes=neutral), axes=tuple(axes))


def row_axes(layer: Image, understanding: Understanding = BY_ITSELF) -> tuple[int, ...]:
    """Return which axes of a layer's data are the axes of its source."""
    return tuple(i for i, axis in enumerate(axes_of(layer, understanding)) if axis.in_rows)


def shown_range(layer: Image) -> tuple[float, float]:
    """Return the intensities that a layer shows as black and white; napari shows colours always in their full range."""
    if not layer.rgb:
        low, high = layer.contrast_limits
        return float(low), float(high)
    return EIGHT_BIT if np.dtype(layer.dtype).kind in "ui" else UNIT


def colour_of(layer: Image) -> Colour:
    """Return the colour that a layer shows for white: the end of its colormap, or its beginning if that is black."""
    colours = np.asarray(layer.colormap.colors, float)[:, :3]
    for red, green, blue in (colours[-1], colours[0]):
        if red or green or blue:
            return float(red), float(green), float(blue)
    return WHITE


def name_of(layer: Any) -> str:
    """Return the name of a layer, which may come from a file, so that every character of it can be seen."""
    return visible(layer.name)


def describe(layer: Image, understanding: Understanding = BY_ITSELF, planes: Planes = "all") -> tuple[str, bool]:
    """Describe how a layer is read, or why it cannot be classified; and return whether it can."""
    try:
        source_of(layer, understanding, planes)
    except WebIPredError as error:
        return error.message, False
    words = in_words(axes_of(layer, understanding), planes, _is_named(layer, understanding))
    pixels = pixels_of(layer)
    if not words:
        words, pixels = [f"2-D {pixels}" if layer.rgb else f"2-D, {pixels}"], ""
    return " · ".join((*words, *([pixels] if pixels else []), size_of(layer))), True


def why(layer: Image, understanding: Understanding = BY_ITSELF) -> str:
    """Say why a layer is read as it is; empty where there is nothing to say."""
    words = reasons(axes_of(layer, understanding))
    if layer.rgb:
        words.append("Taken as RGB because napari shows the layer in colours.")
    if layer.multiscale:
        words.append(f"The first of its {len(layer.data)} levels is used, which has the full size.")
    return " ".join(words)


def pixels_of(layer: Image) -> str:
    """Say of what kind the pixels are: ``16-bit``."""
    full = _full_size(layer)
    return ("RGBA" if full.shape[-1] == 4 else "RGB") if layer.rgb else _depth(np.dtype(full.dtype))


def size_of(layer: Image) -> str:
    """Say how many pixels a plane has: ``512 × 512``."""
    shape = _full_size(layer).shape
    height, width = shape[-3:-1] if layer.rgb else shape[-2:]
    return f"{width} × {height}"


def shape_of(layer: Image) -> tuple[int, ...]:
    """Return the lengths of all axes of a layer, without that of RGB."""
    shape = tuple(map(int, _full_size(layer).shape))
    return shape[:-1] if layer.rgb else shape


def _full_size(layer: Image) -> Any:
    data = unwrapped(layer.data)
    return data[0] if layer.multiscale else data


def _lengths(layer: Image) -> tuple[int, ...]:
    return shape_of(layer)[:-2]


def _is_named(layer: Image, understanding: Understanding) -> bool:
    names = [choice.name for choice in understanding.axes]
    return _axis_names(layer) is not None or (len(names) == layer.ndim - 2 and any(names))


def _axis_names(layer: Image) -> tuple[str, ...] | None:
    """Names that somebody gave to the axes; napari's own are ``-3``, in older versions ``axis -3``."""
    names = tuple(map(visible, getattr(layer, "axis_labels", ())))[:-2]
    own = any(re.fullmatch(r"(axis )?-?\d+", name) for name in names)
    given = all(names) and len(set(names)) == len(names) and not own
    return names if given else None


def names_of_axes(layers: Iterable[Image]) -> list[str]:
    """Return the names of the leading axes: those of the first layer that has any."""
    given = list(layers)
    names = next((names for layer in given if (names := _axis_names(layer))), None)
    return list(names) if names else [f"axis_{i}" for i in range(len(_lengths(given[0])))]


def _depth(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "black and white"
    return f"{dtype.itemsize * 8}{KINDS[dtype.kind]}"
