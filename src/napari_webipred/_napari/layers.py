"""Image layers, and how the engine sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from napari.layers import Image

from napari_webipred._napari.viewer_session import unwrapped
from napari_webipred.errors import WebIPredError
from napari_webipred.imaging.intensity import EIGHT_BIT, UNIT
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.selection import one_plane
from napari_webipred.imaging.source import Source
from napari_webipred.names import visible

SCENE_IN_ORDER = "_update_scenegraph"  # what napari calls it; under another name hiding is only slower
KINDS = {"u": "-bit", "i": "-bit signed", "f": "-bit float"}


def image_layers(viewer: Any) -> list[Image]:
    """Return the image layers of a viewer in the order in which they were opened, without proxies."""
    return [layer for layer in map(unwrapped, viewer.layers) if isinstance(layer, Image)]


def source_of(layer: Image, point: tuple[float, ...] | None = None) -> Source:
    """Describe a layer for the engine without reading its pixels.

    Parameters
    ----------
    layer : Image
        Gamma and colormap do not count. Its contrast limits count where the user chooses the range ``"limits"``.
    point : tuple of float, optional
        Take only the plane at this point of the world, such as ``viewer.dims.point``.

    Raises
    ------
    ImageError
        The layer does not contain an image.
    """
    data, name = unwrapped(layer.data), name_of(layer)
    source = array_source(data, name, rgb=layer.rgb, axes=_axis_names(layer))
    return source if point is None or not source.axes else one_plane(source, _index_at(layer, source, point))


def shown_range(layer: Image) -> tuple[float, float]:
    """Return the intensities that a layer shows as black and white; napari shows colours always in their full range."""
    if not layer.rgb:
        low, high = layer.contrast_limits
        return float(low), float(high)
    return EIGHT_BIT if np.dtype(layer.dtype).kind in "ui" else UNIT


def name_of(layer: Any) -> str:
    """Return the name of a layer, which may come from a file, so that every character of it can be seen."""
    return visible(layer.name)


def describe(layer: Image) -> tuple[str, bool]:
    """Describe how a layer is read, or why it cannot be classified; and return whether it can."""
    try:
        source = source_of(layer)
    except WebIPredError as error:
        return error.message, False
    data = unwrapped(layer.data)
    first = data[0] if layer.multiscale else data
    height, width = first.shape[-3:-1] if layer.rgb else first.shape[-2:]
    pixels = ("RGBA" if first.shape[-1] == 4 else "RGB") if layer.rgb else _depth(np.dtype(first.dtype))
    colours = len(source.axes) < first.ndim - 2 - layer.rgb
    if not source.axes:
        plain = "3 channels as RGB · " if colours else "2-D " if layer.rgb else "2-D, "
        return f"{plain}{pixels} · {width} × {height}", True
    pixels = f"3 channels as RGB · {pixels}" if colours else pixels
    count = " × ".join(map(str, source.shape))
    along = f" along {', '.join(source.axes)}" if _axis_names(layer) else ""
    return f"{count} planes{along} · {pixels} · {width} × {height}", True


def show(viewer: Any, layer: Any, position: Mapping[str, int], others: Iterable[Any] = ()) -> None:
    """Select a layer and move the sliders to one of its planes; hide those of the others that lie over it."""
    layers = list(map(unwrapped, viewer.layers))
    if layer not in layers:
        return
    over = [] if _grid(viewer).enabled else layers[layers.index(layer) + 1 :]
    _toggle([*(other for other in over if other.visible and other in others), *([] if layer.visible else [layer])])
    viewer.layers.selection.active = layer
    if not position:
        return
    data_point = [0.0] * layer.ndim
    axes = _data_axes(layer, tuple(position))
    for axis, i in zip(axes, position.values(), strict=True):
        data_point[axis] = i
    world = layer.data_to_world(data_point)
    first = viewer.dims.ndim - layer.ndim
    for axis in axes:
        viewer.dims.set_point(first + axis, world[axis])


def _toggle(layers: list[Any]) -> None:
    """Show hidden layers and hide shown ones; napari orders its whole scene for each, which for many takes seconds."""
    with ExitStack() as stack:
        for emitter in [layer.events.visible for layer in layers[:-1]]:
            for owner, name in (callback for callback in emitter.callbacks if isinstance(callback, tuple)):
                if name == SCENE_IN_ORDER and owner() is not None:
                    stack.enter_context(emitter.blocker(getattr(owner(), name)))
        for layer in layers:
            layer.visible = not layer.visible


def _grid(viewer: Any) -> Any:
    """Return the settings of the grid, which belong to the canvas since napari 0.9."""
    canvas = getattr(unwrapped(viewer), "canvas", None)
    return unwrapped(viewer).grid if canvas is None else canvas.grid


def position_shown(viewer: Any, layer: Image) -> tuple[int, ...]:
    """Return which plane of a layer the viewer shows."""
    return _index_at(layer, source_of(layer), tuple(viewer.dims.point))


def _index_at(layer: Image, source: Source, point: tuple[float, ...]) -> tuple[int, ...]:
    place = layer.world_to_data(point)
    axes = _data_axes(layer, source.axes)
    lengths = zip(axes, source.shape, strict=True)
    return tuple(int(np.clip(round(float(place[axis])), 0, length - 1)) for axis, length in lengths)


def _data_axes(layer: Image, axes: tuple[str, ...]) -> list[int]:
    """Return which axes of the data are those of a source: all leading ones except that of the colours."""
    names = _axis_names(layer) or ()
    return [names.index(axis) if axis in names else i for i, axis in enumerate(axes)]


def _axis_names(layer: Image) -> tuple[str, ...] | None:
    """Names that somebody gave to the axes; napari's own are ``-3``, in older versions ``axis -3``."""
    names = tuple(map(visible, getattr(layer, "axis_labels", ())))[:-2]
    own = any(re.fullmatch(r"(axis )?-?\d+", name) for name in names)
    given = all(names) and len(set(names)) == len(names) and not own
    return names if given else None


def _depth(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "black and white"
    return f"{dtype.itemsize * 8}{KINDS[dtype.kind]}"
