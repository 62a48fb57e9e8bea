"""Where a layer is in the viewer: which plane is shown, and how another one is shown."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from napari_webipred._napari.proxy import unwrapped
from napari_webipred.imaging.source import Source

LEAST_MOVE = 1e-9
SCENE_IN_ORDER = "_update_scenegraph"  # what napari calls it; under another name hiding is only slower


class Target:
    """What the rows of a source are about, as it was when their run began.

    Parameters
    ----------
    layers : sequence of napari.layers.Image
        The layers that show it, held weakly; several if they are merged, none of a file.
    axes : tuple of int
        Which axes of their data the axes of the source are.
    path : Path, optional
        The file that was given instead of a layer.
    source : Source, optional
        How that file is read.
    """

    __slots__ = ("_layers", "axes", "path", "source")

    def __init__(
        self,
        layers: Sequence[Any],
        axes: tuple[int, ...] = (),
        path: Path | None = None,
        source: Source | None = None,
    ) -> None:
        self._layers = [weakref.ref(layer) for layer in layers]
        self.axes = axes
        self.path = path
        self.source = source

    @property
    def layers(self) -> list[Any]:
        """The layers that are still there."""
        return [layer for reference in self._layers if (layer := reference()) is not None]

    def take(self, *layers: Any) -> None:
        """Let layers take the place of those that are gone."""
        self._layers = [weakref.ref(layer) for layer in layers]

    def places(self, index: Sequence[int], lengths: tuple[int, ...]) -> dict[int, int]:
        """Return where a plane of the source is along the leading axes of the layers' data, which have these lengths.

        The planes of a file can have other axes in napari; they are in the same order.
        """
        if self.source is None:
            pairs = zip(self.axes, index, strict=True)
            return {axis: place for axis, place in pairs if axis < len(lengths)}
        if math.prod(lengths) != math.prod(self.source.shape):
            return {}
        number = np.ravel_multi_index(tuple(index), self.source.shape) if index else 0
        return dict(enumerate(map(int, np.unravel_index(number, lengths)))) if lengths else {}


def place_shown(layer: Any, dims: Any) -> tuple[int, ...]:
    """Return the place along each leading axis of a layer's data that is shown, as ``viewer.dims`` has the sliders.

    napari leaves what a rotated or sheared layer has out of the plane out of account, and so does this.
    """
    origin, linear = _world_to_places(layer, dims)
    places = origin + linear @ _sliders(layer, dims)
    return tuple(
        int(np.clip(np.round(place), 0, length - 1))
        for place, length in zip(places, leading_lengths(layer), strict=True)
    )


def hides_planes(layer: Any, dims: Any, axes: Iterable[int]) -> bool:
    """Tell whether the viewer shows a layer along one of these axes of its data, so that no plane of it is seen."""
    first = dims.ndim - layer.ndim
    return any(first + axis in dims.displayed for axis in axes)


def position_along(target: Target, axes: Iterable[str], shown: tuple[int, ...]) -> dict[str, int]:
    """Return the position of a source with these axes at a place along the leading axes of its layer."""
    pairs = zip(axes, target.axes, strict=True)
    return {axis: shown[number] for axis, number in pairs if number < len(shown)}


def length_along(target: Target, axes: Iterable[str], axis: str) -> int:
    """Return how many planes the layer of a source with these axes has along one of them; 0 if the layer is gone."""
    lengths = leading_lengths(target.layers[0]) if target.layers else ()
    return position_along(target, axes, lengths).get(axis, 0)


def show(viewer: Any, target: Target, position: Mapping[str, int], others: Iterable[Any] = ()) -> None:
    """Select the layers of a target and move the sliders to one of its planes; hide those of the others over it."""
    layers = list(map(unwrapped, viewer.layers))
    shown = [layer for layer in target.layers if layer in layers]
    if not shown:
        return
    places = [layers.index(layer) for layer in shown]
    over = [] if grid(viewer).enabled else layers[min(places) + 1 :]
    hidden = [layer for layer in over if layer.visible and layer not in shown and layer in others]
    _toggle([*hidden, *(layer for layer in shown if not layer.visible)])
    viewer.layers.selection.active = layers[max(places)]
    _move(viewer.dims, shown[0], target.places(list(position.values()), leading_lengths(shown[0])))
    _centre(viewer)


def _move(dims: Any, layer: Any, places: Mapping[int, int]) -> None:
    """Move the sliders so that these axes of a layer's data are at these places."""
    if not places:  # a plain image, or the layer has got other data
        return
    origin, linear = _world_to_places(layer, dims)
    before = _sliders(layer, dims)
    goal = origin + linear @ before
    for axis, place in places.items():
        goal[axis] = place
    # The nearest there is: an axis that is turned by 90 degrees into the plane has no slider.
    after = np.linalg.lstsq(linear, goal - origin, rcond=None)[0]
    moved = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if abs(new - old) > LEAST_MOVE]
    first = dims.ndim - layer.ndim
    if moved:
        dims.set_point([first + i for i in moved], [float(after[i]) for i in moved])


