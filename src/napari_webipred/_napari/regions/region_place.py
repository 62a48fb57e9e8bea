"""Where regions lie on the planes of an image, and what was found of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred._napari.regions.region_layer import Grid
from napari_webipred.errors import ImageError
from napari_webipred.imaging.label_image import refuse_many
from napari_webipred.imaging.region import Region

Index = tuple[int, ...]
SAME = 1e-6  # pixels; napari keeps corners with 7 digits


class Search(Struct, frozen=True, eq=False):
    """What was found.

    Attributes
    ----------
    regions : tuple of Region
    filled : bool
        Whether each of them fills its box, so that nothing could be made black.
    left_out : tuple of str
        Why some shapes are no regions, in words.
    marks : dict of (str, Index or None) to Any
        What to compare to know whether a label still has the same pixels, for each name and plane.
    """

    regions: tuple[Region, ...] = ()
    filled: bool = True
    left_out: tuple[str, ...] = ()
    marks: dict[tuple[str, Index | None], Any] = field(default_factory=dict)


def on_planes(region: Region, index: dict[int, int], grid: Grid) -> Iterable[Region]:
    """Put a region on each plane that it lies on: all along the axes that it knows nothing about."""
    if not index:
        return [region]
    places = [[index[row]] if row in index else range(grid.shape[axis]) for row, axis in enumerate(grid.axes)]
    refuse_many(prod(map(len, places)))
    return [replace(region, index=plane) for plane in product(*places)]


def wide(matrix: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
    """Give a matrix more axes, before those that it has."""
    wide = np.eye(ndim + 1)
    first = ndim + 1 - len(matrix)
    wide[first:, first:] = matrix
    return wide


def refuse_tilted(part: NDArray[np.float64]) -> None:
    if part.size and np.abs(part).max() > SAME:
        raise ImageError(
            "The regions and the image are rotated against each other out of their planes.",
            "Choose regions that lie in the planes of the image.",
        )
