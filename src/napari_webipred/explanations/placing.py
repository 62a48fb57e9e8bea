"""From the grid of a network to the pixels of the image: enlarge, and undo resize, crop and padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.card import Input, Preprocessing
from napari_webipred.imaging.span import Span, spans

if TYPE_CHECKING:
    from napari_webipred.imaging.region import Region

    Places = tuple[NDArray[np.floating], NDArray[np.floating]]


class Placing(Struct, frozen=True):
    """Where the cells of a grid lie on an image; see `placed`.

    Attributes
    ----------
    shape : tuple of int
        (height, width) of the image or region.
    target : Input
        The model input.
    preprocessing : Preprocessing
        How the image becomes the model input.
    """

    shape: tuple[int, int]
    target: Input
    preprocessing: Preprocessing

    def enlarged(self, grid: NDArray[np.floating], at: Places | None = None) -> NDArray[np.float32]:
        """Enlarge a map of shape (rows, columns) to the pixels of the image, or to other places in it; see `placed`."""
        return placed(grid, self.shape, self.target, self.preprocessing, at)


def placed(
    grid: NDArray[np.floating],
    shape: tuple[int, int],
    target: Input,
    preprocessing: Preprocessing,
    at: Places | None = None,
) -> NDArray[np.float32]:
    """Enlarge a map to the pixels of the image that it belongs to.

    The grid divides the model input evenly; between the centres of its cells values are interpolated linearly, outside
    of the outermost ones they stay the same.

    Parameters
    ----------
    grid : ndarray, shape (rows, columns)
    shape : tuple of int
        (height, width) of the image.
    target : Input
        The model input.
    preprocessing : Preprocessing
        How the image becomes the model input.
    at : pair of ndarray, optional
        Places down and across the image whose values are wanted, in pixels from its upper left corner; by default the
        centre of each pixel: 0.5, 1.5, ...

    Returns
    -------
    ndarray of float32, shape (height, width)
        NaN where the image was cropped.
    """
    down, across = spans(shape, (target.height, target.width), preprocessing)
    centres = (np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5) if at is None else at
    rows, seen_rows = _positions(centres[0], down, grid.shape[0])
    columns, seen_columns = _positions(centres[1], across, grid.shape[1])
    values = _interpolated(_interpolated(np.asarray(grid, np.float32), rows).T, columns).T
    values[~seen_rows] = np.nan
    values[:, ~seen_columns] = np.nan
    return np.ascontiguousarray(values)


def _positions(centres: NDArray[np.floating], span: Span, cells: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where places along an axis lie among the centres of the cells, and which of them the model sees."""
    places = (centres - span.start) / span.length  # 0 to 1 within the model input
    inside = (places > 0) & (places < 1)
    return np.clip(places * cells - 0.5, 0, cells - 1).astype(np.float32), inside


def _interpolated(values: NDArray[np.float32], positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate along the first axis."""
    lower = np.minimum(positions.astype(np.intp), len(values) - 1)
    upper = np.minimum(lower + 1, len(values) - 1)
    share = (positions - lower)[:, None].astype(np.float32)
    mixed: NDArray[np.float32] = values[lower] * (1 - share) + values[upper] * share
    return mixed


def affine_of(region: Region | None) -> NDArray[np.float64]:
    """Return what leads from (row, column, 1) of a map to those of the image: a region begins at its box."""
    affine = np.eye(3)
    if region is not None:
        affine[:2, 2] = max(region.box[0], 0), max(region.box[1], 0)
    return affine
