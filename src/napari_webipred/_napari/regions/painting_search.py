"""Regions of an image, from the labels that are painted over it."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred._napari.regions.region_layer import Grid, Painting
from napari_webipred._napari.regions.region_place import SAME, Index, Search, on_planes, refuse_tilted, wide
from napari_webipred.errors import ImageError
from napari_webipred.imaging.label_image import label_boxes, refuse_many
from napari_webipred.imaging.region import Region

BAND = 2**20  # pixels that are looked up at a time


def of_painting(painting: Painting, grid: Grid, blank: bool) -> Generator[None, None, Search]:
    """Make a region of each label on each plane; `napari_webipred._napari.regions.region_search.search` says more."""
    ndim = len(grid.shape)
    lead = ndim - painting.data.ndim  # axes of the image that the labels know nothing about
    if lead < 0:
        raise ImageError(
            f"The layer {painting.name} has {painting.data.ndim} axes, the image {ndim}.",
            "Choose labels with as many axes as the image, or with two.",
        )
    way = np.linalg.inv(wide(painting.matrix, ndim)) @ wide(grid.matrix, ndim)
    refuse_tilted(way[lead:-1, :lead])
    refuse_tilted(way[lead:-3, -3:-1])
    known = [row for row, axis in enumerate(grid.axes) if axis >= lead]
    regions: list[Region] = []
    marks: dict[tuple[str, Index | None], Any] = {}
    kept = 0
    for places in product(*(range(grid.shape[grid.axes[row]]) for row in known)):
        yield
        point = np.zeros(ndim + 1)
        point[[*(grid.axes[row] for row in known), -1]] = (*places, 1)
        plane = _label_plane(painting.data, way[:-1, -3:-1], way[:-1] @ point, lead, grid.shape[-2:])
        if plane is None:
            continue
        numbers, boxes, found = label_boxes(plane)
        if blank and not _belongs_to(plane, painting.data):
            plane = plane.astype(np.min_scalar_type(int(numbers.max(initial=0))))
            kept += plane.nbytes
            _refuse_large(kept, painting.name)
        for number, box, mark in zip(numbers.tolist(), map(tuple, boxes.tolist()), found.tolist(), strict=True):
            inside = plane[box[0] : box[2], box[1] : box[3]] if blank else None
            region = Region(str(int(number)), box, inside=inside, label=int(number))
            for each in on_planes(region, dict(zip(known, places, strict=True)), grid):
                regions.append(each)
                marks[each.name, each.index] = (*box, mark)
        refuse_many(len(regions))
    return Search(tuple(regions), False, (), marks)


def _label_plane(
    data: Any, matrix: NDArray[np.float64], at: NDArray[np.float64], lead: int, shape: tuple[int, ...]
) -> NDArray[Any] | None:
    """Look up the label of each pixel of a plane of the image, at its centre; None if the labels have no such plane.

    Parameters
    ----------
    data : array of int
        All labels.
    matrix : ndarray, shape (d, 2)
        How much further a step down and a step to the right in the image lead along each axis of the world.
    at : ndarray, shape (d,)
        Where its first pixel lies in the labels, whose own axes come last.
    lead : int
        How many axes the labels do not have.
    shape : tuple of int
        Height and width of the image.
    """
    index = tuple(map(int, np.floor(at[lead:-2] + 0.5)))
    if any(not 0 <= place < length for place, length in zip(index, data.shape[:-2], strict=True)):
        return None
    labels = np.asarray(data[index] if index else data)
    down_right, start = matrix[-2:], at[-2:]
    same = np.allclose(down_right, np.eye(2), atol=SAME / max(shape)) and np.allclose(start, 0, atol=SAME)
    if same and labels.shape == shape:
        return labels
    sampled = np.zeros(shape, labels.dtype)
    columns = np.arange(shape[1])
    step = max(1, BAND // max(shape[1], 1))
    for top in range(0, shape[0], step):
        rows = np.arange(top, min(top + step, shape[0]))[:, None]
        y, x = (
            np.floor(down * rows + right * columns + begin + (0.5 + SAME)).astype(np.int64)
            for (down, right), begin in zip(down_right, start, strict=True)
        )
        there = (y >= 0) & (y < labels.shape[0]) & (x >= 0) & (x < labels.shape[1])
        sampled[top : top + step][there] = labels[y[there], x[there]]
    return sampled


def _belongs_to(plane: NDArray[Any], data: Any) -> bool:
    return isinstance(data, np.ndarray) and np.may_share_memory(plane, data)


def _refuse_large(size: int, name: str) -> None:
    budget = limits.memory_budget()
    if size > budget:
        raise ImageError(
            f"To make pixels outside the labels of {name} black takes more than {limits.amount(budget)} of memory.",
            "Keep the pixels outside, or classify fewer planes.",
        )