def _centre(viewer: Any) -> None:
    """Centre a view in 3D on the plane: since napari 0.9 it says where the slider is when the view is in 2D again."""
    camera: Any = getattr(getattr(unwrapped(viewer), "scene", None), "camera", None)
    if viewer.dims.ndisplay == 3 and viewer.dims.ndim >= 3 and getattr(camera, "synced", False):
        camera.center = (viewer.dims.point[viewer.dims.order[-3]], *camera.center[1:])


def _world_to_places(layer: Any, dims: Any) -> tuple[Any, Any]:
    """Return origin and matrix that make places along the leading axes of a layer out of those of the sliders."""
    count = layer.ndim - 2
    origin = np.asarray(layer.world_to_data(np.zeros(layer.ndim)), float)
    columns = [np.asarray(layer.world_to_data(unit), float) - origin for unit in np.eye(layer.ndim)[:count]]
    linear = np.array([column[:count] for column in columns]).reshape(count, count).T
    return origin[:count], linear * _unit_factors(layer, dims)[:count]


def _unit_factors(layer: Any, dims: Any) -> Any:
    """Return how many units of a layer one unit of the sliders is, along each axis; they differ since napari 0.9."""
    units = getattr(dims, "units", None)
    if not units or len(units) < layer.ndim:
        return np.ones(layer.ndim)
    pairs = zip(units[-layer.ndim :], layer.units, strict=True)
    return np.array([_in_base_units(world) / _in_base_units(own) for world, own in pairs])


def _in_base_units(unit: Any) -> float:
    return float((1 * unit).to_base_units().magnitude)


def _sliders(layer: Any, dims: Any) -> Any:
    """Return where the sliders of the leading axes of a layer are."""
    point = np.asarray(dims.point, float)[-layer.ndim :]
    return np.concatenate([np.zeros(layer.ndim - len(point)), point])[: layer.ndim - 2]


def leading_lengths(layer: Any) -> tuple[int, ...]:
    """Return the lengths of the axes of a layer's data before height and width."""
    data = unwrapped(layer.data)
    return tuple((data[0] if layer.multiscale else data).shape[: layer.ndim - 2])


def _toggle(layers: list[Any]) -> None:
    """Show hidden layers and hide shown ones; napari orders its whole scene for each, which for many takes seconds."""
    with ExitStack() as stack:
        for emitter in [layer.events.visible for layer in layers[:-1]]:
            for owner, name in (callback for callback in emitter.callbacks if isinstance(callback, tuple)):
                if name == SCENE_IN_ORDER and owner() is not None:
                    stack.enter_context(emitter.blocker(getattr(owner(), name)))
        for layer in layers:
            layer.visible = not layer.visible


def grid(viewer: Any) -> Any:
    """Return the settings of the grid, which belong to the canvas since napari 0.9."""
    canvas = getattr(unwrapped(viewer), "canvas", None)
    return unwrapped(viewer).grid if canvas is None else canvas.grid
