"""From what somebody gives as a picture to one that is read in parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_webipred.errors import ImageError, OptionError
from napari_webipred.execution.plane import Plane, shown_pixels
from napari_webipred.imaging import tiff, unreadable, windows
from napari_webipred.imaging.array_levels import pyramid_of_arrays, pyramid_of_source
from napari_webipred.imaging.intensity import Intensity
from napari_webipred.imaging.planes import READER as ARRAY
from napari_webipred.imaging.planes import given_source
from napari_webipred.imaging.pyramid import Pyramid
from napari_webipred.imaging.readers import file_source, read, tiff_pyramid
from napari_webipred.imaging.source import Index, Source


def picture_of(
    image: Any,
    name: str = "array 0",
    *,
    place: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity = "auto",
    rgb: bool | None = None,
) -> tuple[Pyramid, Index]:
    """Describe a picture, and choose one of its planes. Of large files and lazy arrays nothing is read.

    Parameters
    ----------
    image : path, Source, array, or sequence of arrays
        A sequence holds the levels of one picture, the full size first, as napari keeps them. Files that cannot be read
        in parts (PNG, JPEG, DICOM and others) are read as a whole.
    name : str
        Of an array.
    place : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack.
    intensity : Intensity
        For a file that is read as a whole, which may say itself how it is displayed.
    rgb : bool, optional
        Whether the last axis of an array are colours; see `array_source`.

    Returns
    -------
    Pyramid, and the index of the plane

    Raises
    ------
    ImageError
        It cannot be read.
    OptionError
        There are several planes and none is chosen, or there is no such plane.
    """
    if isinstance(image, (str, os.PathLike)):
        source = file_source(os.fspath(image))
    elif isinstance(image, Source):
        source = image
    else:
        found = _of_array(image, name, rgb)
        if isinstance(found, Pyramid):
            return found, _index(found.name, found.axes, found.shape, place)
        source = found
    if source.reader == unreadable.READER.id:
        read(source, ())  # which says why
    index = _index(source.name, source.axes, source.shape, place, source)
    lazy = _lazily(source)
    if lazy is not None:
        return replace(lazy, intensity_range=source.intensity_range), index
    pixels, black_and_white = shown_pixels(Plane(0, source, index), intensity)
    return replace(pyramid_of_arrays(pixels, source.name), intensity_range=black_and_white, settled=True), ()


def _of_array(image: Any, name: str, rgb: bool | None) -> Pyramid | Source:
    if hasattr(image, "shape") or (isinstance(image, Sequence) and all(hasattr(each, "shape") for each in image)):
        return pyramid_of_arrays(image, name, rgb=rgb)
    return given_source(image, name)


def _lazily(source: Source) -> Pyramid | None:
    """Return the picture of a source that can be read in parts; None if it cannot."""
    if source.reader in (windows.ZARR.id, windows.SLIDE.id):
        pyramid: Pyramid = source.details[0]
        return pyramid
    if source.reader == ARRAY.id:
        return pyramid_of_source(source)
    if source.reader == tiff.READER.id and isinstance(source.location, Path):
        try:
            found = tiff_pyramid(source.location, source.name)
        except ImageError:  # in colours, an order or a compression that only the other reader knows
            return None
        return found if (found.axes, found.shape) == (source.axes, source.shape) else None
    return None


def _index(
    name: str,
    axes: Sequence[str],
    shape: Sequence[int],
    place: int | Sequence[int] | Mapping[str, int] | None,
    source: Source | None = None,
) -> Index:
    """Return the index of the plane that is chosen, or of the only one."""
    if place is None:
        taken = list(source.indices()) if source is not None and len(source) == 1 else []
        if len(taken) == 1 or all(n == 1 for n in shape):
            return taken[0] if taken else (0,) * len(axes)
        raise OptionError(f"{name} has several planes along {', '.join(axes)}.", "Give the place of one `plane`.")
    if isinstance(place, Mapping):
        unknown = [axis for axis in place if axis not in axes]
        missing = [axis for axis, n in zip(axes, shape, strict=True) if axis not in place and n > 1]
        if unknown or missing:
            raise OptionError(f"{name} has the axes {', '.join(axes) or 'none'}.", "Give a place along each of them.")
        places = tuple(int(place.get(axis, 0)) for axis in axes)
    else:
        places = (int(place),) if isinstance(place, int) else tuple(map(int, place))
    if len(places) != len(axes) or any(not 0 <= i < n for i, n in zip(places, shape, strict=True)):
        raise OptionError(
            f"{name} has no plane {places}: it has the leading axes ({', '.join(axes)}) of lengths {tuple(shape)}.",
            "Give one place, counted from 0, for each of them.",
        )
    return places
