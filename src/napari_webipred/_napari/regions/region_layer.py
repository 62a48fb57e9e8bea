"""What a Shapes or Labels layer has drawn, and how an image lies below it, as they are at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from napari.layers import Image, Labels, Shapes
from numpy.typing import NDArray

from napari_webipred._napari.images.layers import MAP
from napari_webipred._napari.proxy import unwrapped
from napari_webipred.names import visible
from napari_webipred.results.columns import unique

NAMES = ("name", "label")  # columns of features that name shapes, the first one counts


class Grid(Struct, frozen=True, eq=False):
    """How the pixels of an image lie in the world.

    Attributes
    ----------
    matrix : ndarray of float64, shape (d + 1, d + 1)
        From its data to the world, in homogeneous coordinates.
    shape : tuple of int
        Lengths of its axes, the last two those of a plane.
    axes : tuple of int
        Which of them are axes of its rows.
    """

    matrix: NDArray[np.float64]
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for images that lie alike."""
        return self.matrix.tobytes(), self.shape, self.axes


class Drawing(Struct, frozen=True, eq=False):
    """The shapes of a layer.

    Attributes
    ----------
    points : ndarray of float64, shape (n, d)
        The corners of all shapes, one shape after the other.
    ends : ndarray of int, shape (shapes,)
        Where each shape ends in `points`.
    kinds, names : tuple of str
        What each one is in napari, and what it is called.
    matrix : ndarray of float64, shape (d + 1, d + 1)
        From the layer's data to the world.
    """

    points: NDArray[np.float64]
    ends: NDArray[np.intp]
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    matrix: NDArray[np.float64]

    def shapes(self) -> Iterable[tuple[str, bytes]]:
        """Yield kind and corners of each shape, as something that can be compared."""
        first = 0
        for kind, end in zip(self.kinds, self.ends, strict=True):
            yield kind, self.points[first:end].tobytes()
            first = end


class Painting(Struct, frozen=True, eq=False):
    """The labels of a layer: its array, of which nothing was read yet, and the way from it to the world."""

    name: str
    data: Any
    matrix: NDArray[np.float64]


def region_layers(viewer: Any) -> list[Any]:
    """Return the layers of a viewer that can hold regions, without proxies and without what this program has drawn."""
    drawn = (layer for layer in map(unwrapped, viewer.layers) if isinstance(layer, (Shapes, Labels)))
    return [layer for layer in drawn if MAP not in layer.metadata]


def grid_of(layer: Image, axes: Sequence[int]) -> Grid:
    """Tell how an image layer lies in the world; `axes` are those of its data that are axes of its rows."""
    full = _full_size(layer)
    shape = full.shape[:-1] if layer.rgb else full.shape
    return Grid(_matrix(layer), tuple(map(int, shape)), tuple(axes))


def drawn(layer: Any) -> Drawing | Painting:
    """Take what a layer has drawn now: a copy of its shapes, or its array of labels."""
    if isinstance(layer, Labels):
        return Painting(visible(layer.name), _full_size(layer), _matrix(layer))
    return drawing_of(layer)


def drawing_of(layer: Shapes) -> Drawing:
    """Take a copy of the shapes of a layer."""
    data = layer.data
    points = np.concatenate(data).astype(np.float64) if data else np.zeros((0, layer.ndim))
    ends = np.cumsum([len(shape) for shape in data], dtype=np.intp)
    return Drawing(points, ends, tuple(map(str, layer.shape_type)), shape_names(layer), _matrix(layer))


def _full_size(layer: Any) -> Any:
    data = unwrapped(layer.data)
    return data[0] if layer.multiscale else data


def _matrix(layer: Any) -> NDArray[np.float64]:
    """Find the way from data to world by what becomes of the origin and of a step along each axis."""
    ndim = layer.ndim
    origin = np.asarray(layer.data_to_world(np.zeros(ndim)))
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = origin
    for axis in range(ndim):
        matrix[:-1, axis] = np.asarray(layer.data_to_world(np.eye(ndim)[axis])) - origin
    return matrix


def shape_names(layer: Shapes) -> tuple[str, ...]:
    """Name each shape: what the user calls it, or its number counted from 1; no name stands twice."""
    column = next((layer.features[name] for name in NAMES if name in layer.features), None)
    given = [""] * layer.nshapes if column is None else [_text(value) for value in column]
    return tuple(unique([name or str(number) for number, name in enumerate(given, 1)]))


def selected_region(layer: Any | None) -> str | None:
    """Return the name of the one region that is selected in a layer; None if none or several are."""
    if layer is None:
        return None
    if isinstance(layer, Labels):
        return str(int(layer.selected_label))
    chosen = list(layer.selected_data)
    return shape_names(layer)[chosen[0]] if len(chosen) == 1 else None


def selection_events(layer: Any) -> Any:
    """Return what emits when another region is selected in a layer."""
    return layer.events.selected_label if isinstance(layer, Labels) else layer.selected_data.events.items_changed


def _text(value: Any) -> str:
    """Write a name that somebody gave; nothing for one that is missing."""
    if value is None or value != value:  # NaN is the number that differs from itself
        return ""
    whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return visible(str(int(value) if whole else value).strip())
