"""A part of an image: a box, and which of its pixels count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.label_image import label_boxes, refuse_many
from napari_webipred.imaging.outline import within
from napari_webipred.names import visible

Outside: TypeAlias = Literal["keep", "blank"]  # what becomes of pixels in the box of a region and outside it
FAR = 2.0**40  # no image is that large
FORMS = (
    "Give a list, or a mapping of names, of boxes (top, left, bottom, right) in whole numbers and of polygons with a "
    "(row, column) for each corner; or a label image."
)


class Region(Struct, frozen=True, eq=False):
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
    inside : ndarray of bool or int, shape (bottom - top, right - left), optional
        In place of an outline: the pixels that have the value `label` belong to it; the others become black.
    label : int
        See `inside`.
    plane : tuple of int, optional
        Height and width of the planes that it was made for, if only such a plane will do.
    """

    name: str
    box: tuple[int, int, int, int]
    index: tuple[int, ...] | None = None
    outline: NDArray[np.float64] | None = None
    inside: NDArray[Any] | None = None
    label: int = 1
    plane: tuple[int, int] | None = None


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
        Nothing of the region lies in the image, or it was made for planes of another size.
    """
    height, width = pixels.shape[:2]
    if region.plane is not None and region.plane != (height, width):
        of_labels = f"{region.plane[1]} × {region.plane[0]}"
        raise ImageError(
            f"The label image has {of_labels} pixels, the image {width} × {height}.",
            "Give a label image of the same size, or a list of boxes.",
        )
    top, left, bottom, right = region.box
    first, last = (max(top, 0), max(left, 0)), (min(bottom, height), min(right, width))
    part = pixels[first[0] : max(last[0], 0), first[1] : max(last[1], 0)]
    inside = None
    if part.size and region.outline is not None:
        inside = within(region.outline, (first[0], first[1], last[0], last[1]))
    elif part.size and region.inside is not None:
        inside = region.inside[first[0] - top : last[0] - top, first[1] - left : last[1] - left] == region.label
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
        The corners are no finite numbers, fewer than two, or more than `limits.CORNERS`.
    """
    points = np.asarray(corners, np.float64)
    if len(points) > limits.CORNERS:
        raise ImageError(
            f"The region {name} has {len(points):,} corners.", f"Use at most {limits.CORNERS:,}, on a simpler outline."
        )
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


def regions_of(
    given: Any, outside: Outside = "keep", axes: Sequence[str] = (), shape: Sequence[int] = ()
) -> tuple[Region, ...]:
    """Make regions of what somebody gives as such.

    Parameters
    ----------
    given : sequence, mapping or array
        Boxes (top, left, bottom, right), the last two exclusive, and polygons, array-like of shape (n, 2) with n at
        least 3: in a sequence, which counts them from 1, or in a mapping that names them. Or a label image: anything
        with a shape and whole numbers, 0 for the background, shape (height, width) for all planes alike, or with the
        leading axes of the image before; then each label is a region on each plane that it is on.
    outside : "keep" or "blank"
        Whether pixels outside a polygon or label, but in the box around it, are seen as they are or black.
    axes, shape : sequence
        Names and lengths of the leading axes of the image, as of its `napari_webipred.imaging.source.Source`.

    Raises
    ------
    OptionError
        It is nothing of that kind.
    ImageError
        A polygon or label image cannot be used, or there are more than `limits.REGIONS` regions.
    """
    if outside not in get_args(Outside):
        raise OptionError(f"{outside!r} is not a way to treat what is outside.", "Choose keep or blank.")
    if hasattr(given, "shape") and hasattr(given, "dtype"):
        return tuple(_of_labels(given, outside == "blank", axes, tuple(shape)))
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise OptionError(f"Regions cannot be given as a {type(given).__name__}.", FORMS)
    items = given.items() if isinstance(given, Mapping) else enumerate(given, 1)
    taken = list(islice(items, limits.REGIONS + 1))
    refuse_many(len(taken))
    return tuple(_of_item(visible(str(name)), item, outside == "blank") for name, item in taken)


def _of_item(name: str, item: Any, blank: bool) -> Region:
    if not name:
        raise OptionError("A region has no name.", FORMS)
    try:
        numbers = np.asarray(item, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"The region {name} does not consist of numbers.", FORMS) from None
    if numbers.shape != (4,):
        if numbers.ndim != 2 or numbers.shape[1] != 2 or len(numbers) < 3:
            raise OptionError(f"The region {name} is neither a box nor a polygon.", FORMS)
        return polygon(name, numbers, blank=blank)
    if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        raise OptionError(f"The box of the region {name} does not consist of whole numbers.", FORMS)
    top, left, bottom, right = map(int, np.clip(numbers, -FAR, FAR))
    if top >= bottom or left >= right:
        raise OptionError(f"The box of the region {name} ends before it begins.", FORMS)
    return Region(name, (top, left, bottom, right))


def _of_labels(labels: Any, blank: bool, axes: Sequence[str], shape: tuple[int, ...]) -> Iterator[Region]:
    kind = np.dtype(labels.dtype).kind
    if kind not in "uib":
        raise ImageError(
            f"The label image has numbers of type {labels.dtype}.", "Give whole numbers, 0 for the background."
        )
    leading = tuple(labels.shape[:-2])
    if len(labels.shape) < 2 or leading not in ((), shape):
        along = f" ({', '.join(axes)})" if axes else ""
        raise ImageError(
            f"The label image has the shape {tuple(labels.shape)}.",
            f"Give one with two axes, or with the leading axes{along} of the image before them: {shape}."
            if shape
            else "Give one with two axes, as the image.",
        )
    count = 0
    for index in product(*map(range, leading)):
        plane = np.asarray(labels[index] if index else labels)
        numbers, boxes, _ = label_boxes(plane)
        count += len(numbers)
        refuse_many(count)
        for number, (top, left, bottom, right) in zip(numbers.tolist(), boxes.tolist(), strict=True):
            yield Region(
                str(int(number)),
                (top, left, bottom, right),
                index if leading else None,
                inside=plane[top:bottom, left:right] if blank else None,
                label=int(number),
                plane=plane.shape,
            )
