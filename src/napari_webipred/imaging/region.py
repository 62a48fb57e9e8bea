"""A part of an image: a box, and which of its pixels count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR = 2.0**40  # no image is that large


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a plane, as plain data.

    Attributes
    ----------
    name : str
        What the user calls it, such as the number of a label.
    box : tuple of int
        Its first row and column, and those behind its last ones: (top, left, bottom, right). It may reach beyond the
        image, where nothing is read.
    index : tuple of int, optional
        The plane of the stack that it lies in; None for every plane.
    outline : ndarray of float64, shape (n, 2), optional
        The corners of a polygon, as (row, column) of the image with pixel centres at whole numbers. Pixels outside it
        become black.
    inside : ndarray of bool, shape (bottom - top, right - left), optional
        The pixels that belong to it, in place of an outline; the others become black.
    """

    name: str
    box: tuple[int, int, int, int]
    index: tuple[int, ...] | None = None
    outline: NDArray[np.float64] | None = None
    inside: NDArray[np.bool_] | None = None


def cut(pixels: NDArray[Any], region: Region) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Cut a region out of a plane.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
    region : Region

    Returns
    -------
    part : ndarray
        A view of the pixels in its box.
    inside : ndarray of bool, shape (height, width) of the part, or None
        Which of them count; None if all do.

    Raises
    ------
    ImageError
        Nothing of the region lies in the image.
    """
    height, width = pixels.shape[:2]
    top, left, bottom, right = region.box
    first, last = (max(top, 0), max(left, 0)), (min(bottom, height), min(right, width))
    part = pixels[first[0] : max(last[0], 0), first[1] : max(last[1], 0)]
    inside = None
    if part.size and region.outline is not None:
        inside = within(region.outline, (first[0], first[1], last[0], last[1]))
    elif part.size and region.inside is not None:
        inside = region.inside[first[0] - top : last[0] - top, first[1] - left : last[1] - left]
    if not part.size or (inside is not None and not inside.any()):
        raise ImageError(
            f"The region {region.name} contains no pixel of the image.", "Draw it over the image, and larger."
        )
    return part, inside


def blanked(pixels: NDArray[Any], inside: NDArray[np.bool_], black: float) -> NDArray[Any]:
    """Return a copy of pixels in which all that do not count have an intensity that becomes black."""
    copy = pixels.copy()
    if copy.dtype.kind in "ui":
        limits = np.iinfo(copy.dtype)
        black = min(max(np.floor(black), limits.min), limits.max)
    copy[~inside] = black
    return copy


def polygon(
    name: str,
    corners: Sequence[Sequence[float]] | NDArray[Any],
    *,
    blank: bool = False,
    index: tuple[int, ...] | None = None,
) -> Region:
    """Make a region of the box around a polygon.

    Parameters
    ----------
    name : str
    corners : array-like, shape (n, 2)
        (row, column) of each corner, with pixel centres at whole numbers, as napari has them.
    blank : bool
        Whether what is in the box and outside the polygon becomes black.
    index : tuple of int, optional
        The plane that it lies in; None for every plane.

    Raises
    ------
    ImageError
        The corners are no finite numbers, or fewer than two.
    """
    points = np.asarray(corners, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise ImageError(
            f"The region {name} has corners of shape {points.shape}.",
            "Give a row and a column for each of its corners.",
        )
    points = np.clip(points, -FAR, FAR)
    # As in slices, the first row and column count and the last ones do not: corners 0 and 10 are ten pixels.
    top, left = np.ceil(points.min(axis=0)).astype(int)
    bottom, right = np.ceil(points.max(axis=0)).astype(int)
    return Region(name, (int(top), int(left), int(bottom), int(right)), index, points if blank else None)


def within(outline: NDArray[np.float64], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Tell which pixels of a box have their centre inside a polygon, by the even-odd rule.

    Parameters
    ----------
    outline : ndarray of float64, shape (n, 2)
        Its corners as (row, column).
    box : tuple of int
        (top, left, bottom, right), the last two exclusive.

    Returns
    -------
    ndarray of bool, shape (bottom - top, right - left)
    """
    top, left, bottom, right = box
    rows, columns = np.arange(top, bottom, dtype=np.float64), np.arange(left, right, dtype=np.float64)
    inside = np.zeros((len(rows), len(columns)), np.bool_)
    for (row, column), (next_row, next_column) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crossed = (row <= rows) != (next_row <= rows)
        if not crossed.any():
            continue
        at = column + (rows[crossed] - row) / (next_row - row) * (next_column - column)
        inside[crossed] ^= columns < at[:, None]
    return inside
