"""Regions of an image, from the shapes that are drawn over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_webipred._napari.regions.region_layer import Drawing, Grid
from napari_webipred._napari.regions.region_place import SAME, Search, on_planes, refuse_tilted, wide
from napari_webipred.imaging.label_image import refuse_many
from napari_webipred.imaging.region import Region, polygon

ELLIPSE = 360  # corners of the polygon that stands for an ellipse: 0.04 pixels off with a radius of 1,000
PAUSE = 200  # shapes between two chances to cancel
# Why a shape is no region: of one shape, and of several.
NO_AREA = "line or path has no area|lines or paths have no area"
NOT_IN_ONE_PLANE = "shape does not lie in one plane|shapes do not lie in one plane"
OUTSIDE = "shape lies outside the stack|shapes lie outside the stack"


def of_drawing(drawing: Drawing, grid: Grid, blank: bool) -> Generator[None, None, Search]:
    """Make a region of each shape that has an area, as `region_search.search` says."""
    refuse_many(len(drawing.kinds))
    places, missing = _placed(drawing, grid)
    known = [row for row, axis in enumerate(grid.axes) if axis not in missing]
    along = np.floor(places[:, [grid.axes[row] for row in known]] + 0.5)
    regions: list[Region] = []
    left_out: Counter[str] = Counter()
    filled = True
    first = 0
    for number, (kind, end) in enumerate(zip(drawing.kinds, drawing.ends.tolist(), strict=True)):
        if number % PAUSE == 0:
            yield
        corners, planes, first = places[first:end, -2:], along[first:end], end
        fault = _fault(kind, planes, [grid.shape[grid.axes[row]] for row in known])
        if fault:
            left_out[fault] += 1
            continue
        box = kind == "rectangle" and _upright(corners)
        filled = filled and box
        outline = _ellipse(corners) if kind == "ellipse" else corners
        region = polygon(drawing.names[number], outline, blank=blank and not box)
        regions += on_planes(region, dict(zip(known, map(int, planes[0]), strict=True)), grid)
        refuse_many(len(regions))
    return Search(tuple(regions), filled, tuple(_words(fault, count) for fault, count in left_out.items()))


def _placed(drawing: Drawing, grid: Grid) -> tuple[NDArray[np.float64], set[int]]:
    """Return the corners in coordinates of the image, and which of its axes the shapes know nothing about."""
    of_image, of_shapes = len(grid.shape), drawing.points.shape[1]
    ndim = max(of_image, of_shapes)
    way = np.linalg.inv(wide(grid.matrix, ndim)) @ wide(drawing.matrix, ndim)
    refuse_tilted(way[ndim - of_shapes : -1, : ndim - of_shapes])
    points = np.zeros((len(drawing.points), ndim))
    points[:, ndim - of_shapes :] = drawing.points
    places = points @ way[:-1, :-1].T + way[:-1, -1]
    return places[:, ndim - of_image :], set(range(of_image - of_shapes))


def _fault(kind: str, planes: NDArray[np.float64], lengths: list[int]) -> str:
    """Say why a shape is no region of a stack with axes of these lengths; empty if it is one."""
    if kind in ("line", "path"):
        return NO_AREA
    if not np.isfinite(planes).all() or (planes != planes[0]).any():
        return NOT_IN_ONE_PLANE
    return "" if all(0 <= place < length for place, length in zip(planes[0], lengths, strict=True)) else OUTSIDE


def _words(fault: str, count: int) -> str:
    one, many = fault.split("|")
    return f"1 {one} and is left out." if count == 1 else f"{count:,} {many} and are left out."


def _upright(corners: NDArray[np.float64]) -> bool:
    """Tell whether the sides of a rectangle lie along the rows and columns of the image."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool((np.minimum(np.abs(corners - low), np.abs(corners - high)) < SAME).all())


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners on the ellipse that touches the four sides of a parallelogram."""
    turn = np.linspace(0, 2 * np.pi, ELLIPSE, endpoint=False)[:, None]
    across, along = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    ellipse: NDArray[np.float64] = (corners[0] + corners[2]) / 2 + across * np.cos(turn) + along * np.sin(turn)
    return ellipse
